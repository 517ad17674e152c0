"""The validation rows of a sweep in two halves: one compares its runs, the other scores the winner again.

The lowest of many losses is partly luck, so it is too low. The rows that compare the runs are the first
`max_eval_samples` of a permutation by seed, as in every run (`packing.choose_rows`), at most half of them; all other
rows score the winner. Not covered: pairs in both halves that resemble each other.
"""

import time
from pathlib import Path

import numpy as np

from utils import artifacts, files
from utils.config import RunConfig
from utils.errors import UserError
from utils.sweeps import queue, results
from utils.tokens import dataset, packing


def with_half(config: RunConfig, data_dir: Path) -> RunConfig:
    """The settings with at most half of the validation rows; raises `UserError` when there are fewer than two."""
    num_rows = len(_rows(config.with_changes(max_eval_samples=0), data_dir)[1])
    if num_rows < 2:
        raise UserError(
            f"a sweep compares validation losses, and there is no more than {num_rows} validation pair of at most "
            f"{config.max_length} tokens: add pairs."
        )
    return config.with_changes(max_eval_samples=min(config.max_eval_samples or num_rows, num_rows // 2))


def rows(config: RunConfig, data_dir: Path) -> tuple[dataset.TokenRows, np.ndarray]:
    """The validation rows, and which of them compared no run with these settings."""
    found, comparing = _rows(config, data_dir)
    return found, np.setdiff1d(_rows(config.with_changes(max_eval_samples=0), data_dir)[1], comparing)


def _rows(config: RunConfig, data_dir: Path) -> tuple[dataset.TokenRows, np.ndarray]:
    found = dataset.load(artifacts.tokens_dir(data_dir, config), "validation")
    return found, packing.choose_rows(found, config.max_length, config.max_eval_samples, config.seed, is_needed=False)


def score_winner(sweep: queue.Sweep) -> bool:
    """Score the winner and record it as `score.json`, with a fault where that fails; False if that was done before."""
    run_dir = results.winner(sweep)
    recorded = artifacts.read_json(sweep.folder / queue.SCORE)
    if sweep.is_paused or run_dir is None or (isinstance(recorded, dict) and recorded.get("run") == run_dir.name):
        return False
    print(time.strftime("%H:%M:%S"), f"{run_dir.name} has the lowest loss: scored on other rows", flush=True)
    try:
        loss, num_rows = score(run_dir, sweep.data_dir)
        result = {"loss": loss, "num_rows": num_rows}
    except (UserError, RuntimeError, OSError) as error:  # RuntimeError: memory, for example
        result = {"fault": str(error)}
    files.write_json(sweep.folder / queue.SCORE, {"run": run_dir.name} | result)
    return True


def score(run_dir: Path, data_dir: Path) -> tuple[float, int]:
    """The mean loss of a finished run's model over the target tokens of the held-out rows, in nats; their number."""
    import torch  # imported here: the runner starts and watches runs without it
    import transformers

    from utils import hardware
    from utils.model import loading
    from utils.training.loss import is_packed, num_target_tokens, target_loss

    transformers.logging.disable_progress_bar()  # the log is no terminal
    config = RunConfig.load(run_dir / "config.json")
    tokens_dir = artifacts.tokens_dir(data_dir, config)
    if artifacts.stale_inputs(run_dir, artifacts.require(tokens_dir, "02_alpaca_format")["files"]):
        raise UserError(f"{tokens_dir} changed since the run began, and with it the rows that compared the runs.")
    found, chosen = rows(config, data_dir)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = config.with_changes(model_name_or_path=str(run_dir / "model"), revision="main", lora_rank=0)
    network = loading.load_for_training(model.with_changes(cpu_offload=False), device, 1).eval()
    blocks = packing.blocks_of(found, chosen, config.tokens_per_device, 1, is_packed(network))
    dtype = hardware.product_dtype(config.dtype, device)
    with torch.no_grad(), torch.autocast(device.type, dtype, dtype == torch.bfloat16 and config.dtype == "bfloat16"):
        loss = sum(target_loss(network, block, device).item() for block in blocks)
    return loss / sum(map(num_target_tokens, blocks)), len(chosen)
