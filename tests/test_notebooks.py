"""The notebooks keep the rules of the house, and run in order from raw pairs to answers."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest

from utils import workbook
from utils.artifacts import ROOT
from utils.config import RunConfig

NAMES = ["01_data", "02_alpaca_format", "03_train_fsdp", "04_loss_curves", "05_playground", "06_evaluate", "07_release"]
MAX_CODE_LINES, MAX_DEF_LINES = 15, 5
# The whole way at the smallest scale; what matters is that every stage finds what the one before it made.
SMALL = {"max_train_samples": 24, "max_eval_samples": 4, "train_batch_size": 8, "eval_steps": 3, "save_steps": 2}
FEWER = {
    "05_playground": ("NUM_EVALUATED = 64", "NUM_EVALUATED = 4"),
    "06_evaluate": ("NUM_TASKS = 0", "NUM_TASKS = 2"),
}


@pytest.fixture(params=NAMES)
def notebook(request):
    notebook = nbformat.read(ROOT / "notebooks" / f"{request.param}.ipynb", as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    return notebook


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_every_notebook_is_listed_here():
    assert sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb")) == NAMES


def test_committed_clean(notebook):
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert "widgets" not in notebook.metadata
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in code_cells(notebook):
        assert cell.outputs == [] and cell.execution_count is None, cell.id


def test_begins_with_prose_parameters_and_imports(notebook):
    prose, parameters, imports = notebook.cells[:3]
    assert prose.cell_type == "markdown" and prose.source.startswith("# ")
    assert parameters.cell_type == "code" and "parameters" in parameters.metadata.get("tags", [])
    assert parameters.source.startswith("from os import environ\n")
    assert imports.cell_type == "code" and imports.source.startswith('import sys\n\nsys.path.insert(0, "..")\n')
    # Besides imports only calls that set an option of a library.
    assert all(isinstance(node, ast.Import | ast.ImportFrom | ast.Expr) for node in ast.parse(imports.source).body)


def test_code_is_short_and_reused_code_lives_in_utils(notebook):
    for cell in code_cells(notebook):
        assert len(cell.source.splitlines()) <= MAX_CODE_LINES, f"{cell.id} is longer than {MAX_CODE_LINES} lines"
        # Magics, and with them `%pip` and `!pip`, are no Python and fail here.
        for node in ast.walk(ast.parse(cell.source, filename=cell.id)):
            assert not isinstance(node, ast.ClassDef), f"{cell.id} defines a class"
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno - node.lineno < MAX_DEF_LINES, f"{cell.id}: {node.name} is longer than that"


def test_prose_stands_before_code_and_is_about_as_long(notebook):
    kinds = [cell.cell_type for cell in notebook.cells]
    assert kinds[3] == "markdown"
    assert all(kinds[index : index + 3] != ["code"] * 3 for index in range(len(kinds))), "three code cells in a row"
    num_prose, num_code = (
        sum(len(cell.source) for cell in notebook.cells if cell.cell_type == kind) for kind in ("markdown", "code")
    )
    assert 0.5 < num_prose / num_code < 3


def test_code_that_nobody_came_for_is_folded(notebook):
    folded = {cell.id for cell in code_cells(notebook) if cell.metadata.get("jupyter", {}).get("source_hidden")}
    dumps = {cell.id for cell in code_cells(notebook) if "html.source(" in cell.source}
    assert {"imports"} | dumps <= folded and "getsource" not in str(notebook)


def test_the_words_are_explained_and_linked_where_they_stand():
    glossary = (ROOT / "notebooks" / "glossary.md").read_text()
    words = [word.replace(" ", "-") for word in re.findall(r"^## (.+)$", glossary, re.MULTILINE)]
    text = "".join((ROOT / "notebooks" / f"{name}.ipynb").read_text() for name in NAMES)
    linked = re.findall(r"\(glossary\.md#([^)]+)\)", text)
    assert len(words) == len(set(words)) >= 20 and set(linked) <= set(words)
    assert len(set(linked)) >= 20


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory):
    """Copies of the notebooks beside the package, the last of which ask fewer pairs and tasks."""
    folder = tmp_path_factory.mktemp("workbook")
    (folder / "utils").symlink_to(ROOT / "utils")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".ipynb_*"))
    for name, change in FEWER.items():
        path = folder / "notebooks" / f"{name}.ipynb"
        source = path.read_text()
        assert source.count(change[0]) == 1
        path.write_text(source.replace(*change))
    return folder / "notebooks"


def run_all(notebooks, data_dir, **choices) -> subprocess.CompletedProcess:
    """All notebooks in order, as `make run` does it, with data in a folder of their own."""
    given = {"PRESET": "tiny", "OVERRIDES": json.dumps(SMALL), "DATA": str(data_dir)} | choices
    program = "import pathlib, sys, utils.workbook as workbook; sys.exit(workbook.main(pathlib.Path(sys.argv[1])))"
    command, environment = (
        [sys.executable, "-c", program, str(notebooks)],
        os.environ | dict.fromkeys(workbook.CHOICES, "") | given,
    )
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400)


@pytest.fixture(scope="module")
def runs(notebooks, tmp_path_factory):
    """Results and data folders of two runs of all notebooks, at the same time, since most stages occupy one core.

    `usual` has the preset's pairs and two processes, `own` three pairs in a file with other field names and one.
    """
    folder = tmp_path_factory.mktemp("runs")
    rows = [{"instruction": f"Say {word}.", "output": word} for word in ("yes", "no", "a")]
    rows.append({"instruction": "No answer."})  # left out
    (folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    one = json.dumps(SMALL | {"num_processes": 1})
    own = dict(PAIRS=str(folder / "mine.jsonl"), MAP="response=output", SKIP_BAD="1", OVERRIDES=one)
    choices = {"usual": {}, "own": own}
    with ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda name: run_all(notebooks, folder / name, **choices[name]), choices)
    return {name: (result, folder / name) for name, result in zip(choices, results, strict=True)}


@pytest.mark.slow
def test_all_notebooks_run_in_order(runs):
    result, data_dir = runs["usual"]
    assert result.returncode == 0, result.stdout + result.stderr
    (run_dir,) = (data_dir / "runs").iterdir()
    assert (run_dir / "model" / "config.json").exists()
    assert json.loads((run_dir / "config.json").read_text())["max_train_samples"] == SMALL["max_train_samples"]
    assert sorted({path.stem for path in (run_dir / "notebooks").iterdir()} - {"index"}) == [*NAMES, "glossary"]
    modes = {path: path.stat().st_mode & 0o777 for path in data_dir.rglob("*")}
    assert [path for path, mode in modes.items() if mode != (0o700 if path.is_dir() else 0o600)] == []


@pytest.mark.slow
def test_the_summary_agrees_with_the_books(runs):
    _, data_dir = runs["usual"]
    (run_dir,) = (data_dir / "runs").iterdir()
    summary = (run_dir / "summary.txt").read_text()
    row_counts = json.loads((data_dir / "pairs" / RunConfig.from_preset("tiny").pairs / "report.json").read_text())
    assert row_counts["num_read"] == row_counts["num_kept"] + row_counts["num_rejected"] + row_counts["num_duplicates"]
    assert f"{row_counts['num_read']:,} read = {row_counts['num_kept']:,} kept" in summary
    assert summary.count("  before:") == summary.count("  after:") == 3
    assert re.search(r"^Release: .*/release$", summary, re.MULTILINE)
    card = (run_dir / "release" / "README.md").read_text()
    assert "license: apache-2.0" in card and "| basics (2) | pass@1 |" in card
    (samples,) = run_dir.glob("evaluation/basics-*/samples.jsonl")
    assert len(samples.read_text().splitlines()) == 4, "two tasks, two models"
    assert re.search(r"pass@1 on basics: .* before, .* after\. .* tasks", summary)


@pytest.mark.slow
def test_a_small_file_of_ones_own_goes_the_whole_way(runs):
    result, data_dir = runs["own"]
    assert result.returncode == 0, result.stdout + result.stderr
    assert "4 read = 3 kept" in result.stdout
    (page,) = data_dir.glob("runs/*/notebooks/01_data.html")
    assert "No answer." in page.read_text() and "Warning" not in page.read_text()
    assert "no validation pairs" in result.stdout, "these three all fall on the side of training"
    assert not [*data_dir.glob("runs/*/release")], "nobody has stated the licence of the pairs"


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_sentence_of_a_notebook_is_long(path):
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "markdown"]
    blocks = [
        part for cell in cells for part in re.split(r"\n\n|\n- |^#+ ", re.sub(r"`[^`]*`", "x", "".join(cell["source"])))
    ]
    sentences = [sentence for block in blocks for sentence in re.split(r"(?<=[.!?])\**\s+", block)]
    assert [sentence for sentence in sentences if len(sentence.split()) > 25] == []
