"""`make run`: execute the notebooks without a browser, save them as HTML in the run's folder, and print a summary.

The choices are environment variables (see `utils.choices`), checked before anything starts and passed on to the
notebooks.
"""

import asyncio
import json
import os
import re
import shlex
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from utils import artifacts, files, paths
from utils.artifacts import ROOT
from utils.choices import CHOICES, FLAGS, flag
from utils.config import RunConfig
from utils.data import audit, contamination, pairs, reader, sources
from utils.errors import UserError, masked, unknown
from utils.evaluation import tasks
from utils.pages import linked, to_html
from utils.runs import folders, launch, metrics
from utils.runs.summary import clock, plain, summarize

PROGRESS_SECONDS = 10
# Of a kernel, before its notebook begins; bound to no name.
IMPORTS = "all(map(__import__, ('torch', 'transformers', 'datasets', 'matplotlib.pyplot', 'pandas', 'ipywidgets')))"


@dataclass(frozen=True)
class Plan:
    """The settings, the folders, and the environment of the notebooks."""

    config: RunConfig
    data_dir: Path
    run_dir: Path
    environment: dict[str, str]


def main(notebooks: Path = ROOT / "notebooks") -> int:
    """Run every notebook of a folder in order; returns 0, 1 after a failed cell, 2 for an invalid choice."""
    plan = None
    try:
        plan = make_plan(dict(os.environ))
        return _run(plan, sorted(notebooks.glob("[0-9][0-9]_*.ipynb")))
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted. The same command resumes.", file=sys.stderr)
        if plan and launch.state(plan.run_dir) == "running":  # it outlives the kernel
            launch.stop(plan.run_dir)
            print("Training saves a checkpoint and stops.", file=sys.stderr)
        return 130


def make_plan(environment: dict[str, str]) -> Plan:
    """The plan for these environment variables; relative paths are relative to the current folder.

    Raises `UserError` for an unknown preset, source, field, repair, benchmark or run, and for a missing file.
    """
    given = {name: environment[name] for name in CHOICES if environment.get(name)}
    given = {name: value for name, value in given.items() if name not in FLAGS or flag(name, value)}
    data_dir = artifacts.data_dir(given.get("DATA", ""))
    if "RUN" in given:
        if clash := [name for name in ("PRESET", "PAIRS", "OVERRIDES", "FRESH") if name in given]:
            raise UserError(f"RUN names a run with its own settings: leave out {' and '.join(clash)}.")
        run_dir = folders.find_run(data_dir, RunConfig(), given["RUN"])
        config = RunConfig.load(run_dir / "config.json")
    else:
        config = RunConfig.chosen(given.get("PRESET", "tiny"), given.get("PAIRS", ""), given.get("OVERRIDES", "{}"))
        run_dir = folders.choose_run(data_dir, config, fresh="FRESH" in given)
    if "GPTEACHER_FILE" in given:
        given["GPTEACHER_FILE"] = _absolute(given["GPTEACHER_FILE"])
    fields = reader.Fields.parse(given.get("MAP", ""), given.get("IGNORE", ""))
    pairs.check_fields(sources.find(config.pairs, data_dir, given.get("GPTEACHER_FILE", "")), fields)
    names = sources.names_in(given.get("BENCHMARKS", ""))
    audit.check_repairs(given.get("REPAIRS", "").split(), names)
    contamination.read(sources.benchmarks(shlex.join(names), data_dir))
    if names:  # the notebooks run in another folder
        given["BENCHMARKS"] = shlex.join(name if name == sources.HUMANEVAL else _absolute(name) for name in names)
    if given.get("TASKS", tasks.BASICS) not in tasks.NAMES:
        tasks.load(given["TASKS"], data_dir)
        given["TASKS"] = _absolute(given["TASKS"])
    known = [path.name for path in folders.readable(data_dir)]
    for name in given.get("COMPARE", "").split():
        if name not in known:
            raise unknown("run in COMPARE", name, known)
    preset = asdict(RunConfig.from_preset(config.preset))
    changes = {name: value for name, value in asdict(config).items() if value != preset[name]}
    decided = {"PRESET": config.preset, "PAIRS": config.pairs, "OVERRIDES": json.dumps(changes), "RUN": run_dir.name}
    others = {name: value for name, value in environment.items() if name not in CHOICES}
    return Plan(
        config, data_dir, run_dir, others | given | decided | {"DATA": str(data_dir), "FRESH": "", "START": "1"}
    )


def _absolute(path: str) -> str:
    return str(paths.absolute(path))


def _run(plan: Plan, notebooks: list[Path]) -> int:
    is_finished = (plan.run_dir / "model").exists()
    state = "finished and kept; FRESH=1 starts another one" if is_finished else "unfinished and resumed"
    print(f"Preset {plan.config.preset}, pairs {plan.config.pairs}")
    print(f"Run {os.path.relpath(plan.run_dir)} is {state if plan.run_dir.exists() else 'new'}.")
    start, seconds, pages, kernels = time.monotonic(), {}, {}, []
    try:
        for number, path in enumerate(notebooks, start=1):
            print(f"\n[{number}/{len(notebooks)}] {path.stem}")
            began = time.monotonic()
            failure = asyncio.run(_execute(path, plan, pages, start, kernels, is_last=number == len(notebooks)))
            seconds[path.stem] = time.monotonic() - began
            if plan.run_dir.exists():  # since notebook 03
                files.make_folder(plan.run_dir / "notebooks")
                for name, html in linked(pages, folders.titles([plan.run_dir])[plan.run_dir]).items():
                    files.write_bytes(plan.run_dir / "notebooks" / name, html.encode(errors="replace"))
            if failure:
                print(f"\n{failure}", file=sys.stderr)
                return 1
    finally:
        for kernel in kernels:  # of a notebook that is not executed
            asyncio.run(kernel.shutdown_kernel(now=True))
    summary = summarize(plan.data_dir, plan.run_dir, plan.config, seconds)
    files.write_text(plan.run_dir / "summary.txt", summary)
    print(f"\n{summary}", end="")
    return 0


