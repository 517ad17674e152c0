"""The presets that made the embedded base model: rows of code in place of pairs.

`--preset` of `python -m utils.pretraining` takes them; the form of notebook 03 does not.
"""

from utils.config import EMBEDDED, RunConfig

PYTHON_CORPUS = "python-corpus"

# From random weights.
BASE = RunConfig(
    preset="base",
    pairs=PYTHON_CORPUS,
    optim="muon",
    learning_rate=2e-3,
    lr_scheduler_type="warmup_stable_decay",
    weight_decay=0.1,
    adam_beta2=0.95,
    warmup_steps=100.0,
    train_batch_size=8,
    num_train_epochs=0.85,
    tokens_per_device=16384,
    num_processes=1,
    max_eval_samples=64,
    eval_steps=200,
    save_steps=200,
    save_total_limit=1,
)
# The second run, for fill-in-the-middle: more and shorter texts with a gap.
BASE_GAPS = BASE.with_changes(
    preset="base-gaps",
    model_name_or_path=EMBEDDED,
    learning_rate=1e-3,
    train_batch_size=16,
    num_train_epochs=0.7,
    seed=1,
)
# The third run, for the small world of `python-basics`: textbook code, and a share of what was read before.
BASE_TEXTBOOK = BASE_GAPS.with_changes(preset="base-textbook", learning_rate=6e-4, num_train_epochs=0.75, seed=4)
PRESETS = {config.preset: config for config in (BASE, BASE_GAPS, BASE_TEXTBOOK)}
# The share of documents with gaps, by preset. After the first run the model writes Python but fills hardly any gap.
FIM_RATES = {"base": 0.5, "base-gaps": 0.8, "base-textbook": 0.25}
# The share of a run's weights in the exported model, by preset; the rest is that of the model it started from. So less
# of the files is forgotten, and nearly nothing of the small world (as Wortsman et al. 2022, arXiv:2109.01903).
NEW_SHARES = {"base-textbook": 0.6}
