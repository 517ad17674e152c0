"""The layout of the workbook, checked: who imports whom, how long a module is, what git and pip are given."""

import ast
import graphlib
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from functools import cache
from importlib import metadata

import pytest
from packaging.requirements import Requirement

from utils.artifacts import ROOT

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in sorted((ROOT / "utils").rglob("*.py"))
    if path.stem != "__init__"
}
EVERY = "sandbox data runs tokens model planning training pretraining evaluation playground release sweeps"
# What the modules of a package may import, besides each other and the core: packages, or single modules of them. The
# core are the modules in no package, without `workbook`.
MAY_IMPORT = {
    "core": "",
    "workbook": EVERY,
    "sandbox": "",
    "data": "sandbox",
    "runs": "",
    "tokens": "data",
    "model": "tokens.prompts",
    "planning": "runs tokens model",
    "training": "data runs tokens model evaluation",
    "pretraining": "data runs tokens model",
    "evaluation": "sandbox data runs tokens model",
    "playground": "sandbox data runs tokens model evaluation training.checkpoint pretraining.code_files",
    "release": "data runs tokens model evaluation",
    "sweeps": "data runs tokens model planning training.loss",
    "widgets": f"workbook {EVERY}",
}
WIDGETS = {"ipywidgets", "anywidget", "traitlets"}
MAX_FOLDER_MODULES = 16


def package_of(module: str) -> str:
    _, first, *rest = module.split(".")
    return first if rest or first == "workbook" else "core"


def imports_of(module: str) -> set[str]:
    names = imported(MODULES[module].read_text())
    return {name if name in MODULES else name.rpartition(".")[0] for name in names if name.startswith("utils.")}


MAX_MODULE_LINES = 300
MAX_FILE_BYTES = 16_000_000
# Imported only where a setting asks for them; the README says how to install them.
OPTIONAL = {"cyllama", "peft", "torchao"}
# Packages whose import name is not their name on the package index.
DISTRIBUTIONS = {"PIL": "pillow", "IPython": "ipython"}


@cache
def imported(source: str) -> set[str]:
    """The full names of everything a source imports, wherever it does: `from utils import files` is `utils.files`."""
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


def test_a_module_imports_only_what_it_may():
    found = {}
    for module in MODULES:
        allowed = {own := package_of(module), "core", *MAY_IMPORT[own].split()}
        found[module] = [o for o in imports_of(module) if not {package_of(o), o.partition(".")[2]} & allowed]
    assert {module: others for module, others in found.items() if others} == {}


def test_no_modules_import_each_other_in_a_circle():
    graphlib.TopologicalSorter({module: imports_of(module) for module in MODULES}).prepare()


def test_widgets_alone_import_what_they_are_made_of():
    others = {module: imported(MODULES[module].read_text()) for module in MODULES if package_of(module) != "widgets"}
    assert [module for module, names in others.items() if {name.split(".")[0] for name in names} & WIDGETS] == []


def test_a_folder_holds_no_more_than_one_can_look_through():
    sizes = Counter(path.parent for path in MODULES.values())
    assert {folder.name: number for folder, number in sizes.items() if number > MAX_FOLDER_MODULES} == {}


def test_a_package_holds_a_docstring_alone():
    bodies = {path: ast.parse(path.read_text()).body for path in (ROOT / "utils").rglob("__init__.py")}
    assert [path for path, body in bodies.items() if [type(node) for node in body] != [ast.Expr]] == []


def test_a_module_can_be_read_in_one_sitting():
    lengths = {module: len(path.read_text().splitlines()) for module, path in MODULES.items()}
    assert {module: length for module, length in lengths.items() if length > MAX_MODULE_LINES} == {}


READMES = [
    ROOT / "README.md",
    *(path for folder in ("utils", "tests", "data", ".github") for path in ROOT.glob(f"{folder}/**/*.md")),
]
PROSE = [*(ROOT / "utils").rglob("*.py"), *(ROOT / "notebooks").glob("*.ipynb"), *READMES]


