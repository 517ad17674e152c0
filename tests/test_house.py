"""The layout of the workbook, checked: who imports whom, how long a module is, what git and pip are given."""

import ast
import json
import re
import shutil
import subprocess
import sys

import pytest

from utils.artifacts import ROOT

MODULES = {path.stem: path for path in (ROOT / "utils").glob("*.py") if path.stem != "__init__"}
# What each module of utils may import of the others, besides `errors`. The panels may import all of them.
MAY_IMPORT = {
    "errors": "",
    "files": "",
    "config": "files",
    "artifacts": "config files",
    "json_rows": "",
    "reader": "json_rows",
    "sources": "config artifacts files reader",
    "pairs": "config artifacts benchmarks sources reader quality",
    "ngrams": "",
    "languages": "",
    "private_data": "",
    "benchmarks": "ngrams reader",
    "findings": "private_data reader",
    "quality": "artifacts benchmarks findings languages ngrams private_data reader",
    "prompts": "",
    "packing": "config artifacts pairs prompts",
    "trust": "config artifacts pairs packing prompts loss model planner",
    "attention": "",
    "adapters": "",
    "recompute": "",
    "model": "config adapters artifacts attention files recompute",
    "workload": "config artifacts packing",
    "memory": "config adapters attention machine recompute workload",
    "pace": "config machine memory metrics workload",
    "planner": "config memory metrics model pace workload",
    "optim": "config machine",
    "rendezvous": "files",
    "ranks": "artifacts files rendezvous",
    "machine": "config",
    "loss": "attention machine packing",
    "checkpoint": "artifacts files",
    "metrics": "files",
    "samples": "generate metrics packing ranks",
    "train": "config adapters artifacts packing model optim loss checkpoint metrics ranks machine samples",
    "launch": "config artifacts files metrics",
    "plots": "",
    "curves": "config launch metrics plots",
    "hints": "config metrics",
    "generate": "prompts model",
    "loaded_models": "adapters checkpoint config model planner",
    "modes": "generate prompts",
    "examples": "modes",
    "history": "files reader",
    "scores": "",
    "code_files": "artifacts ngrams packing pairs sources",
    "attribution": "config artifacts code_files model ngrams pairs reader",
    "corpus": "config artifacts files code_files curves model packing prompts",
    "yardstick": "generate modes prompts",
    # `sources` refuses unknown pairs before anything starts; `launch` stops training at Ctrl-C.
    "workbook": "config artifacts files metrics reader sources launch",
}
MAX_MODULE_LINES = 300
MAX_FILE_BYTES = 16_000_000
# Imported only where a setting asks for them; the README says how to install them.
OPTIONAL = {"peft", "torchao"}
# Packages whose import name is not their name on the package index.
DISTRIBUTIONS = {"PIL": "pillow", "IPython": "ipython"}


def imported(source: str) -> set[str]:
    """The full names of everything a source imports, wherever it does: `from utils import pairs` is `utils.pairs`."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports hide where a name comes from"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def git(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)


@pytest.fixture
def repository(needs):
    needs(bool(shutil.which("git")) and git("rev-parse").returncode == 0, "not a git checkout")


def test_every_module_has_its_place():
    assert not set(MODULES) - set(MAY_IMPORT)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_it_may(module):
    names = {name.split(".")[1] for name in imported(MODULES[module].read_text()) if name.startswith("utils.")}
    assert names <= {"errors", *MAY_IMPORT[module].split()}


@pytest.mark.parametrize("path", sorted((ROOT / "utils").rglob("*.py")), ids=lambda path: path.stem)
def test_a_module_can_be_read_in_one_sitting(path):
    assert len(path.read_text().splitlines()) <= MAX_MODULE_LINES


def test_nothing_is_pickled():
    """torch's collectives of objects unpickle what other processes send."""
    text = "".join(path.read_text() for path in MODULES.values())
    assert not re.findall(r"(?:broadcast|gather|scatter|send|recv)_object\w*|\bpickle\b|torch\.load\b", text)


def test_light_modules_load_neither_torch_nor_transformers():
    light = [f"utils.{name}" for name in ("launch", "workbook") if name in MODULES]
    code = f"import sys, utils, {', '.join(light)}; print(*({{'torch', 'transformers'}} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


def test_git_holds_no_large_and_no_fetched_file(repository):
    paths = [ROOT / name for name in git("ls-files", "-z").stdout.split("\0") if name]
    assert [path for path in paths if path.exists() and path.stat().st_size > MAX_FILE_BYTES] == []
    data = [path.relative_to(ROOT / "data").parts[0] for path in paths if path.is_relative_to(ROOT / "data")]
    assert set(data) <= {"README.md", "base"}


@pytest.mark.parametrize("name", ["data/raw/x.json", "data/runs/tiny/model/x", "data/base-start/x", ".venv/x"])
def test_git_ignores_what_is_made_here(repository, name):
    assert git("check-ignore", "--no-index", "-q", name).returncode == 0


@pytest.mark.parametrize("name", ["data/README.md", "data/base/model.safetensors", "notebooks/01_data.ipynb"])
def test_git_keeps_what_belongs_here(repository, name):
    assert git("check-ignore", "--no-index", "-q", name).returncode == 1


def test_ruff_finds_nothing():
    folders = ["utils", "tests", "notebooks"]
    result = subprocess.run([sys.executable, "-m", "ruff", "check", *folders], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def pinned(name: str) -> set[str]:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines), f"{name}: an exact version for each package"
    return {line.split("==")[0].replace("-", "_").lower() for line in lines}


def third_party(source: str) -> set[str]:
    tops = {name.split(".")[0] for name in imported(source)} - sys.stdlib_module_names
    ours = {"utils", *(path.stem for path in (ROOT / "tests").glob("*.py"))}
    return {DISTRIBUTIONS.get(top, top).lower() for top in tops - ours}


def test_every_package_imported_is_pinned():
    notebooks = [json.loads(path.read_text())["cells"] for path in (ROOT / "notebooks").glob("*.ipynb")]
    cells = ["".join(cell["source"]) for cells in notebooks for cell in cells if cell["cell_type"] == "code"]
    modules = [path.read_text() for path in (ROOT / "utils").rglob("*.py")]
    needed = set().union(*map(third_party, cells + modules))
    assert needed - OPTIONAL <= pinned("requirements.txt")
    assert pinned("tests/requirements.txt") >= OPTIONAL
    for_tests = set().union(*(third_party(path.read_text()) for path in (ROOT / "tests").rglob("*.py")))
    assert for_tests <= pinned("requirements.txt") | pinned("tests/requirements.txt")
