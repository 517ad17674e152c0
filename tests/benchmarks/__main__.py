"""`make bench`: our training beside TRL's and transformers' on one job, and what it makes of the machine.

Every measurement runs in a process of its own (`worker.py`), the contenders taking turns, all with the threads
and the environment that `utils.runs.launch` gives. Prints Markdown and keeps it, and every figure behind it as JSON, in
`data/bench/`: each part as soon as it is done. What a part does not need is not imported for it. Not covered: several
GPUs.
"""

import argparse
import importlib
import json
import math
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers

from benchmarks import gpu, jobs, table
from benchmarks.gpu import Part
from benchmarks.jobs import Bench
from benchmarks.table import Result
from utils import files
from utils.artifacts import ROOT
from utils.config import RunConfig
from utils.errors import UserError, unknown
from utils.runs import launch, metrics

DTYPES = next(f.metadata["choices"] for f in RunConfig.__dataclass_fields__.values() if f.name == "dtype")
OURS = [{"trainer": "ours", "dtype": dtype} for dtype in DTYPES]
AUTOCAST = {"trainer": "transformers", "layout": "padded", "dtype": "bfloat16", "num_pairs": 8}
# `num_pairs` in one forward pass: the fastest of 4, 8 and 16 when this was written.
HEATS = [
    {"trainer": "trl", "layout": layout, "dtype": dtype, "num_pairs": 1 if layout == "packed" else 8}
    for layout in ("padded", "padding-free", "packed")
    for dtype in ("bfloat16", "bfloat16_weights")
] + [AUTOCAST | {"trainer": "trl", "layout": "padding-free", "dtype": "float32"}, AUTOCAST | {"dtype": "float32"}]


def training(bench: Bench, shared: Path) -> Part:
    """Ours beside the others, on two ranks, beside a plain loop, and from its start to the first update."""
    tokenizer = jobs.load_tokenizer(shared)
    figures, config = compare(bench, shared, tokenizer)
    figures["ranks"] = compare_ranks(bench, config)
    figures["losses"], config = compare_losses(bench, jobs.load_pairs(shared, 800), tokenizer)
    figures["launch_seconds"] = [time_launch(bench.data_dir, config) for _ in range(3)]
    return figures, table.training(figures)


def compare(bench: Bench, shared: Path, tokenizer) -> tuple[dict[str, Any], RunConfig]:
    """Short heats of every contender, then the whole job: TRL's best two and `Trainer`, ours in between."""
    # An update in one block: the fastest of 2,048, 4,096, 8,192 and 12,288 when this was written.
    settings = dict(tokens_per_device=12288, train_batch_size=64)
    config = jobs.build_job(bench.data_dir, "42M", jobs.load_pairs(shared, 256), tokenizer, **settings)
    heat = jobs.build_job(
        bench.data_dir, "42M", jobs.load_pairs(shared, 48), tokenizer, **settings | {"train_batch_size": 16}
    )
    print("heats: 3 updates of 16 pairs", flush=True)
    heats = [bench.measure(heat, spec) for spec in HEATS]
    trl = [result for result in table.measured(heats) if result["spec"]["trainer"] == "trl"]
    best = sorted(trl, key=lambda result: -table.tokens_per_second([result]))
    print("the job: 4 updates of 64 pairs", flush=True)
    specs = [result["spec"] for result in best]
    turns = [*OURS, *specs[:1], *OURS, *specs[1:2], AUTOCAST, *OURS]
    return {"heats": heats, "finals": [bench.measure(config, spec) for spec in turns]}, config


def compare_ranks(bench: Bench, config: RunConfig) -> list[list[Result]]:
    """The same updates of 8 blocks on one rank with all threads and on two with half of them, in turns."""
    # 64 pairs are some 10,500 tokens.
    config = config.with_changes(tokens_per_device=1400, max_train_samples=192, reshard_after_forward=False)
    spec = {"trainer": "ours", "dtype": "bfloat16"}
    print("1 rank and 2 ranks, in turns", flush=True)
    turns = [bench.measure(config, spec, num_ranks=num_ranks) for num_ranks in (1, 2, 1, 2)]
    return [turns[0::2], turns[1::2]]


