"""Runs code of models in the sandbox and judges it: samples of a file, or the answers that a training run writes.

`python -m utils.evaluation judge SAMPLES.jsonl --tasks NAME`, or `judge-run RUN_DIR`, which the training starts.
"""

import argparse
import fcntl
import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from utils import artifacts, files
from utils.config import RunConfig
from utils.data.contamination import read_lines
from utils.errors import UserError, run_command, short, visible
from utils.evaluation import tasks
from utils.evaluation.pass_at_k import estimate, pass_at_k
from utils.runs import metrics
from utils.sandbox.judge import LIMITS, judge_all

RUN_LIMITS = replace(LIMITS, seconds=60.0)  # longer, because the training has the cores first


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


def judge_run(run_dir: Path) -> None:
    """Judge the answers of a run's evaluations in their order, until all have a result; one process at a time."""
    name = RunConfig.load(run_dir / "config.json").eval_tasks
    known = {task.task_id: task for task in tasks.load(name, run_dir.parents[1])}
    with open(run_dir / metrics.TASK_ANSWERS / "judge.lock", "a", opener=files.opener) as lock:
        files.lock(lock, fcntl.LOCK_EX)
        while waiting := [
            path for path in metrics.task_answers(run_dir).values() if not path.with_suffix(".json").exists()
        ]:
            path, answers = waiting[0], [value for _, value in read_lines(waiting[0])]
            if missing := [answer["task_id"] for answer in answers if answer["task_id"] not in known]:
                raise UserError(f"{name} changed since the run began: it has no task {missing[0]}.")
            programs = [(known[answer["task_id"]], answer["source"]) for answer in answers]
            verdicts = dict(zip((task.task_id for task, _ in programs), judge_all(programs, RUN_LIMITS), strict=True))
            # A resumed run may have written the file again.
            if path.exists() and [value for _, value in read_lines(path)] == answers:
                passed = sum(verdict.passed for verdict in verdicts.values())
                results = {task_id: verdict.result for task_id, verdict in verdicts.items()}
                result = {"num_passed": passed, "num_tasks": len(verdicts), "results": results}
                files.write_json(path.with_suffix(".json"), result)


def main(arguments: list[str] | None = None) -> int:
    """Returns 0 where the samples were judged, 2 where they cannot be."""
    parser = argparse.ArgumentParser(prog="python -m utils.evaluation", description="Judge code by running it.")
    actions = parser.add_subparsers(dest="action", required=True)
    run = actions.add_parser("judge-run", help="judge the answers of a run's evaluations to its eval_tasks")
    run.add_argument("run_dir", type=Path, help="the run's folder")
    judge = actions.add_parser("judge", help="judge the samples of a file")
    judge.add_argument("samples", type=Path, help="a .jsonl or .jsonl.gz file with task_id and completion on each line")
    judge.add_argument("--tasks", required=True, help=f"{', '.join(tasks.NAMES)}, or a file in HumanEval's form")
    judge.add_argument("--out", type=Path, help="default: SAMPLES with _results before its suffix")
    judge.add_argument("--data", type=Path, default=artifacts.ROOT / "data", help="the folder for downloaded tasks")
    options = parser.parse_args(arguments)
    try:
        if options.action == "judge-run":
            judge_run(options.run_dir.absolute())
            return 0
        stem = options.samples.name.removesuffix(".gz").removesuffix(".jsonl")
        out = options.out or options.samples.with_name(f"{stem}_results.jsonl")
        if out.exists():
            raise UserError(f"{out} exists already: name another file with --out, or move it away.")
        judge_file(options.samples, options.tasks, options.data, out)
        return 0
    except UserError as error:
        print(visible(f"error: {error}"), file=sys.stderr)
        return 2


if __name__ == "__main__":
    run_command(main)