def test_prose_uses_the_terms_of_the_field():
    lines = (ROOT / "tests" / "support" / "refused_words.txt").read_text().splitlines()
    refused = re.compile("|".join(line for line in lines if not line.startswith("#")), re.IGNORECASE)
    exempt = ("trust_remote_code", "# older runs")
    found = [(path.name, line) for path in PROSE for line in path.read_text().splitlines() if refused.search(line)]
    assert [place for place in found if not any(mark in place[1] for mark in exempt)] == []


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().split()) <= 1500


def test_nothing_is_pickled():
    """torch's collectives of objects unpickle what other processes send."""
    text = "".join(path.read_text() for path in MODULES.values())
    assert not re.findall(r"(?:broadcast|gather|scatter|send|recv)_object\w*|\bpickle\b|torch\.load\b", text)


@pytest.mark.slow
def test_light_modules_load_neither_torch_nor_transformers():
    light = ["utils.workbook", *(module for module in MODULES if package_of(module) in ("runs", "sweeps"))]
    code = f"import sys, utils, {', '.join(light)}; print(*({{'torch', 'transformers'}} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


def test_git_holds_no_large_and_no_fetched_file(repository):
    paths = [ROOT / name for name in git("ls-files", "-z").stdout.split("\0") if name]
    assert [path for path in paths if path.exists() and path.stat().st_size > MAX_FILE_BYTES] == []
    data = [path.relative_to(ROOT / "data").parts[0] for path in paths if path.is_relative_to(ROOT / "data")]
    assert set(data) <= {"README.md", "base"}


IGNORED = ["data/raw/x.json", "data/runs/tiny/model/x", "data/base-start/x", ".venv"]
KEPT = ["data/README.md", "data/base/model.safetensors", "notebooks/01_data.ipynb"]


@pytest.mark.parametrize("name", IGNORED + KEPT)
def test_git_ignores_what_is_made_here_and_keeps_what_belongs_here(repository, name):
    assert git("check-ignore", "--no-index", "-q", name).returncode == (name in KEPT)


def pinned(name: str) -> set[str]:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines), f"{name}: an exact version for each package"
    return {line.split("==")[0].replace("-", "_").lower() for line in lines}


def third_party(source: str) -> set[str]:
    tops = {name.split(".")[0] for name in imported(source)} - sys.stdlib_module_names
    tests = {path.relative_to(ROOT / "tests").parts[0].removesuffix(".py") for path in (ROOT / "tests").rglob("*.py")}
    return {DISTRIBUTIONS.get(top, top).lower() for top in tops - {"utils", *tests}}


@pytest.mark.slow
def test_every_installed_package_is_pinned():
    """What pip installs for the three files of requirements, with all that these need in turn."""
    names = set().union(
        *map(pinned, ("requirements.txt", "tests/requirements.txt", "tests/benchmarks/requirements.txt"))
    )
    waiting, installed = set(names), set()
    while waiting:
        name = waiting.pop()
        with suppress(metadata.PackageNotFoundError):  # of another platform, or not asked for here
            installed.add(metadata.distribution(name).name.replace("-", "_").lower())
            needs = [Requirement(text) for text in metadata.requires(name) or []]
            needed = {
                need.name.replace("-", "_").lower() for need in needs if not need.marker or need.marker.evaluate()
            }
            waiting |= needed - installed
    cuda = {name for name in installed if name.startswith(("nvidia", "triton", "cuda"))}  # pinned by torch
    assert installed - cuda <= pinned("constraints.txt") and names <= pinned("constraints.txt")


def test_every_package_imported_is_pinned():
    notebooks = [json.loads(path.read_text())["cells"] for path in (ROOT / "notebooks").glob("*.ipynb")]
    cells = ["".join(cell["source"]) for cells in notebooks for cell in cells if cell["cell_type"] == "code"]
    modules = [path.read_text() for path in (ROOT / "utils").rglob("*.py")]
    needed = set().union(*map(third_party, cells + modules))
    assert needed - OPTIONAL <= pinned("requirements.txt")
    assert pinned("tests/requirements.txt") >= OPTIONAL
    for_tests = set().union(*(third_party(path.read_text()) for path in (ROOT / "tests").rglob("*.py")))
    assert for_tests <= pinned("requirements.txt") | pinned("tests/requirements.txt")