def compare_losses(bench: Bench, pairs: list[dict[str, str]], tokenizer) -> tuple[list[Result], RunConfig]:
    settings = dict(tokens_per_device=2048, train_batch_size=16, learning_rate=1e-3)
    config = jobs.build_job(bench.data_dir, "tiny", pairs, tokenizer, **settings)
    print("losses", flush=True)
    return [bench.measure(config, {"trainer": name, "dtype": "float32"}) for name in ("plain", "ours")], config


def time_launch(data_dir: Path, config: RunConfig) -> float:
    config = config.with_changes(num_processes=2, dtype="float32")
    run_dir = data_dir / "runs" / f"{time.time_ns()}-launched"
    start = time.perf_counter()
    launch.start(run_dir, config)
    while not metrics.train_lines(metrics.read(run_dir)):
        if launch.state(run_dir) != "running":
            raise UserError(f"the launched run ended early: {launch.failure(run_dir)}")
        time.sleep(0.02)
    seconds = time.perf_counter() - start
    launch.stop(run_dir)
    while launch.state(run_dir) == "running":
        time.sleep(0.1)
    return seconds


def cpu_parts(bench: Bench, shared: Path) -> dict[str, Callable[[], Part]]:
    arguments = {
        "data": (shared, bench.data_dir),
        "answers": (),
        "panels": (bench.data_dir / "panels",),
        "playground": (),
    }

    def rows(name: str) -> Part:
        found = importlib.import_module(f"benchmarks.{name}").compare(*arguments[name])
        return {"rows": found}, table.bars(name, found)

    return {"training": lambda: training(bench, shared)} | {name: lambda name=name: rows(name) for name in arguments}


def run_parts(bench: Bench, parts: dict[str, Callable[[], Part]], out: Path, seconds: float = math.inf) -> None:
    """Each part in turn, for so long at most, kept and printed as soon as it is done.

    One that fails leaves a row that says why, and the others go on.
    """
    for name, part in parts.items():
        bench.deadline = time.monotonic() + seconds
        try:
            figures, text = part()
        except Exception as error:
            traceback.print_exc()
            figures = bench.failed({"name": name}, error)
            text = table.bars(name, [[name, "", table.reason_of(figures), ""]])
        text = f"{table.header(bench.device)}\n\n{text}\n"
        print(f"\n{text}", flush=True)
        path = out / f"{bench.device}-{name}-{time.strftime('%Y%m%d-%H%M%S')}"
        files.write_text(path.with_suffix(".json"), json.dumps(figures, indent=1) + "\n")
        files.write_text(path.with_suffix(".md"), text)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure training on this machine.")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--part", help="one of them; on a CPU also `gpu`, the parts for a GPU in miniature; none: all")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared" / "data", help="GPTeacher and tokenizer")
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "bench", help="where the figures are kept")
    on_gpu = parser.add_argument_group("with --device cuda")
    on_gpu.add_argument("--model", choices=tuple(jobs.SHAPES), default="1.1B", help="the real shape to train")
    on_gpu.add_argument("--variant", default="*", help="only contenders whose name matches: '*8bit', 'trl*'")
    on_gpu.add_argument("--settings", type=json.loads, default={}, help="of our training: '{\"torch_compile\": true}'")
    on_gpu.add_argument("--seconds", type=float, default=500.0, help="of a part; then its last contender is stopped")
    options = parser.parse_args(arguments)
    is_gpu = options.device == "cuda"
    if is_gpu and not torch.cuda.is_available():
        raise UserError("--device cuda: not measured, torch finds no GPU here. --part gpu runs its parts in miniature.")
    transformers.logging.disable_progress_bar()
    files.make_folder(options.out, files.PRIVATE)
    # A time limit from outside, too, leaves nothing behind of what is built here: tens of GB.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    with tempfile.TemporaryDirectory(dir=options.out) as folder:
        bench = Bench(Path(folder), options.device, variant=options.variant)
        if is_gpu or options.part == "gpu":
            shape = options.model if is_gpu else "tiny"
            parts = gpu.parts(bench, shape, options.shared, options.settings)
        else:
            parts = cpu_parts(bench, options.shared)
        if options.part not in (None, "gpu"):
            if options.part not in parts:
                raise unknown("part", options.part, parts)
            parts = {options.part: parts[options.part]}
        run_parts(bench, parts, options.out, options.seconds if is_gpu else math.inf)
    if bench.failures:
        raise UserError(f"not measured: {', '.join(bench.failures)}.")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
