"""`make bench`: our training beside TRL's and transformers' on one job, and what it makes of the machine.

Every measurement runs in a process of its own (`bench_worker.py`), the contenders taking turns, all with the threads
and the environment that `utils.launch` gives. Prints Markdown; keeps it, and every figure behind it as JSON, in
`data/bench/`. Not covered: several GPUs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import bench_answers
import bench_attribution
import bench_data
import bench_decoding
import bench_jobs
import bench_panels
import bench_playground
import bench_table
import torch
import transformers

from utils import launch, memory, metrics, planner
from utils.artifacts import ROOT
from utils.config import RunConfig
from utils.errors import UserError

DTYPES = next(f.metadata["choices"] for f in RunConfig.__dataclass_fields__.values() if f.name == "dtype")
PARTS = ("training", *bench_table.PARTS)
OURS = [{"trainer": "ours", "dtype": dtype, "rate": True} for dtype in DTYPES]
EIGHT_BITS = {"trainer": "ours", "dtype": "bfloat16_weights", "settings": {"optim": "adamw_torch_8bit"}, "rate": True}
AUTOCAST = {"trainer": "transformers", "layout": "padded", "dtype": "bfloat16", "num_pairs": 8}
# `num_pairs` in one forward pass: the fastest of 4, 8 and 16 when this was written.
HEATS = [
    {"trainer": "trl", "layout": layout, "dtype": dtype, "num_pairs": 1 if layout == "packed" else 8}
    for layout in ("padded", "padding-free", "packed")
    for dtype in ("bfloat16", "bfloat16_weights")
] + [AUTOCAST | {"trainer": "trl", "layout": "padding-free", "dtype": "float32"}, AUTOCAST | {"dtype": "float32"}]
Result = dict[str, Any]


def run_worker(spec: dict[str, Any], config: RunConfig, device: str = "cpu", num_ranks: int = 1) -> Result:
    """Run `bench_worker.py` in one process, or under torchrun; raises `UserError` with its last words."""
    result = Path(spec["run_dir"]) / "result.json"
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(num_ranks)]
    arguments = [str(ROOT / "tests" / "bench_worker.py"), json.dumps(spec), str(result)]
    environment = launch._environment(config.with_changes(num_processes=num_ranks), 30) | {"PYTHONPATH": str(ROOT)}
    if device == "cpu":
        environment["CUDA_VISIBLE_DEVICES"] = ""
    command = [sys.executable, *(launcher if num_ranks > 1 else []), *arguments]
    process = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    if process.returncode:
        raise UserError(f"{bench_table.name_of(spec)} failed: {process.stderr.strip()[-1500:]}")
    return json.loads(result.read_text(encoding="utf-8"))


def measure(data_dir: Path, config: RunConfig, spec: dict[str, Any], run=run_worker, **options: Any) -> Result:
    """Run one contender in a new run folder; what it measured, its specification and its name."""
    name = bench_table.name_of(spec)
    if spec["trainer"] == "ours":
        config = config.with_changes(dtype=spec["dtype"], **spec.get("settings", {}))
    run_dir = bench_jobs.build_run(data_dir, f"{time.time_ns()}-{name.replace(' ', '-')}", config)
    result = {"name": name, "spec": spec} | run(spec | {"run_dir": str(run_dir)}, config, **options)
    print(f"  {name}: {bench_table.tokens_per_second([result]):,.0f} tokens/s", flush=True)
    return result


def compare(data_dir: Path, shared: Path) -> dict[str, Any]:
    """Short heats of every contender, then the whole job: TRL's best two and `Trainer`, ours in between."""
    tokenizer = bench_jobs.load_tokenizer(shared)
    # An update in one block: the fastest of 2,048, 4,096, 8,192 and 12,288 when this was written.
    settings = dict(tokens_per_device=12288, train_batch_size=64)
    config = bench_jobs.build_job(data_dir, "42M", bench_jobs.load_pairs(shared, 256), tokenizer, **settings)
    heat = bench_jobs.build_job(
        data_dir, "42M", bench_jobs.load_pairs(shared, 48), tokenizer, **settings | {"train_batch_size": 16}
    )
    print("heats: 3 updates of 16 pairs", flush=True)
    heats = [measure(data_dir, heat, spec) for spec in HEATS]
    trl = [result for result in heats if result["spec"]["trainer"] == "trl"]
    best = sorted(trl, key=lambda result: -bench_table.tokens_per_second([result]))[:2]
    print("the job: 4 updates of 64 pairs", flush=True)
    first, second = (result["spec"] for result in best)
    turns = [*OURS, first, *OURS, second, AUTOCAST, *OURS]
    return {"heats": heats, "finals": [measure(data_dir, config, spec) for spec in turns], "config": config}


def compare_ranks(data_dir: Path, config: RunConfig) -> list[list[Result]]:
    """The same updates of 8 blocks on one rank with all threads and on two with half of them, in turns."""
    # 64 pairs are some 10,500 tokens.
    config = config.with_changes(tokens_per_device=1400, max_train_samples=192, reshard_after_forward=False)
    spec = {"trainer": "ours", "dtype": "bfloat16"}
    print("1 rank and 2 ranks, in turns", flush=True)
    turns = [measure(data_dir, config, spec, num_ranks=num_ranks) for num_ranks in (1, 2, 1, 2)]
    return [turns[0::2], turns[1::2]]


