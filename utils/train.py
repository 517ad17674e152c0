"""The training run: `python -m utils.train RUN_DIR`, alone, or under `accelerate launch` or `torchrun` in several processes.

One update: its pairs are packed into blocks, the blocks shared out over the ranks, the loss of all of them divided by
their trained tokens, the gradient clipped, the weights moved. Run again, it goes on where it stopped.
"""

import contextlib
import fcntl
import math
import os
import resource
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import transformers

from utils import artifacts, checkpoint, metrics, model, optim, packing
from utils.config import RunConfig
from utils.errors import UserError
from utils.loss import num_trained_tokens, trained_loss


@dataclass(frozen=True)
class Ranks:
    """This process among those of the run, as the launcher's environment says."""

    rank: int
    num_ranks: int
    device: torch.device

    @classmethod
    def join(cls) -> "Ranks":
        """Read the launcher's environment and, if there are several processes, join their group."""
        num_ranks, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
        device = torch.device("cpu")
        if torch.cuda.is_available():
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
            torch.cuda.set_device(device)
        if num_ranks > 1:
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(rank, num_ranks, device)

    def reduce(self, values: list[float], operation=dist.ReduceOp.SUM) -> list[float]:
        """The sum, or another reduction, of each value over all ranks."""
        if self.num_ranks == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(tensor, operation)
        return tensor.tolist()

    def log(self, message: str) -> None:
        if self.rank == 0:
            print(time.strftime("%H:%M:%S"), message, flush=True)


@dataclass
class Progress:
    """What a checkpoint's `state.json` holds; the order of the pairs and the learning rate follow from `step`."""

    step: int = 0
    total_tokens: int = 0
    seconds: float = 0.0


@dataclass
class Stop:
    """Whether someone asked this run to save and end: by a file `STOP` in its folder, SIGTERM or SIGINT."""

    run_dir: Path
    signals: list[int] = field(default_factory=list)

    def listen(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, frame: self.signals.append(number))

    def asked(self) -> bool:
        return bool(self.signals) or (self.run_dir / "STOP").exists()


