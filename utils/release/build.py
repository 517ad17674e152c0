"""Build the release of a run: `data/runs/<run>/release/`, whole or not at all."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from utils import artifacts, files
from utils.errors import UserError
from utils.release import card, contents, ledger, licences, metadata, run_facts
from utils.release.contents import FORMATS
from utils.release.ledger import NOT_STATED
from utils.release.licences import BASE_LICENSE, DATA_LICENSE
from utils.release.run_facts import RunFacts

RELEASE, STATEMENTS = "release", "statements.json"
CARD = "README.md"
MAX_PAGES, MAX_PAGE_BYTES = 20, 2**26  # of executed notebooks


def build(
    run_dir: Path, data_dir: Path, statements: Mapping[str, str] = {}, formats: Sequence[str] = FORMATS
) -> tuple[Path, bool]:
    """The folder of a run's release, and whether it was already up to date.

    Raises `UserError` for a run that is not finished, data or base model that changed since, unknown terms that were
    not stated, the missing text of a licence, and a model that cannot be exported. The folder is then left as it was.
    """
    said = metadata.checked(statements)
    facts = run_facts.read(run_dir, data_dir)
    needed, texts, missing = terms(facts, data_dir, said)
    model_dir, folder = facts.run_dir / "model", facts.run_dir / RELEASE
    model_files = {path.name: artifacts.sha256_file(path) for path in contents.model_files(model_dir)}
    content = ledger.record(facts, model_files)
    inputs = {
        "ledger": artifacts.sha256_text(json.dumps(content, sort_keys=True)),
        "statements": artifacts.sha256_text(json.dumps(said, sort_keys=True)),
        "evaluations": artifacts.sha256_text(repr(facts.evaluations)),
        "licences": artifacts.sha256_text(repr((needed, texts))),
        "formats": " ".join(formats),
        "code": artifacts.code_sha256(__name__),
    }
    if artifacts.is_current(folder, inputs):
        return folder, True
    from utils.release import export  # a release that is up to date exports nothing

    made: dict[str, Any] = {}
    with artifacts.building(folder, inputs, made) as temporary:
        exports = export.export(model_dir, temporary, facts.config.template, formats)
        for name, text in texts.items():
            files.write_bytes(temporary / name, text)
        origins = licences.origins(facts.base_dir)
        files.write_text(temporary / CARD, card.write(facts, said, needed, exports, missing, origins))
        files.write_text(temporary / ledger.LEDGER, json.dumps(content, indent=2) + "\n")  # ASCII: whatever the run has
        _write_results(temporary, metadata.results(facts))
        _copy_pages(facts.run_dir / "notebooks", temporary / "pages")
        made |= {"exports": list(map(asdict, exports)), "repository": said["repository"]}
    return folder, False


def attempt(run_dir: Path, data_dir: Path, formats: Sequence[str] = FORMATS) -> tuple[Path | None, str]:
    """As `build` with the saved statements, in words; without a folder where a needed statement is missing."""
    try:
        folder, was_current = build(run_dir, data_dir, statements_of(run_dir), formats)
    except UserError as error:
        if error.field not in metadata.STATEMENTS:
            raise
        return None, f"There is no release: {error}"
    return folder, f"{folder} {'was up to date' if was_current else 'was built'}"


def card_of(folder: Path) -> str:
    """The model card of a release."""
    return files.read_bytes(folder / CARD, files.MAX_RECORD_BYTES).decode()


def preview(facts: RunFacts, data_dir: Path, statements: Mapping[str, str] = {}) -> str:
    """The card as it would be, without exports and whatever statements are missing; else raises as `check` does."""
    said = metadata.checked(statements)
    said |= {name: NOT_STATED for name in (BASE_LICENSE, DATA_LICENSE) if not said[name]}
    needed, _, missing = terms(facts, data_dir, said)
    return card.write(facts, said, needed, (), missing, licences.origins(facts.base_dir))


def check(facts: RunFacts, data_dir: Path, statements: Mapping[str, str]) -> None:
    """Raise what `build` would raise for statements and licences."""
    terms(facts, data_dir, metadata.checked(statements))


def terms(facts: RunFacts, data_dir: Path, said: Mapping[str, str]):
    """What the release must say and carry, the texts that it carries, and the names of those that are not at hand."""
    config = facts.config
    base = licences.of_base(config.model_name_or_path, facts.base_dir)
    needed = licences.required(base, facts.pairs["facts"]["license"], said, facts.source)
    found, missing = licences.texts(needed, config.model_name_or_path, config.revision, facts.base_dir, data_dir)
    return needed, found, missing


def statements_of(run_dir: Path) -> dict[str, str]:
    """The statements saved for a run; empty when there are none, and `UserError` when they are damaged."""
    try:
        found = files.read_json(run_dir / STATEMENTS, {})
    except FileNotFoundError:
        return {}
    if fault := files.misfit([*found.values()], [str], "the statements"):
        raise UserError(f"{run_dir / STATEMENTS}: {fault}. Correct it, or move it away.")
    return metadata.checked(found)


def _copy_pages(pages: Path, folder: Path) -> None:
    """The executed notebooks of the run as they are now; later ones alone do not make the release out of date."""
    found = [path for path in sorted(pages.glob("*.html")) if re.fullmatch(contents.PAGE, path.name, re.ASCII)]
    for path in found[:MAX_PAGES]:
        files.make_folder(folder)
        files.write_bytes(folder / path.name, files.read_bytes(path, MAX_PAGE_BYTES))


def _write_results(folder: Path, results: list[dict[str, Any]]) -> None:
    """`.eval_results/<benchmark>.yaml` for each benchmark; the hub shows them on the model's page."""
    from huggingface_hub.utils import yaml_dump

    for result in results:
        files.make_folder(folder / ".eval_results")
        files.write_text(folder / ".eval_results" / f"{result['dataset']['task_id']}.yaml", yaml_dump([result]))
