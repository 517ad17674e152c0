"""Tasks whose solutions are judged by running them: HumanEval, MBPP, a file in HumanEval's form, or those made here.

A tuned model is asked by an instruction in its run's template, a base by the beginning of the function, which it
continues. Tasks with an instruction of their own are asked by it alone: the beginning says the name and parameters.
"""

import ast
import json
import re
import warnings
from collections import Counter
from pathlib import Path

from utils import files
from utils.config import resolved_pairs
from utils.data import sources
from utils.data.basics import pairs as basics
from utils.data.contamination import read_lines
from utils.errors import UserError, unknown
from utils.sandbox.judge import Task

BASICS, MBPP = "basics", "mbpp"
NAMES = (BASICS, *basics.SETS, sources.HUMANEVAL, MBPP)
NUM_OF_EACH = 20  # tasks of each set in `basics`
MBPP_HUB = "google-research-datasets/mbpp"
FENCE = re.compile(r"```[\w+-]*\n(.*?)(?:```|\Z)", re.DOTALL)
# Where the continuation of a function is over: at the next thing at the left margin.
STOP_STRINGS = ("\nclass ", "\ndef ", "\nassert ", "\n#", "\nif ", "\nprint(", "\n@", "\n```", "\n>>>")


def load(name: str, data_dir: Path) -> list[Task]:
    """The tasks of one of `NAMES`, or of a .jsonl or .jsonl.gz file in HumanEval's form.

    `basics` are a few of each of the `basics-…` sets, in turn. Raises `UserError` for an unknown name, a file
    that cannot be read, and a line that is no task.
    """
    if name == MBPP:
        return _mbpp(data_dir)
    if name in basics.SETS:
        return basics.tasks(name)
    if name == BASICS:
        sets = [basics.tasks(name) for name in basics.SETS]
        few = [tasks[:: len(tasks) // NUM_OF_EACH][:NUM_OF_EACH] for tasks in sets]
        return [task for some in zip(*few, strict=True) for task in some]
    if name == sources.HUMANEVAL:
        (name,) = sources.benchmarks(name, data_dir)
    elif not name.lower().endswith((".jsonl", ".jsonl.gz")):
        hint = " Or the path of a .jsonl or .jsonl.gz file in HumanEval's form."
        raise UserError(str(unknown("set of tasks", name, NAMES)) + hint, field="tasks")
    path = Path(resolved_pairs(name))
    tasks = [_task(f"{path}:{number}", value) for number, value in read_lines(path)]
    if repeated := [name for name, number in Counter(task.task_id for task in tasks).items() if number > 1]:
        raise UserError(f"{path}: the task ids {', '.join(repeated[:5])} occur more than once.")
    return tasks


def _task(place: str, value: dict) -> Task:
    texts = {}
    for name in ("task_id", "prompt", "entry_point", "test", "canonical_solution"):
        texts[name] = value.get(name, "" if name == "canonical_solution" else None)
        if name == "task_id" and isinstance(texts[name], int):
            texts[name] = str(texts[name])
        if not isinstance(texts[name], str):
            raise UserError(
                f"{place}: a task has the text fields task_id, prompt, entry_point and test; {name} is not one."
            )
    if not texts["entry_point"].isidentifier():
        raise UserError(f"{place}: entry_point must be the name of a function, got {texts['entry_point'][:60]!r}.")
    return Task(**texts)


def _mbpp(data_dir: Path) -> list[Task]:
    """The test split of MBPP at the commit of its first download here, which is recorded."""
    record = Path(data_dir) / "raw" / MBPP / "commit.json"
    try:
        from datasets import load_dataset
        from huggingface_hub import HfApi

        commit = json.loads(record.read_text()) if record.exists() else HfApi().dataset_info(MBPP_HUB).sha
        rows = load_dataset(f"hf://datasets/{MBPP_HUB}", "full", revision=commit, split="test", streaming=True)
        tasks = [_mbpp_task(row) for row in rows]
    except Exception as error:  # of the network, the hub or a format
        raise UserError(f"{MBPP_HUB} cannot be read: {type(error).__name__}: {error}") from error
    if not record.exists():
        files.make_folder(record.parent)
        files.write_json(record, commit)
    return tasks


def _mbpp_task(row: dict) -> Task:
    calls = (node for node in ast.walk(ast.parse(row["test_list"][0])) if isinstance(node, ast.Call))
    defined = {node.name for node in ast.parse(row["code"]).body if isinstance(node, ast.FunctionDef)}
    name = next(call.func.id for call in calls if isinstance(call.func, ast.Name) and call.func.id in defined)
    tests = "".join(f"    {test}\n" for test in row["test_list"])
    test = f"{row['test_setup_code']}\ndef check(candidate):\n{tests}"
    examples = "\n".join(row["test_list"])
    prompt = f'"""{row["text"]}\n\n{examples}\n"""\n'
    return Task(f"mbpp/{row['task_id']}", prompt, name, test, row["code"])


def instruction(task: Task) -> str:
    """What a tuned model is asked."""
    return task.instruction or f"Write this Python function.\n\n{task.prompt.strip()}"


def unfenced(answer: str) -> str:
    """The code in the first fence of an answer; the answer where there is none."""
    fenced = FENCE.search(answer)
    return fenced[1] if fenced else answer


def source_of(task: Task, answer: str, before: str | None = None) -> str:
    """The program of an answer: a fence removed, a body behind its signature, with imports that the question shows.

    `before` is the text that a completion continues; it ends where its function is over, also if the model was not
    stopped there. A function may have another name, unless the instruction says it.
    """
    if before is not None:
        ends = [answer.find(stop) for stop in STOP_STRINGS if stop in answer]
        return before + answer[: min(ends, default=None)]
    code = unfenced(answer)
    if task.instruction and (name := _offered(code, task.entry_point)):
        is_named = name == task.entry_point or f"{task.entry_point}(" in task.instruction
        return code if is_named else f"{code}\n\n\n{task.entry_point} = {name}\n"
    if re.search(rf"^(?:async )?def {task.entry_point}\b", code, re.MULTILINE):
        imports = [line for line in task.prompt.splitlines() if line.startswith(("import ", "from "))]
        return "\n".join([*imports, code])
    return task.prompt + code


def _offered(code: str, wanted: str) -> str:
    """The name of a program's function: the wanted one, else the last one that no other uses; "" without functions."""
    body = tree.body if (tree := parsed(code)) else []
    functions = [node for node in body if isinstance(node, ast.FunctionDef)]
    targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    if wanted in {node.name for node in functions} | {node.id for node in targets if isinstance(node, ast.Name)}:
        return wanted
    parts = ((node.name, part) for node in functions for part in ast.walk(node))
    used = {part.id for name, part in parts if isinstance(part, ast.Name) and part.id != name}
    names = [node.name for node in functions]
    return ([name for name in names if name not in used] or names or [""])[-1]


def parsed(text: str) -> ast.Module | None:
    """The syntax tree of a program, None where it is not Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
