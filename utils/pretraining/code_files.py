"""Installed Python code: the standard library and packages with a permissive licence.

Left out: tests, generated and vendored files, tables, near-duplicates, and what shares text with a held-out module.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from utils import artifacts
from utils.data import near_duplicates, ngram_index, pairs, stdlib_pairs
from utils.data.pairs import TRAIN, VALIDATION

# Large hand-written packages that the workbook installs; read only if their metadata names a permissive licence.
PACKAGES = (
    "accelerate", "anyio", "attrs", "beautifulsoup4", "click", "datasets", "filelock", "fonttools", "fsspec", "httpx",
    "huggingface_hub", "ipykernel", "ipython", "ipywidgets", "jedi", "Jinja2", "jsonschema", "jupyter_client",
    "jupyter_server", "jupyterlab", "Markdown", "matplotlib", "mistune", "mpmath", "nbclient", "nbconvert",
    "nbformat", "networkx", "numpy", "packaging", "pandas", "parso", "pexpect", "pillow", "prompt_toolkit", "psutil",
    "Pygments", "pyparsing", "PyYAML", "requests", "rich", "scipy", "setuptools", "sympy", "torch", "tornado", "tqdm",
    "traitlets", "transformers", "typer", "urllib3", "wcwidth", "Werkzeug",
)  # fmt: skip
PERMISSIVE = re.compile(r"\b(MIT|BSD|Apache|PSF|Python Software Foundation|ISC|0BSD|HPND|Zlib)\b", re.IGNORECASE)
COPYLEFT = re.compile(r"GPL|MPL|Mozilla|CeCILL|EUPL|proprietary", re.IGNORECASE)
SKIPPED_FOLDERS = {
    *("tests", "test", "testing", "_vendor", "vendor", "vendored", "_vendored_packages", "third_party", "externals"),
    *("_external", "extern", "_distutils", "locale", "locale-data", "unicode", "node_modules"),
}
SKIPPED_FILE = re.compile(r"test_.*|.*_tests?|conftest|.*_pb2(_grpc)?|.*parsetab|.*lextab")
GENERATED = re.compile(
    r"generated (by|from|file|automatically)|auto-?generated|automatically generated|do not edit", re.I
)
MIN_CHARACTERS, MAX_CHARACTERS, MAX_LINE_CHARACTERS = 200, 150_000, 500
MAX_DIGIT_SHARE = 0.15
# Consecutive words shared with a held-out module: more than a signature or a licence text.
HELD_OUT_WORDS = 60
# So that no package dominates the corpus.
MAX_PACKAGE_CHARACTERS = 8_000_000


@dataclass(frozen=True)
class Document:
    """One file of code, its origin and its side of the split."""

    name: str
    origin: str  # package and version
    license: str
    text: str
    split: str


def documents() -> list[Document]:
    """The files of the standard library and of the packages; modules held out from the embedded pairs are held out."""
    return standard_library() + [document for package in PACKAGES for document in _package_documents(package)]


def standard_library() -> list[Document]:
    """The modules of the standard library, each on the same side of the split as its functions' pairs."""
    version = ".".join(map(str, sys.version_info[:3]))
    return [
        Document(name, f"Python {version}", "PSF-2.0", text, pairs.split_of(name))
        for name, path in stdlib_pairs.modules()
        if (text := _text(path))
    ]


def distinct(documents: list[Document]) -> list[Document]:
    """The held-out documents, and the others without near-duplicates and text shared with a held-out one."""
    held_out = [document for document in documents if document.split == VALIDATION]
    index = ngram_index.NgramIndex((document.text for document in held_out), HELD_OUT_WORDS)
    train = [document for document in documents if document.split == TRAIN and not index.spans(document.text)]
    repeated = near_duplicates.similar([document.text for document in train])
    return held_out + capped([document for number, document in enumerate(train) if number not in repeated])


def capped(documents: list[Document]) -> list[Document]:
    """The documents, of each package at most `MAX_PACKAGE_CHARACTERS`, chosen by a hash of their names."""
    taken: dict[str, int] = {}
    chosen = []
    for document in sorted(documents, key=lambda document: artifacts.sha256_text(document.name)):
        taken[document.origin] = taken.get(document.origin, 0) + len(document.text)
        if taken[document.origin] <= MAX_PACKAGE_CHARACTERS:
            chosen.append(document)
    return chosen


def _package_documents(package: str) -> Iterator[Document]:
    """The files of a package; nothing when it is not installed or its licence is not permissive."""
    try:
        distribution = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return
    license = license_of(distribution)
    if not PERMISSIVE.search(license) or COPYLEFT.search(license):
        return
    for file in sorted(distribution.files or [], key=str):
        is_skipped = SKIPPED_FOLDERS & set(file.parts) or SKIPPED_FILE.fullmatch(file.stem)
        if file.suffix == ".py" and not is_skipped and (text := _text(Path(file.locate()))):
            yield Document(str(file), f"{distribution.name} {distribution.version}", license, text, TRAIN)


def license_of(distribution: metadata.Distribution) -> str:
    stated = distribution.metadata
    classifiers = [text.split("::")[-1].strip() for text in stated.get_all("Classifier") or [] if "License ::" in text]
    expression, license = (" ".join(stated.get_all(name) or []) for name in ("License-Expression", "License"))
    return expression or "; ".join(classifiers) or license[:60]


def _text(path: Path) -> str:
    """The file's text; empty when it is missing, generated or not code."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    is_right_size = MIN_CHARACTERS <= len(text) <= MAX_CHARACTERS
    if not is_right_size or GENERATED.search(text[:2000]) or max(map(len, text.split("\n"))) > MAX_LINE_CHARACTERS:
        return ""
    return "" if sum(map(str.isdigit, text)) > MAX_DIGIT_SHARE * len(text) else text
