"""`python -m utils.evaluation judge SAMPLES.jsonl --tasks NAME` runs code of models in the sandbox and judges it."""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from utils import artifacts, files
from utils.data.contamination import read_lines
from utils.errors import UserError, short, visible
from utils.evaluation import tasks
from utils.evaluation.pass_at_k import estimate, pass_at_k
from utils.sandbox.judge import judge_all


def judge_file(path: Path, name: str, data_dir: Path, out: Path) -> None:
    """Write each sample (`task_id`, `completion`) with `passed` and `result`, and print pass@1."""
    known = {task.task_id: task for task in tasks.load(name, data_dir)}
    samples = [value for _, value in read_lines(path)]
    if not samples:
        raise UserError(f"{path} has no samples. Write one on each line, with task_id and completion.")
    programs = []
    for number, sample in enumerate(samples, start=1):
        task = known.get(str(sample.get("task_id")))  # some sets have numbers
        if task is None or not isinstance(sample.get("completion"), str):
            raise UserError(
                f"{path}: sample {number} needs a task_id of {name} and a completion that is text, got "
                f"{short(sample.get('task_id'))} and {short(sample.get('completion'))}."
            )
        programs.append((task, task.prompt + sample["completion"]))
    passed, totals, results = Counter(), Counter(), Counter()
    with files.replacing(out) as file:
        for sample, (task, _), verdict in zip(samples, programs, judge_all(programs), strict=True):
            file.write(json.dumps(sample | {"passed": verdict.passed, "result": verdict.result}).encode() + b"\n")
            totals[task.task_id] += 1
            passed[task.task_id] += verdict.passed
            results[verdict.kind] += 1
    rates = estimate([pass_at_k(totals[task], passed[task], 1) for task in totals])
    print(f"pass@1 of {len(totals):,} tasks, {len(samples):,} samples: {rates}")
    print(", ".join(f"{kind} {number:,}" for kind, number in results.most_common()), f"written to {out}", sep="\n")


def main(arguments: list[str] | None = None) -> int:
    """Returns 0 where the samples were judged, 2 where they cannot be."""
    parser = argparse.ArgumentParser(prog="python -m utils.evaluation", description="Judge code by running it.")
    parser.add_argument("action", choices=("judge",))
    parser.add_argument(
        "samples", type=Path, help="a .jsonl or .jsonl.gz file with task_id and completion on each line"
    )
    parser.add_argument("--tasks", required=True, help="basics, humaneval, mbpp, or a file in HumanEval's form")
    parser.add_argument("--out", type=Path, help="default: SAMPLES with _results before its suffix")
    parser.add_argument("--data", type=Path, default=artifacts.ROOT / "data", help="the folder for downloaded tasks")
    options = parser.parse_args(arguments)
    stem = options.samples.name.removesuffix(".gz").removesuffix(".jsonl")
    out = options.out or options.samples.with_name(f"{stem}_results.jsonl")
    try:
        if out.exists():
            raise UserError(f"{out} exists already: name another file with --out, or move it away.")
        judge_file(options.samples, options.tasks, options.data, out)
        return 0
    except UserError as error:
        print(visible(f"error: {error}"), file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
