"""What a release holds, and what it must not: links, code, changed files, secrets, and paths of a person's machine."""

import html
import re
from pathlib import Path
from typing import Any

from utils import artifacts, files, paths
from utils.data import secrets
from utils.errors import MAX_LISTED, UserError, short

FORMATS = ("F16", "Q8_0")  # of GGUF files, unless others are named
# All that is ever uploaded. Weights by their exact names: an optimizer's state is a safetensors file, too.
WEIGHTS = r"model(-\d{5}-of-\d{5})?\.safetensors"
MODEL_FILES = (  # of the folder of a run's model
    rf"{WEIGHTS}|model\.safetensors\.index\.json|(generation_)?config\.json|tokenizer(_config)?\.json"
    r"|special_tokens_map\.json|added_tokens\.json|vocab\.json|merges\.txt|chat_template\.jinja"
)
PAGE = r"[\w.-]+\.html"
BINARY = rf"{WEIGHTS}|gguf/[\w.-]+\.gguf"
ALLOWED = re.compile(
    rf"{MODEL_FILES}|{BINARY}|README\.md|ledger\.json|manifest\.json|(LICENSE|NOTICE)[\w.-]*|Modelfile|pages/{PAGE}"
    r"|\.eval_results/[\w.-]+\.yaml",
    re.ASCII,
)
VOCABULARIES = {"tokenizer.json", "vocab.json", "merges.txt"}  # their words are the base's, paths among them
MAX_TEXT_BYTES = 2**26
REQUIRED = ("README.md", "config.json", artifacts.MANIFEST)
# A person's name in a path of another machine, but not the names that examples use.
PERSONAL = re.compile(
    r"(?<![\w.~-])(?:/home/|/Users/|[A-Za-z]:[\\/]+Users[\\/]+)(?!(?:user|username|you|me)\b)\w[\w.-]*"
)
CODE = ("auto_map", "custom_pipelines")  # in a model's JSON: code that transformers would ask to run


def model_files(model_dir: Path) -> list[Path]:
    """The files of a run's model that a release holds.

    Raises `UserError` for links, damaged JSON, JSON that names code, and an index that names other files.
    """
    found = [path for path in sorted(model_dir.iterdir()) if re.fullmatch(MODEL_FILES, path.name)]
    for path in found:
        if path.is_symlink() or not path.is_file():
            raise UserError(f"{path} is a link, or no file. Move it away, or copy what it names, and build again.")
        if path.suffix != ".json":
            continue
        is_index = path.name.endswith(".index.json")
        content = files.read_json(path, {"weight_map": {}} if is_index else {}, MAX_TEXT_BYTES)
        if code := next((name for name in CODE if name in content), ""):
            raise UserError(
                f"{path} names code, {code}={short(content[code])}, and a release must not make others run any. Remove "
                "that entry, and build again."
            )
        shards = map(str, content["weight_map"].values()) if is_index else ()
        if others := set(shards) - {path.name for path in found}:
            raise UserError(f"{path} names {short(min(others))}, which is not in its folder. Train the run again.")
    return found


def listing(release_dir: Path) -> list[tuple[str, int]]:
    """The path and size in bytes of every file that is uploaded.

    Raises `UserError` for links and files that no release has, and for a release with files missing or added. Not
    covered: their content, see `additions`.
    """
    return [(name, path.stat().st_size) for name, path in _whole(Path(release_dir)).items()]


def _whole(release_dir: Path) -> dict[str, Path]:
    """The files of a release by their path in it; raises `UserError` for others, links, and missing ones."""
    recorded = artifacts.require(release_dir, "07_release")["files"]
    with paths.examining(release_dir):
        found = {
            path.relative_to(release_dir).as_posix(): path
            for path in sorted(release_dir.rglob("*"))
            if path.is_symlink() or not path.is_dir()
        }
    for name, path in found.items():
        if path.is_symlink() or not path.is_file() or not ALLOWED.fullmatch(name):
            kind = "a link" if path.is_symlink() else "not a file that a release has"
            raise UserError(f"{short(name)} in {release_dir} is {kind}; nothing was uploaded. Move it away.")
    changed = sorted((found.keys() ^ recorded.keys()) - {artifacts.MANIFEST}) or [
        name for name in REQUIRED if name not in found
    ]
    if changed:
        raise _changed(release_dir, changed)
    return found


def additions(release_dir: Path) -> list[Any]:
    """The files of a release as operations of a commit (`CommitOperationAdd`), to be uploaded; sends nothing.

    Raises `UserError` as `listing`; for content that changed since the release was made, for secrets, and for paths of
    a person's machine.
    """
    from huggingface_hub import CommitOperationAdd

    release_dir = paths.resolved(release_dir)
    recorded = (artifacts.read_manifest(release_dir) or {}).get("files", {})
    machine = paths.own_folders(Path.cwd(), *release_dir.parents[:3])  # of the run, all runs, and the data
    additions = []
    for name, path in _whole(release_dir).items():
        content = path if re.fullmatch(BINARY, name) else files.read_bytes(path, MAX_TEXT_BYTES)
        if isinstance(content, bytes):
            _check_text(name, content, machine)
        additions.append(CommitOperationAdd(name, content))
    digests = {addition.path_in_repo: addition.upload_info.sha256.hex() for addition in additions}
    if changed := [name for name in recorded if digests.get(name) != recorded[name]]:
        raise _changed(release_dir, changed)
    return additions


def _changed(release_dir: Path, names: list[str]) -> UserError:
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    listed = ", ".join(map(short, names[:MAX_LISTED]))
    return UserError(
        f"{release_dir} is not as it was made; missing, added or changed: {listed}{more}. Nothing was uploaded. "
        "Build the release again."
    )


def _check_text(name: str, content: bytes, machine: re.Pattern) -> None:
    """Raise `UserError` for secrets, and paths of a person's machine, in a text; of a page also in what it shows."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{name} is not text in UTF-8 ({error}). Nothing was uploaded. Build it again.") from error
    for seen in (text, html.unescape(re.sub(r"<[^<>]*>", "", text))) if name.endswith(".html") else (text,):
        for *_, masked_key in secrets.find(seen):
            raise UserError(
                f"{name} has what looks like a secret, {masked_key}. Nothing was uploaded. Remove it where it comes "
                "from, make it invalid where it is used, and build the release again."
            )
        if name not in VOCABULARIES and (found := machine.search(seen) or PERSONAL.search(seen)):
            raise UserError(
                f"{name} has a path of this or another person's machine, {short(found[0])}. Nothing was uploaded. "
                "Remove it where it comes from, and build the release again."
            )