async def _start_kernel(path: Path, plan: Plan):
    """A kernel for a notebook of this folder, which begins with the slow imports that all of them need."""
    from jupyter_client.manager import AsyncKernelManager

    kernel = AsyncKernelManager(kernel_name="python3")
    # A kernel that is stopped would log a traceback.
    arguments = ["--log-level=CRITICAL", "--HistoryManager.hist_file=:memory:", f"--IPKernelApp.exec_lines={IMPORTS}"]
    await kernel.start_kernel(
        extra_arguments=arguments, cwd=str(path.parent), env=plan.environment, transport_encryption="auto"
    )
    return kernel


async def _execute(
    path: Path, plan: Plan, pages: dict[str, str], start: float, kernels: list, is_last: bool = True
) -> str:
    """Execute one notebook and add its HTML to `pages`; returns the error message, or an empty string.

    Its kernel is the one in `kernels`, where there is one; unless it is the last, the next kernel starts meanwhile.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    notebook = nbformat.read(path, as_version=4)
    stages, current = stage_names(notebook.cells), {}
    num_stages = len(set(stages.values()))

    def show(text: str) -> None:
        print(f"  {clock(time.monotonic() - start)}  {text}")

    def on_cell_start(cell, cell_index: int) -> None:
        if cell_index in stages:
            number, stage = stages[cell_index]
            if stage != current.get("stage"):
                show(f"{number}/{num_stages} {stage}")
            current.update(id=cell.id, stage=stage)

    def on_cell_executed(cell, cell_index: int, execute_reply) -> None:
        printed = "".join(output.get("text", "") for output in cell.get("outputs", []))
        for line in plain(printed).splitlines():
            if "up to date" in line:  # printed by stages that did nothing
                show(f"    {line}")

    def on_notebook_start(notebook) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):  # nbclient's own handlers turn a signal into a dead kernel
            asyncio.get_running_loop().remove_signal_handler(number)
        interrupt_on_sigterm()

    options: dict[str, Any] = dict(timeout=None, on_cell_start=on_cell_start, on_cell_executed=on_cell_executed)
    client = NotebookClient(notebook, on_notebook_start=on_notebook_start, **options)
    ticker = asyncio.create_task(_show_training(plan, show))
    try:
        client.km = kernels.pop() if kernels else await _start_kernel(path, plan)
        kernels += [] if is_last else [await _start_kernel(path, plan)]
        await client.async_execute()
        return ""
    except CellExecutionError as error:
        where = f"{path.name} failed in cell {current['id']!r} ({current['stage']}).\n"
        return where + masked(plain(error.evalue if error.ename == "UserError" else error.traceback))
    except OSError as error:
        return masked(f"{path.name}: no kernel can start ({error}). Set HOME to a folder that you can write.")
    except DeadKernelError:
        return f"{path.name}: the kernel died in cell {current.get('id')!r}; usually memory ran out."
    finally:
        interrupt_on_sigterm()  # nbclient has set the default
        ticker.cancel()
        client.set_widgets_metadata()  # also after an error
        pages[path.stem] = to_html(notebook, path.stem, plan.data_dir)


def interrupt_on_sigterm() -> None:
    """Let SIGTERM raise KeyboardInterrupt, as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


async def _show_training(plan: Plan, show: Callable[[str], None]) -> None:
    """Every few seconds, show the newest update of the run if it is new."""
    shown = metrics.train_lines(metrics.read(plan.run_dir))[-1:]
    while True:
        await asyncio.sleep(PROGRESS_SECONDS)
        newest = metrics.train_lines(metrics.read(plan.run_dir))[-1:]
        if newest and newest != shown:
            last, shown = newest[0], newest
            epochs = f"epoch {last['epoch']:.2f} of {plan.config.num_train_epochs:g}"
            show(f"    update {last['step']}, {epochs}, loss {last['loss']:.3f}")


def stage_names(cells: list) -> dict[int, tuple[int, str]]:
    """For the index of each code cell: the number and text of its heading (else its id)."""
    stages, numbers, heading = {}, {}, ""
    for index, cell in enumerate(cells):
        if cell.cell_type == "markdown":
            headings = re.findall(r"^#+ +(.+?)[ #]*$", cell.source, flags=re.MULTILINE)
            heading = headings[-1].replace("`", "") if headings else heading
        elif cell.cell_type == "code":
            name = heading or cell.id
            stages[index] = (numbers.setdefault(name, len(numbers) + 1), name)
    return stages


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit("`make run` takes its choices from environment variables; `make help` lists them.")
    interrupt_on_sigterm()
    sys.stdout.reconfigure(line_buffering=True, errors="replace")  # ty: ignore[missing-union-attribute]
    sys.exit(main())
