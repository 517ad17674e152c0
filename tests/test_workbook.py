import json
import subprocess
import sys

import psutil
import pytest
from nbformat import v4, write

from support.waiting import wait_until
from utils import artifacts, files, workbook
from utils.config import RunConfig
from utils.runs import summary

NAME = f"tiny-{RunConfig.from_preset('tiny').pairs}"  # of a run of the default
SETUP = f"""\
import json, sys
from os import environ
from pathlib import Path
sys.path[:0] = [{str(artifacts.ROOT)!r}, {str(artifacts.ROOT / "tests")!r}]
from support.metric_lines import eval_line, train_line
from utils import artifacts
from utils.config import RunConfig
from utils.errors import UserError
config = RunConfig.from_preset(environ["PRESET"], **json.loads(environ["OVERRIDES"]))
data, run = Path(environ["DATA"]), Path(environ["DATA"]) / "runs" / environ["RUN"]
"""
PREPARE = """\
row_counts = dict(num_read=10, num_kept=7, num_rejected=2, num_duplicates=1)
tokens = dict(num_tokens_train=1234, num_train=6, num_tokens_validation=56, num_validation=1)
folders = artifacts.pairs_dir(data, config.pairs), artifacts.tokens_dir(data, config)
for folder, facts in zip(folders, (row_counts, tokens), strict=True):
    with artifacts.building(folder, {}, facts):
        pass
print("\\x1b[1mthe pairs were up to date")
"""
TRAIN = """\
(run / "model").mkdir(parents=True, exist_ok=True)
config.save(run / "config.json")
speed = lambda n: dict(tokens_per_second=100.0 * n, total_tokens=700 * n)
train = [train_line(n, loss=9.0 - n, **speed(n)) for n in (1, 2, 3)]
evaluations = [eval_line(n, eval_loss=8.5 - n) for n in (0, 3)]
(run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\\n" for line in train + evaluations))
before = "\\x1b]0;owned\\x07\\x1b[2Jbad \\u202e\\n" * 9
answer = dict(instruction="Add.", input="", base=before, tuned="def add(a, b): ...")
(run / "answers.json").write_text(json.dumps([answer]))
"""
SHOW = """\
from IPython.display import HTML, display
import ipywidgets
display(HTML("<script src='https://example.org/x.js'></script>"))
field = ipywidgets.Text("before", description="Field")
display(field)
field.value = "<after>"
print(environ["RUN"], environ["DATA"], Path.cwd().name, config.learning_rate, repr(environ["FRESH"]))
"""


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A folder for notebooks and one for data, with the choices in the environment; no model is ever loaded."""
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    monkeypatch.setenv("DATA", str(tmp_path / "data"))
    monkeypatch.setattr(workbook, "IMPORTS", "all(map(__import__, ('wave',)))")  # not the slow ones
    return notebooks


def add_notebook(folder, name: str, *cells: str) -> None:
    sources = [v4.new_markdown_cell(f"# About {name}"), *(v4.new_code_cell(source) for source in (SETUP, *cells))]
    write(v4.new_notebook(cells=sources), folder / f"{name}.ipynb")


@pytest.mark.slow
def test_runs_in_order_keeps_pages_and_ends_with_a_summary(world, tmp_path, monkeypatch, capsys):
    add_notebook(world, "01_prepare", PREPARE)
    add_notebook(world, "02_train", TRAIN)
    add_notebook(world, "03_show", SHOW)
    monkeypatch.setenv("OVERRIDES", '{"learning_rate": 0.25}')
    monkeypatch.setenv("FRESH", "1")
    assert workbook.main(world) == 0

    shown = capsys.readouterr().out
    assert shown.index("[1/3] 01_prepare") < shown.index("1/1 About 01_prepare") < shown.index("[3/3] 03_show")
    assert "the pairs were up to date" in shown
    assert "\x1b" not in shown and "\x07" not in shown and "\u202e" not in shown
    run_dir = tmp_path / "data" / "runs" / NAME
    summary = (run_dir / "summary.txt").read_text()
    assert shown.endswith(summary)
    for expected in (
        "10 read = 7 kept + 2 rejected + 1 duplicate\n", "1,234 in 6 pairs for training, 56 in 1 for validation",
        "8.000 in the first update, 6.000 in the last", "8.500 at the start, 5.500 at the end",
        "2,100 tokens, 200 a second (median of 3 updates)",
        "def add(a, b): ...", "02_train 0:0",
    ):  # fmt: skip
        assert expected in summary
    assert summary.count("bad") == 5  # nine lines, shortened to six with the mark

    pages = {path.name: path.read_text() for path in (run_dir / "notebooks").iterdir()}
    assert sorted(pages) == ["01_prepare.html", "02_train.html", "03_show.html", "glossary.html", "index.html"]
    assert f"{NAME} … notebooks 0.25 ''" in pages["03_show.html"]  # the data folder is the user's own
    assert "&lt;after&gt;</span>" in pages["03_show.html"] and 'href="02_train.html"' in pages["03_show.html"]


@pytest.mark.slow
@pytest.mark.parametrize("error, is_short", [("UserError('\\x1b[31mno tea')", True), ("ValueError('no tea')", False)])
def test_a_failing_cell_ends_the_run(world, tmp_path, capsys, error, is_short):
    add_notebook(world, "01_fails", "run.mkdir(parents=True)", f"raise {error}")
    add_notebook(world, "02_never", "Path('ran').touch()")
    assert workbook.main(world) == 1
    message = capsys.readouterr().err
    assert "01_fails.ipynb failed in cell " in message and "(About 01_fails)" in message
    assert "no tea" in message and "\x1b" not in message
    assert ("Traceback" not in message) == is_short
    assert not (world / "ran").exists()
    assert "no tea" in (tmp_path / "data" / "runs" / NAME / "notebooks" / "01_fails.html").read_text()


@pytest.mark.slow
def test_a_kernel_has_imported_without_a_name_and_ends_with_its_notebook(world, capsys):
    check = "import os, sys; assert 'wave' in sys.modules and 'wave' not in globals()"
    add_notebook(world, "01_first", check, "Path('first').write_text(str(os.getpid()))")
    add_notebook(world, "02_fails", check, "Path('second').write_text(str(os.getpid())); 1 / 0")
    add_notebook(world, "03_never", "Path('ran').touch()")
    before = {*psutil.Process().children()}
    assert workbook.main(world) == 1 and "ZeroDivisionError" in capsys.readouterr().err
    first, second = (int((world / name).read_text()) for name in ("first", "second"))
    assert first != second and not (world / "ran").exists()
    assert {*psutil.Process().children()} <= before  # nor the kernel that was ready for the third


@pytest.mark.slow
def test_sigterm_ends_it_as_ctrl_c_does(world, tmp_path):
    add_notebook(world, "01_waits", "import time; Path('began').touch(); time.sleep(60)")
    code = f"import pathlib, sys; from utils import workbook; sys.exit(workbook.main(pathlib.Path({str(world)!r})))"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=artifacts.ROOT, stderr=subprocess.PIPE, text=True)
    wait_until((world / "began").exists)
    process.terminate()
    _, message = process.communicate(timeout=60)
    assert process.returncode == 130 and message == "\nInterrupted. The same command resumes.\n"


@pytest.mark.parametrize(
    "choice, message",
    [
        ({"PRESET": "tinny"}, "Did you mean 'tiny'?"),
        ({"PAIRS": "gpteacher"}, "Did you mean 'gpteacher-codegen'?"),
        ({"PAIRS": "missing.jsonl"}, "no file"),
        ({"OVERRIDES": "{learning_rate: 1}"}, "must be a JSON object"),
        ({"OVERRIDES": '{"lerning_rate": 1e-4}'}, "Did you mean 'learning_rate'?"),
        ({"TASKS": "humanevl"}, "Did you mean 'humaneval'?"),
        ({"TASKS": "missing.jsonl"}, "cannot be read"),
        ({"RUN": "missing"}, "there is no run missing"),
        ({"RUN": "../x"}, "RUN must be the name of a folder"),
        ({"SKIP_BAD": "false"}, """SKIP_BAD must be "1" (yes), or "0" or "" (no), got 'false'"""),
        ({"FRESH": "no"}, "FRESH must be"),
        ({"COMPARE": "missing"}, "unknown run in COMPARE 'missing'. Allowed: none."),
        ({"REPAIRS": "email"}, "Did you mean 'emails'?"),
        ({"REPAIRS": "benchmark_overlap"}, "name its file in BENCHMARKS"),
        ({"BENCHMARKS": "humanevil"}, "Did you mean 'humaneval'?"),
        ({"BENCHMARKS": "missing.jsonl"}, "cannot be read"),
        ({"MAP": "response=output"}, "concern the fields of a file"),
        ({"RUN": "missing", "FRESH": "1"}, "leave out FRESH"),
    ],
)
def test_a_wrong_choice_is_refused_before_anything_starts(world, tmp_path, monkeypatch, capsys, choice, message):
    add_notebook(world, "01_never", "run.mkdir(parents=True)")
    for name, value in choice.items():
        monkeypatch.setenv(name, value)
    assert workbook.main(world) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_which_run_the_notebooks_work_on(tmp_path):
    def run_of(**choices):
        return workbook.make_plan({"DATA": str(tmp_path)} | choices).run_dir.name

    def made(name, **changes):
        (tmp_path / "runs" / name).mkdir(parents=True)
        RunConfig.from_preset("tiny", **changes).save(tmp_path / "runs" / name / "config.json")

    assert run_of() == NAME
    made(NAME, num_processes=2)  # found by the launcher, where the preset says 0
    assert run_of() == run_of(FRESH="0") == NAME
    assert run_of(FRESH="1") == f"{NAME}-2"
    # Other settings are another run, and the first one is found again without them.
    other = '{"learning_rate": 0.25}'
    assert run_of(OVERRIDES=other) == f"{NAME}-2"
    made(f"{NAME}-2", learning_rate=0.25)
    assert run_of(OVERRIDES=other) == f"{NAME}-2"
    assert run_of() == NAME
    # A named run brings its own settings.
    plan = workbook.make_plan({"DATA": str(tmp_path), "RUN": f"{NAME}-2"})
    assert json.loads(plan.environment["OVERRIDES"]) == {"learning_rate": 0.25}


def test_0_is_no_only_for_a_flag(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = workbook.make_plan({"DATA": "0", "SKIP_BAD": "0", "FRESH": "0"})
    assert plan.data_dir == tmp_path / "0" and "SKIP_BAD" not in plan.environment


def test_paths_count_from_the_callers_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.jsonl").write_text("{}\n")
    (tmp_path / "tasks.jsonl").write_text("")
    environment = {
        "TASKS": "tasks.jsonl",
        "DATA": "here",
        "PAIRS": "mine.jsonl",
        "GPTEACHER_FILE": "copy.json",
        "PRESET": "",
        "OTHER": "kept",
    }
    plan = workbook.make_plan(environment)
    assert plan.config.pairs == plan.environment["PAIRS"] == str(tmp_path / "mine.jsonl")
    assert plan.environment["TASKS"] == str(tmp_path / "tasks.jsonl")
    assert plan.environment["DATA"] == str(tmp_path / "here")
    assert plan.environment["GPTEACHER_FILE"] == str(tmp_path / "copy.json")
    assert plan.environment["PRESET"] == "tiny" and plan.environment["OTHER"] == "kept"


def test_the_summary_has_lines_of_bounded_number_and_length(tmp_path):
    shares = {"base": "1\n\x1b[2J" * 10**5, "tuned": "2"}
    files.write_json(tmp_path / "yardstick.json", {f"measure {number}\n": shares for number in range(99)})
    words = dict.fromkeys(("measure", "tasks", "base", "tuned", "comparison"), "word\n" * 10**5)
    files.make_folder(tmp_path / "evaluation" / "x")
    files.write_json(tmp_path / "evaluation" / "x" / "result.json", words)
    lines = summary._answer_lines(tmp_path)
    assert len(lines) == 11 and all(len(line) <= 400 and line.isprintable() for line in lines)


def test_a_stage_is_the_heading_above_a_cell():
    cells = [
        v4.new_code_cell("1", id="first"),
        v4.new_markdown_cell("# One\nprose\n\n## Two `code`\n\nprose with # no heading"),
        v4.new_code_cell("2"),
        v4.new_markdown_cell("no heading"),
        v4.new_code_cell("3"),
    ]
    assert workbook.stage_names(cells) == {0: (1, "first"), 2: (2, "Two code"), 4: (2, "Two code")}