def train(run_dir: Path, config: RunConfig, ranks: Ranks) -> str:
    """Train from the newest good checkpoint to the end; returns why it ended: `finished` or `stopped`.

    Raises `UserError` when the tokens are missing or changed, and when the loss or gradient is not finite (before the
    weights are touched).
    """
    data_dir = run_dir.parents[1]
    tokens_dir = artifacts.tokens_dir(data_dir, config)
    train_rows, validation_rows = (packing.load(tokens_dir, split) for split in packing.SPLITS)
    chosen = packing.choose_rows(train_rows, config.max_length, config.max_train_samples, config.seed)
    eval_chosen = packing.choose_rows(validation_rows, config.max_length, config.max_eval_samples, config.seed)
    updates_per_epoch = -(-len(chosen) // config.train_batch_size)
    num_updates = packing.num_updates(len(chosen), config.train_batch_size, config.num_train_epochs)
    same_tokens(run_dir, tokens_dir, dict(num_pairs=len(chosen), num_updates=num_updates), ranks)

    torch.manual_seed(config.seed + ranks.rank)
    network = model.load_for_training(config, data_dir, ranks.device, ranks.num_ranks)
    tokenizer = model.load_tokenizer(config.model_name_or_path, data_dir, config.revision)
    optimizer = optim.build(network, config)
    progress = resume(run_dir, network, optimizer, ranks)
    ranks.log(f"{len(chosen)} pairs, {num_updates} updates, {ranks.num_ranks} ranks, from update {progress.step}")

    def evaluated() -> None:
        if not len(eval_chosen):
            return
        loss, num_tokens = evaluate(network, validation_rows, eval_chosen, config, ranks)
        record = dict(kind="eval", step=progress.step, epoch=progress.step / updates_per_epoch, eval_loss=loss,
                      num_trained_tokens=num_tokens, total_tokens=progress.total_tokens, seconds=progress.seconds)  # fmt: skip
        log_record(run_dir, record, ranks)

    def saved() -> None:
        tensors = optim.state_tensors(network, optimizer)
        checkpoint.save(run_dir, progress.step, tensors, vars(progress), config.save_total_limit)
        ranks.log(f"checkpoint at update {progress.step}")

    stop = Stop(run_dir)
    stop.listen()
    if progress.step == 0:
        evaluated()
    while progress.step < num_updates:
        start = time.perf_counter()
        rows = packing.update_rows(chosen, config.train_batch_size, config.seed, progress.step)
        blocks = packing.blocks_of(train_rows, rows, config.tokens_per_device, ranks.num_ranks)
        rate = optim.learning_rate(config, progress.step, num_updates)
        result = update(network, optimizer, blocks, rate, config, ranks, stop.asked())
        if not math.isfinite(result["loss"]) or not math.isfinite(result["grad_norm"]):
            raise UserError(
                f"update {progress.step + 1}: loss {result['loss']}, gradient norm {result['grad_norm']}; the weights "
                f"were not changed. Rows of the update: {rows.tolist()}. Try a lower learning_rate, or look at the rows."
            )
        progress.step += 1
        progress.total_tokens += result["num_tokens"]
        seconds = time.perf_counter() - start
        progress.seconds += seconds
        stopping = result.pop("stopping")
        record = dict(kind="train", step=progress.step, epoch=progress.step / updates_per_epoch, learning_rate=rate,
                      total_tokens=progress.total_tokens, tokens_per_second=result["num_tokens"] / seconds,
                      seconds=progress.seconds, **result)  # fmt: skip
        log_record(run_dir, record, ranks)
        last = progress.step == num_updates
        if last or progress.step % config.eval_steps == 0:
            evaluated()
        if last or stopping or progress.step % config.save_steps == 0:
            saved()
        if stopping and not last:
            return "stopped"
    save_model(run_dir, network, tokenizer, ranks)
    return "finished"


def update(network, optimizer, blocks: list[packing.Block], rate: float, config: RunConfig, ranks: Ranks, stop: bool):
    """One update of the weights from all of its blocks, a multiple of the ranks; returns what there is to log.

    The weights stay as they are when loss or gradient norm is not finite.
    """
    num_trained = sum(num_trained_tokens(block) for block in blocks)
    loss_sum = torch.zeros((), device=ranks.device)
    for block in blocks[ranks.rank :: ranks.num_ranks]:
        with compute_dtype(config, ranks.device):
            loss = trained_loss(network, block, ranks.device)
        # FSDP averages gradients over the ranks; the loss of the update is a sum over them.
        (loss * ranks.num_ranks / num_trained).backward()
        loss_sum += loss.detach()
    max_norm = config.max_grad_norm or math.inf
    grad_norm = torch.nn.utils.clip_grad_norm_(network.parameters(), max_norm)
    grad_norm = grad_norm.full_tensor() if hasattr(grad_norm, "full_tensor") else grad_norm
    total_loss, stopping = ranks.reduce([loss_sum.item(), float(stop)])
    result = dict(loss=total_loss / num_trained, grad_norm=grad_norm.item(), stopping=stopping > 0,
                  num_tokens=sum(len(block.input_ids) for block in blocks), num_trained_tokens=num_trained,
                  memory_bytes=int(ranks.reduce([peak_memory_bytes(ranks.device)], dist.ReduceOp.MAX)[0]))  # fmt: skip
    if math.isfinite(result["loss"]) and math.isfinite(result["grad_norm"]):
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
    optimizer.zero_grad()
    return result


@torch.no_grad()
def evaluate(network, rows: packing.TokenRows, chosen: np.ndarray, config: RunConfig, ranks: Ranks):
    """The mean loss over the trained tokens of the chosen rows, in nats, and their number."""
    network.eval()
    blocks = packing.blocks_of(rows, chosen, config.tokens_per_device, ranks.num_ranks)
    loss_sum = torch.zeros((), device=ranks.device)
    for block in blocks[ranks.rank :: ranks.num_ranks]:
        with compute_dtype(config, ranks.device):
            loss_sum += trained_loss(network, block, ranks.device)
    network.train()
    if ranks.num_ranks > 1:
        # Without a backward pass the root's weights would stay gathered, no longer the optimizer's.
        network.reshard()
    num_trained = sum(num_trained_tokens(block) for block in blocks)
    return ranks.reduce([loss_sum.item()])[0] / num_trained, num_trained


def compute_dtype(config: RunConfig, device: torch.device):
    """Matrix products in bfloat16 where asked; the weights stay float32, on one rank as on many."""
    return torch.autocast(device.type, torch.bfloat16, enabled=config.dtype == "bfloat16")


def peak_memory_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # bytes on macOS, KiB on Linux


def resume(run_dir: Path, network, optimizer, ranks: Ranks) -> Progress:
    """Load the newest good checkpoint, if there is one, and drop the metrics written after it."""
    names = [None]
    if ranks.rank == 0:
        newest = checkpoint.newest_good(run_dir, ranks.log)
        names = [newest.name if newest else None]
    if ranks.num_ranks > 1:
        dist.broadcast_object_list(names)
    progress = Progress()
    if names[0]:
        folder = run_dir / checkpoint.FOLDER / names[0]
        progress = Progress(**checkpoint.load(folder, optim.state_tensors(network, optimizer)))
    if ranks.rank == 0:
        metrics.truncate(run_dir, progress.step if names[0] else -1)
    return progress


def same_tokens(run_dir: Path, tokens_dir: Path, facts: dict[str, int], ranks: Ranks) -> None:
    """Write down what a new run is made from; raises `UserError` when an older one was made from other tokens."""
    inputs = artifacts.require(tokens_dir, "02_alpaca_format")["files"]
    if artifacts.read_manifest(run_dir) is None:
        if ranks.rank == 0:
            artifacts.write_json(run_dir / artifacts.MANIFEST, {"inputs": inputs, "facts": facts})
    elif artifacts.stale_inputs(run_dir, inputs):
        raise UserError(f"{tokens_dir} changed since this run began, so it cannot go on. Start a new run (FRESH=1).")


def log_record(run_dir: Path, record: dict[str, Any], ranks: Ranks) -> None:
    if ranks.rank == 0:
        metrics.append(run_dir, record)
    shown = {name: record[name] for name in ("loss", "eval_loss", "tokens_per_second") if name in record}
    ranks.log(f"update {record['step']} " + " ".join(f"{name} {value:,.4g}" for name, value in shown.items()))


def save_model(run_dir: Path, network, tokenizer, ranks: Ranks) -> None:
    """Save the tuned model beside its place and move it there whole: `model/` exists only when the run is finished."""
    temporary = run_dir / "model.tmp"
    model.save(network, tokenizer, temporary)
    if ranks.num_ranks > 1:
        dist.barrier()
    if ranks.rank == 0:
        temporary.rename(run_dir / "model")


@contextlib.contextmanager
def only_one(run_dir: Path, ranks: Ranks):
    """Hold the run's folder while training; raises `UserError` when another process trains in it."""
    with open(run_dir / "lock", "w") as file:
        if ranks.rank == 0:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(f"{run_dir} is being trained by another process: wait for it, or stop it.") from None
        yield


def main(run_dir: Path) -> None:
    run_dir = run_dir.resolve()
    config = RunConfig.load(run_dir / "config.json")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    ranks = Ranks.join()
    with only_one(run_dir, ranks):
        if (run_dir / "model").exists():
            ranks.log("finished already")
            return
        if ranks.rank == 0:
            (run_dir / "STOP").unlink(missing_ok=True)
        outcome = train(run_dir, config, ranks)
        if ranks.rank == 0:
            artifacts.write_json(run_dir / "outcome.json", {"outcome": outcome})
        ranks.log(outcome)
    if ranks.num_ranks > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m utils.train RUN_DIR")
    try:
        main(Path(sys.argv[1]))
    except UserError as error:
        sys.exit(f"error: {error}")
