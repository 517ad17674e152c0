"""The parts of `make bench DEVICE=cuda`, for one GPU; `make bench PART=gpu` runs them on a CPU in miniature.

Models have the real shapes and random weights, pairs are GPTeacher's. Every contender reads its model from the disk, or
from the system's cache of it. Not covered: several GPUs, adapters, checkpoints.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import decoding as one_answer
from benchmarks import jobs, table
from benchmarks.jobs import Bench
from benchmarks.table import Result, measured
from utils.config import RunConfig
from utils.errors import UserError
from utils.planning import memory, planner

RECIPE_TOKENS = 3 * 714_480  # 4,535 pairs, three epochs
WARM_UP_UPDATES = 4
# Updates, and pairs in each.
SIZES = {
    "cuda": {"arithmetic": (20, 16), "contenders": (12, 128), "training": (44, 128)},
    "cpu": {"arithmetic": (6, 8), "contenders": (3, 8), "training": (6, 8)},
}
# In one forward pass: pairs for `Trainer`, blocks of 1024 tokens for TRL.
AT_ONCE = {
    "cuda": {"transformers": (16, 32), "trl": (4, 8)},
    "cpu": {"transformers": (4,), "trl": (1,)},
}
STATES = [{"dtype": "bfloat16_weights", "settings": {"optim": f"adamw_{kind}"}} for kind in ("bfloat16", "torch_8bit")]
# What is tried in turn until a plan fits: first what costs no time.
CHECKPOINTING, BLOCK_TOKENS = ("none", "selective", "full"), (24576, 8192)
FREE_SHARE = 0.95  # of the free memory that a plan may take: it is not exact
Part = tuple[dict[str, Any], str]  # figures, and how they are printed


def parts(bench: Bench, shape: str, shared: Path, settings: dict[str, Any]) -> dict[str, Callable[[], Part]]:
    def job(name: str) -> tuple:
        num_updates, batch_size = SIZES[bench.device][name]
        pairs = jobs.load_pairs(shared, num_updates * batch_size)
        return bench, pairs, jobs.load_tokenizer(shared), num_updates, batch_size

    return {
        "arithmetic": lambda: arithmetic(*job("arithmetic")),
        "contenders": lambda: contenders(*job("contenders"), shape),
        "training": lambda: training(*job("training"), shape, settings),
        "decoding": lambda: decoding(bench, jobs.load_tokenizer(shared), shape),
    }


def arithmetic(bench: Bench, pairs: list[dict[str, str]], tokenizer, num_updates: int, batch_size: int) -> Part:
    """The losses of a small model beside those of a plain float32 loop on the same device, update by update."""
    config = jobs.build_job(
        bench.data_dir, "tiny", pairs, tokenizer, device=bench.device, tokens_per_device=2048,
        train_batch_size=batch_size, learning_rate=1e-3,
    )  # fmt: skip
    specs = [{"dtype": "float32"}, {"dtype": "bfloat16"}, {"dtype": "bfloat16_weights"}, *STATES]
    specs += [{"dtype": "float32", "settings": {"activation_checkpointing": mode}} for mode in CHECKPOINTING[1:]]
    compiled = [{"dtype": dtype, "settings": {"torch_compile": True}} for dtype in ("float32", "bfloat16_weights")]
    specs += compiled if bench.device == "cuda" else []
    print(f"arithmetic: {num_updates} updates of {batch_size} pairs", flush=True)
    plain = bench.measure(config, {"trainer": "plain", "dtype": "float32"})
    results = [bench.measure(config, spec) for spec in bench.chosen([{"trainer": "ours"} | spec for spec in specs])]
    rows = []
    for result in results:
        limit = 1e-4 if result["spec"]["dtype"] == "float32" else 0.02
        figure = table.row(result["name"], f"<= {limit}", table.difference(result, plain), -limit, "{:.1e}")
        rows.append(figure if measured([result]) else [*figure[:2], table.reason_of(result), ""])
    if bench.device != "cuda":
        rows.append(["compiled blocks, and the kernels of a GPU", "", "not measured", ""])
    course = "{:.2f} to {:.2f}".format(*plain["losses"][:: num_updates - 1]) if measured([plain]) else "not measured"
    title = f"largest relative difference of {num_updates} losses from a plain float32 loop's, {course}"
    return {"plain": plain, "results": results}, table.bars(title, rows)


def contenders(
    bench: Bench, pairs: list[dict[str, str]], tokenizer, num_updates: int, batch_size: int, shape: str
) -> Part:
    """Ours, `Trainer` with padding and TRL with packing: the same model, dtype, batch and number of pairs."""
    job = dict(device=bench.device, train_batch_size=batch_size, tokens_per_device=BLOCK_TOKENS[0])
    config = jobs.build_job(bench.data_dir, shape, pairs, tokenizer, **job)
    others = {"transformers": "padded", "trl": "packed"}
    specs = []
    for dtype in ("bfloat16_weights", "bfloat16"):
        specs.append({"trainer": "ours", "dtype": dtype})
        specs += [{"trainer": "ours", "dtype": dtype, "settings": {"torch_compile": True}}] * (bench.device == "cuda")
        specs += [
            {"trainer": trainer, "layout": layout, "dtype": dtype, "num_pairs": number}
            for trainer, layout in others.items()
            for number in AT_ONCE[bench.device][trainer]
        ]
    print(f"contenders: {shape}, {num_updates} updates of {batch_size} pairs", flush=True)
    results = [bench.measure(config, spec) for spec in bench.chosen(specs)]
    rows = []
    for dtype in ("bfloat16_weights", "bfloat16"):
        ours, speed = table.fastest(results, trainer="ours", dtype=dtype)
        for trainer, least in (("transformers", 4), ("trl", 1.3)):
            name, other = table.fastest(results, trainer=trainer, dtype=dtype)
            of_gpu = speed / other if shape == "1.1B" else math.nan
            rows.append(table.row(f"1.1B, {dtype}: ours against {trainer} {others[trainer]}", f">= {least}x",
                                        of_gpu, least, "{:.2f}x"))  # fmt: skip
    title = f"{shape}, {num_updates} updates of {batch_size} pairs, of which the first is not counted."
    return {"results": results}, f"{table.contenders(title, results)}\n\n{table.bars('contenders', rows)}"


def training(
    bench: Bench, pairs: list[dict[str, str]], tokenizer, num_updates: int, batch_size: int, shape: str,
    settings: dict[str, Any],
) -> Part:  # fmt: skip
    """Updates of the recipe with weights in bfloat16, with states of every size, and with weights in float32.

    What does not fit by its plan is told and left out. Each loads the model; the tuned one is saved, and removed.
    """
    num_epochs = num_updates / -(-len(pairs) // batch_size)
    job = dict(device=bench.device, train_batch_size=batch_size, num_train_epochs=num_epochs, tokens_per_device=1024)
    specs = [*STATES, {"dtype": "bfloat16_weights"}, {"dtype": "bfloat16"}]
    print(f"training: {shape}, {num_updates} updates of {batch_size} pairs", flush=True)
    results = []
    for spec in bench.chosen([{"trainer": "ours", "save": True} | spec for spec in specs]):
        try:
            config = jobs.build_job(bench.data_dir, shape, pairs, tokenizer, **job)
            changed = dict(dtype=spec["dtype"]) | spec.get("settings", {})
            plan = _fitting(config.with_changes(**changed), bench.data_dir, settings)
        except UserError as error:
            results.append(bench.failed({"name": table.name_of(spec), "spec": spec}, error))
            continue
        chosen = {name: getattr(plan.config, name) for name in ("activation_checkpointing", "tokens_per_device")}
        spec |= {"settings": spec.get("settings", {}) | chosen | settings}
        if plan.memory_bytes > plan.free_bytes_per_process:  # its disk does not matter: no checkpoint is written
            needed, free = (size / 2**30 for size in (plan.memory_bytes, plan.free_bytes_per_process))
            reason = f"needs {needed:,.1f} GiB of {free:,.1f} GiB"
            results.append({"name": table.name_of(spec), "spec": spec, "left_out": reason})
            continue
        # torch counts its own tensors only
        planned_bytes = plan.memory_bytes - memory.CONTEXT_BYTES * (bench.device == "cuda")
        results.append(bench.measure(config, spec) | {"planned_bytes": planned_bytes})
    return {"shape": shape, "results": results}, f"{_table(shape, results)}\n\n{_bars(shape, results)}"


def _fitting(config: RunConfig, data_dir: Path, settings: dict[str, Any]) -> planner.Plan:
    """The first of the plans that leaves some memory free; where none does, the smallest."""
    for mode in CHECKPOINTING:
        if mode == "selective" and settings.get("torch_compile"):
            continue  # compiled blocks choose for themselves
        for tokens in BLOCK_TOKENS:
            changes = {"activation_checkpointing": mode, "tokens_per_device": tokens} | settings
            plan = planner.plan(config.with_changes(**changes), data_dir)
            if plan.memory_bytes <= FREE_SHARE * plan.free_bytes_per_process:
                return plan
    return plan


def _table(shape: str, results: list[Result]) -> str:
    header = [f"{shape}, trained with", "steady updates", "tokens/s", "matrix rate, TFLOP/s", "share of it",
              "peak memory, GiB", "planned, GiB", "difference", "loading, s", "saving, s",
              "the whole recipe, s, extrapolated"]  # fmt: skip
    rows = []
    for result in results:
        if not measured([result]):
            rows.append(table.without_figures(result, len(header)))
            continue
        found = _figures(result)
        rows.append([
            result["name"], str(len(table.rates(result, WARM_UP_UPDATES))), f"{found['tokens/s']:,.0f}",
            f"{result['flop_per_second'] / 1e12:,.2f}", f"{found['share']:.0%}", f"{found['peak']:,.1f}",
            f"{found['planned']:,.1f}", f"{found['off plan']:+.0%}", f"{result['load_seconds']:,.1f}",
            f"{result['save_seconds']:,.1f}", f"{found['recipe']:,.0f}",
        ])  # fmt: skip
    return table.table(header, rows)


def _bars(shape: str, results: list[Result]) -> str:
    """Of the fastest one; what belongs to another shape is not measured here."""
    every, row = [_figures(result) for result in measured(results)], table.row
    best = max(every, key=lambda figures: figures["tokens/s"], default=None)

    def found(of: str, figure: str) -> float:
        return best[figure] if best and shape == of else math.nan

    off_plan = max((abs(figures["off plan"]) for figures in every if shape != "tiny"), default=math.nan)
    return table.bars("training", [
        row("15.5B: the whole recipe, extrapolated", "<= 720 s", found("15.5B", "recipe"), -720, "{:,.0f} s"),
        row("15.5B: peak memory", "<= 135 GiB", found("15.5B", "peak"), -135, "{:.1f} GiB"),
        row("15.5B: share of the matrix rate", ">= 45 %", 100 * found("15.5B", "share"), 45, "{:.0f} %"),
        row("1.1B: share of the matrix rate", ">= 45 %", 100 * found("1.1B", "share"), 45, "{:.0f} %"),
        row("peak memory off the planned, at most", "<= 10 %", 100 * off_plan, -10, "{:.0f} %"),
    ])  # fmt: skip


def _figures(result: Result) -> dict[str, float]:
    """Over all steady updates together, as a whole run would take them."""
    steady = result["times"][-1] - result["times"][WARM_UP_UPDATES - 1]
    speed = sum(result["num_tokens"][WARM_UP_UPDATES:]) / steady
    peak, planned = (result[f"{name}_bytes"] / 2**30 for name in ("memory", "planned"))
    return {
        "tokens/s": speed, "recipe": RECIPE_TOKENS / speed, "share": table.share([result], WARM_UP_UPDATES),
        "peak": peak, "planned": planned, "off plan": peak / planned - 1,
    }  # fmt: skip


def decoding(bench: Bench, tokenizer, shape: str, **lengths: int) -> Part:
    """One answer of the model beside the limit of the bandwidth; in this process, so after the other parts."""
    folder = bench.data_dir / "models" / shape
    jobs.build_model(folder, shape, tokenizer, bench.device)
    rows = one_answer.compare(str(folder), is_barred=shape == "15.5B", **lengths)
    return {"rows": rows}, table.bars(f"decoding, {shape}", rows)
