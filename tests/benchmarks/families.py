"""What becomes of every causal architecture of transformers: `python -m benchmarks.families [NAME …]`, five minutes.

Each is built tiny with random weights and trained one step as in a run. Loss and gradient are compared with eager
attention on each pair alone. It is also planned, and answers alone and in a batch.
"""

import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
import transformers
from transformers import CONFIG_MAPPING, AutoModelForCausalLM
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from support.eager import loss_of_each_alone
from utils.config import RunConfig
from utils.errors import UserError
from utils.model import loading, packing_support
from utils.model.generation import GenerationSettings, generate_rows
from utils.planning import planner
from utils.tokens import packing
from utils.tokens.dataset import TokenRows
from utils.training.loss import is_packed, target_loss

CPU, MAX_LENGTH, MAX_PARAMETERS = torch.device("cpu"), 40, 80_000_000
SIZES = dict(
    vocab_size=120, pad_token_id=0, bos_token_id=1, eos_token_id=2, max_position_embeddings=128, n_positions=128,
    hidden_size=32, n_embd=32, d_model=32, attention_hidden_size=32, intermediate_size=48, ffn_dim=48, n_inner=48,
    moe_intermediate_size=16, num_hidden_layers=2, n_layer=2, n_layers=2, num_layers=2, decoder_layers=2,
    num_attention_heads=4, n_head=4, n_heads=4, decoder_attention_heads=4, num_key_value_heads=2, head_dim=8,
    rotary_dim=4,
)  # fmt: skip
# Changes for architectures in which these sizes do not fit together; None: the architecture's own.
CHANGES: tuple[dict, ...] = (
    {},
    {"head_dim": None},
    {"head_dim": None, "num_key_value_heads": 4},
    {"head_dim": None, "num_key_value_heads": None},
    {"num_hidden_layers": None, "n_layer": None, "num_layers": None},
)
TOKENIZER = SimpleNamespace(
    eos_token_id=2, added_tokens_decoder={}, decode=lambda ids, **options: " ".join(map(str, ids))
)


def build(name: str):
    config_class, error = CONFIG_MAPPING[name], None
    known = set(config_class().to_dict()) | set(getattr(config_class, "attribute_map", {}))
    for changes in CHANGES:
        try:
            sizes = {key: size for key, size in (SIZES | changes).items() if key in known and size is not None}
            config = config_class(**sizes)
            with torch.device("meta"):
                num_parameters = AutoModelForCausalLM.from_config(config).num_parameters()
            if num_parameters > MAX_PARAMETERS:
                raise ValueError(f"{num_parameters:,} parameters")
            torch.manual_seed(0)
            network = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
            for parameter in network.parameters():
                torch.nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5) if parameter.ndim > 1 else None
            network.set_attn_implementation("eager")
            network(input_ids=torch.full((1, MAX_LENGTH), 5), use_cache=False)
            return network
        except Exception as failure:
            error = failure
    raise error or ValueError(name)


def differences(network, reference, rows: TokenRows) -> tuple[float, float]:
    """Relative differences of loss and gradient between a training step and each pair alone."""
    blocks = packing.blocks_of(rows, np.arange(len(rows)), 128, is_packed=is_packed(network))
    loss = torch.stack([target_loss(network, block, CPU) for block in blocks]).sum()
    expected = loss_of_each_alone(reference, rows)
    loss.backward()
    expected.backward()
    wanted = {name: parameter.grad for name, parameter in reference.named_parameters() if parameter.grad is not None}
    found = {name: parameter.grad for name, parameter in network.named_parameters() if name in wanted}
    error = sum(float((found[name] - wanted[name]).square().sum()) for name in found)
    size = sum(float(gradient.square().sum()) for gradient in wanted.values())
    return abs(loss.item() / expected.item() - 1), (error / size) ** 0.5


def outcome(name: str, folder: Path) -> tuple[str, str]:
    try:
        build(name).save_pretrained(folder)
    except Exception as error:
        return "not built tiny", f"{type(error).__name__}: {error}".splitlines()[0]
    config = RunConfig.from_preset(
        "tiny", model_name_or_path=str(folder), max_length=MAX_LENGTH, tokens_per_device=128, dtype="float32"
    )
    random = np.random.default_rng(0)
    rows = TokenRows.of(
        [random.integers(5, 100, length).tolist() for length in (40, 7, 19, 11)], [10, 2, 5, 4], np.int64
    )
    try:
        network = loading.load_for_training(config, CPU, 1)
    except UserError as error:
        return "refused", str(error).splitlines()[0]
    reference = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    loss, gradient = differences(network, reference, rows)
    planner.plan(config.with_changes(dtype="bfloat16", num_processes=1), folder / "data")
    settings, prompts = GenerationSettings(max_new_tokens=6), [[5, 6, 7, 8], [9, 10], [11, 12, 13]]
    alone = [generate_rows(reference, TOKENIZER, [prompt], settings)[0].text for prompt in prompts]
    together = [answer.text for answer in generate_rows(reference, TOKENIZER, prompts, settings)]
    kind = "packed" if is_packed(network) else "one pair per pass"
    kind += "" if loss < 1e-5 and gradient < 1e-4 else ", WRONG"
    notes = [f"loss {loss:.0e}, gradient {gradient:.0e}"] + ["batched answers differ"] * (alone != together)
    return kind, ", ".join(
        [*notes, packing_support.training_support(loading.load_config(config), config).reason]
    ).rstrip(", ")


def main(names: list[str]) -> None:
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    counts: Counter[str] = Counter()
    for name in names or MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        with tempfile.TemporaryDirectory() as folder:
            try:
                kind, note = outcome(name, Path(folder))
            except Exception as error:
                kind, note = "TRACEBACK", f"{type(error).__name__}: {error}".splitlines()[0]
        counts[kind] += 1
        print(f"| {name} | {kind} | {note} |", flush=True)
    print(dict(counts))


if __name__ == "__main__":
    main(sys.argv[1:])
