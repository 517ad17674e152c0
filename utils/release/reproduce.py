"""The same run again, from the ledger of a release: same settings, data and base model, checked by their hashes."""

import os
from pathlib import Path
from typing import Any

from utils import artifacts, hardware
from utils.config import EMBEDDED, PAIR_SUFFIXES, RunConfig
from utils.data import pairs
from utils.data.reader import Fields
from utils.errors import UserError, short
from utils.evaluation.tasks import NAMES
from utils.model import loading
from utils.release import ledger
from utils.release.hub import REPOSITORY
from utils.runs import environment, folders, launch
from utils.tokens import dataset

DEFAULTS = {"fields": repr(Fields()), "bad rows": "refused", "repairs": ""}  # how `pairs.prepare` makes pairs


def reproduce(release_dir: Path, data_dir: Path, base: str = "", pairs_file: str = "") -> tuple[Path, list[str]]:
    """Write the release's run as a new one and start it; returns its folder, and what differs without being refused.

    `base` and `pairs_file` say where a local base model and a file of pairs are on this machine. Missing pairs and
    tokens are made first. Raises `UserError` when data or base model have other hashes, and for pairs made with choices
    that only notebook 01 can make again.
    """
    found = ledger.read(release_dir)
    config = settings(found, base, pairs_file)
    hashes = found["hashes"]
    if hashes["base"] and (identity := loading.identity(config)) != hashes["base"]:
        raise _differs("the base model", config.model_name_or_path, identity, hashes["base"], "Name it with --base.")
    _prepare_pairs(found, config, data_dir)
    tokenizer = loading.load_tokenizer(config.model_name_or_path, config.revision)
    tokens_dir, _ = dataset.prepare(data_dir, config, tokenizer)
    tokens = artifacts.require(tokens_dir, "02_alpaca_format")
    if tokens["files"] != hashes["tokens"]:
        recorded = {"tokenizer": hashes[ledger.TOKENIZER], "template": hashes.get("template")}
        made = [name for name, sha256 in recorded.items() if tokens["inputs"].get(name) != sha256]
        raise UserError(
            f"the tokens in {tokens_dir} differ from those of the release, because of "
            f"{', '.join(made) or 'the code that makes them'}: the run would be another one. Use the base model and "
            "the commit of the workbook that the ledger names."
        )
    run_dir = folders.new_run_dir(data_dir, config)
    launch.start(run_dir, config)
    return run_dir, differences(found)


def settings(found: dict[str, Any], base: str = "", pairs_file: str = "") -> RunConfig:
    """The settings of a ledger for this machine; raises `UserError` where a path must be given, or must not."""
    config = RunConfig().with_changes(**found["settings"])
    is_file = config.pairs.lower().endswith(PAIR_SUFFIXES)
    is_local = config.model_name_or_path != EMBEDDED and not REPOSITORY.fullmatch(config.model_name_or_path)
    for given, is_wanted, option, name in (
        (pairs_file, is_file, "--pairs", config.pairs),
        (base, is_local, "--base", config.model_name_or_path),
    ):
        if is_wanted and not given:
            raise UserError(f"the run was made from {name!r} of another machine: say where it is here with {option}.")
        if given and not is_wanted:
            raise UserError(f"{option} is not needed: the run was made from {name!r}. Leave it out.")
    # Nothing of somebody else's ledger becomes a path, or sends anything from here.
    changes: dict[str, Any] = {"preset": artifacts.slug(config.preset), "report_to": ""}
    changes |= {} if config.eval_tasks in NAMES else {"eval_tasks": ""}
    changes |= {"pairs": pairs_file} if pairs_file else {}
    changes |= {"model_name_or_path": str(Path(base).expanduser().resolve())} if base else {}
    recorded = max(1, config.num_processes, *(one["num_processes"] for one in found["environments"][-1:]))
    devices = hardware.devices()
    most = len(devices) if devices[0].type == "cuda" else os.cpu_count() or 1
    return config.with_changes(**changes, num_processes=min(recorded, most)).resolved()


def _prepare_pairs(found: dict[str, Any], config: RunConfig, data_dir: Path) -> None:
    """Make the pairs where there are none; raises `UserError` when they are not those of the release."""
    folder, wanted = artifacts.pairs_dir(data_dir, config.pairs), found["hashes"]["pairs"]
    options = found["pairs"]["options"]
    if artifacts.read_manifest(folder) is None:
        changed = {name: value for name, value in options.items() if value != DEFAULTS.get(name, value)}
        if changed:
            raise UserError(
                f"the pairs of the release were made with other choices: {short(changed)}. Make them in notebook 01 "
                "with these (MAP, IGNORE, SKIP_BAD, REPAIRS), then reproduce again."
            )
        pairs.prepare(config.pairs, data_dir)
    made = artifacts.require(folder, "01_data")["files"]
    if differing := [name for name in wanted if made.get(name) != wanted[name]] or artifacts.changed_files(folder):
        name = differing[0]
        remedy = (
            "Those of python-stdlib depend on the version of Python. Make the same ones, or use another data folder."
        )
        raise _differs(f"{name} of the pairs", str(folder), str(made.get(name)), str(wanted.get(name)), remedy)


def _differs(what: str, where: str, got: str, expected: str, remedy: str) -> UserError:
    return UserError(
        f"{what} in {where} is not that of the release: {got[:16]}…, expected {expected[:16]}…. The run would be "
        f"another one, so it was not started. {remedy}"
    )


def differences(found: dict[str, Any]) -> list[str]:
    """How code and packages differ from those of the release, in words; rounding may differ then."""
    if not found["environments"]:
        return ["The release does not say with which code and packages its run was made."]
    before, lines = found["environments"][-1], []
    if before["code"] != artifacts.code_sha256(environment.TRAINER):
        commit = f": check out {before['commit']}" if before["commit"] else ""
        lines.append(f"The workbook's training code is another one{commit}.")
    now = environment.versions()
    for name, version in before["packages"].items():
        if now.get(name) != version:
            lines.append(f"{name} was {version}, here {now.get(name, 'not installed')}.")
    return lines