def compare_losses(data_dir: Path, pairs: list[dict[str, str]], tokenizer, run=run_worker) -> dict[str, Any]:
    """50 updates, or as many as there are 16 pairs for, by a plain loop and by ours in float32."""
    settings = dict(tokens_per_device=2048, train_batch_size=16, learning_rate=1e-3)
    config = bench_jobs.build_job(data_dir, "tiny", pairs, tokenizer, **settings)
    print("losses", flush=True)
    specs = [{"trainer": "plain", "dtype": "float32"}, {"trainer": "ours", "dtype": "float32"}]
    return {"config": config, "losses": [measure(data_dir, config, spec, run) for spec in specs]}


def time_launch(data_dir: Path, config: RunConfig) -> float:
    """Seconds from `launch.start` to the first line of an update, on two ranks."""
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


def measure_model(
    data_dir: Path, shape: str, pairs: list[dict[str, str]], tokenizer, device: str, num_updates=44, run=run_worker,
    **settings: Any,
) -> list[Result]:  # fmt: skip
    """Updates of the recipe on one device with random weights in a real shape, beside the memory that was planned.

    In every dtype but float32, and with an optimizer in 8 bits; what does not fit by its plan is told and left out.
    """
    batch_size = min(128, len(pairs))
    num_epochs = num_updates / -(-len(pairs) // batch_size)
    large = bench_jobs.SHAPES[shape][2] >= 2816
    config = bench_jobs.build_job(
        data_dir, shape, pairs, tokenizer, device=device, train_batch_size=batch_size, num_train_epochs=num_epochs,
        tokens_per_device=(24576 if large else 8192) if device == "cuda" else 1024, gradient_checkpointing=large,
        **settings,
    )  # fmt: skip
    results = []
    for spec in [*(spec for spec in OURS if spec["dtype"] != "float32"), EIGHT_BITS]:
        plan = planner.plan(config.with_changes(dtype=spec["dtype"], **spec.get("settings", {})), data_dir)
        if not plan.fits:  # its disk does not matter: nothing is saved
            needed, free = (size / 2**30 for size in (plan.memory_bytes, plan.free_bytes_per_process))
            name = bench_table.name_of(spec)
            print(f"  {name}: not measured, needs {needed:,.1f} GiB of {free:,.1f} GiB", flush=True)
            continue
        try:
            result = measure(data_dir, config, spec, run, device=device)
        except UserError as error:  # such as memory that does not suffice after all, or torchao that is not there
            print(f"  {error}", flush=True)
            continue
        context = memory.CONTEXT_BYTES if plan.devices[0].type == "cuda" else 0  # torch counts its own tensors only
        results.append(result | {"planned_bytes": plan.memory_bytes - context})
    return results


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="bench.py", description="Measure training on this machine.")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--model", choices=tuple(bench_jobs.SHAPES), help="with --device cuda: the real shape to train")
    parser.add_argument("--part", choices=PARTS, help="one of them, on a GPU training or decoding; none: all")
    parser.add_argument("--compile", action="store_true", help="with --device cuda: train with torch_compile")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared" / "data", help="GPTeacher and tokenizer")
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "bench", help="where the figures are kept")
    options = parser.parse_args(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: not measured, torch finds no GPU here.")
    transformers.logging.disable_progress_bar()
    options.out.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Any] = {"machine": bench_table.machine(options.device), "versions": bench_table.versions()}
    tokenizer = bench_jobs.load_tokenizer(options.shared)
    with tempfile.TemporaryDirectory(dir=options.out) as folder:
        data_dir = Path(folder)
        if options.device == "cuda":
            pairs, shape = bench_jobs.load_pairs(options.shared, 4535), options.model or "1.1B"
            if options.part in (None, "training"):
                compiled = dict(torch_compile=options.compile)
                results = measure_model(data_dir, shape, pairs, tokenizer, "cuda", **compiled)
                figures |= {"shape": shape, "model": results}
            if options.part in (None, "decoding"):
                folder = data_dir / "models" / shape
                if not folder.exists():
                    bench_jobs.build_model(folder, shape, tokenizer, "cuda")
                figures["decoding"] = bench_decoding.compare(str(folder))
        elif options.part in (None, "training"):
            figures |= compare(data_dir, options.shared)
            figures["ranks"] = compare_ranks(data_dir, figures.pop("config"))
            figures |= compare_losses(data_dir, bench_jobs.load_pairs(options.shared, 800), tokenizer)
            config = figures.pop("config")
            figures["launch_seconds"] = [time_launch(data_dir, config) for _ in range(3)]
        if options.device == "cpu" and options.part in (None, "data"):
            figures["data"] = bench_data.compare(options.shared, data_dir)
        if options.device == "cpu" and options.part in (None, "answers"):
            figures["answers"] = bench_answers.compare(ROOT / "data")
        if options.device == "cpu" and options.part in (None, "panels"):
            figures["panels"] = bench_panels.compare(data_dir / "panels")
        if options.device == "cpu" and options.part in (None, "playground"):
            figures["playground"] = bench_playground.compare()
        if options.device == "cpu" and options.part in (None, "attribution"):
            figures["attribution"] = bench_attribution.compare(options.shared, data_dir)
        if options.device == "cpu" and options.part in (None, "decoding"):
            figures["decoding"] = bench_decoding.NOT_MEASURED
    text = bench_table.markdown(figures)
    print(f"\n{text}")
    stem = options.out / f"{options.device}-{time.strftime('%Y%m%d-%H%M%S')}"
    stem.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    stem.with_suffix(".md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
