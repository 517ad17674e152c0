"""`python -m utils.release build RUN`: the release of a run; `push RELEASE OWNER/NAME`: upload it to the hub, with
`--yes`; `reproduce RELEASE`: start the same run again."""

import argparse
import sys
from pathlib import Path

from utils import artifacts
from utils.errors import UserError, run_command, visible
from utils.release.contents import FORMATS


def main(arguments: list[str] | None = None) -> int:
    """Returns 0, or 2 where nothing was built, uploaded or started."""
    parser = argparse.ArgumentParser(prog="python -m utils.release", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    build = actions.add_parser("build", help="model card, ledger, licences and exports of a finished run")
    build.add_argument("run", help="the name of a run, or its folder")
    build.add_argument("--formats", nargs="*", default=FORMATS, help=f"of GGUF; default: {' '.join(FORMATS)}")
    push = actions.add_parser("push", help="list what a release would upload to the hub; with --yes upload it")
    push.add_argument("release", type=Path, help="the folder of a release")
    push.add_argument("repository", help="OWNER/NAME on the hub, made where there is none; needs hf auth login")
    push.add_argument("--public", action="store_true", help="a new repository is public, not private")
    push.add_argument("--yes", action="store_true", help="upload; without it nothing leaves this machine")
    again = actions.add_parser("reproduce", help="write the run of a release as a new one, and start it")
    again.add_argument("release", type=Path, help="the folder of a release, with its ledger.json")
    again.add_argument("--base", default="", help="where the base model is, if it is a local one")
    again.add_argument("--pairs", default="", help="where the file of pairs is, if it is a file")
    for action in (build, again):
        action.add_argument("--data", default="", help="the data folder; default: the workbook's own")
    options = parser.parse_args(arguments)
    try:
        {"build": _build, "push": _push, "reproduce": _reproduce}[options.action](options)
        return 0
    except UserError as error:
        print(visible(f"error: {error}"), file=sys.stderr)
        return 2


def _build(options: argparse.Namespace) -> None:
    from transformers.utils import logging

    from utils.release import build
    from utils.runs import folders

    logging.disable_progress_bar()
    data_dir = artifacts.data_dir(options.data)
    is_name = options.run == Path(options.run).name and not Path(options.run, "config.json").is_file()
    run_dir = folders.named(data_dir, options.run) if is_name else Path(options.run).resolve()
    data_dir = data_dir if is_name else run_dir.parent.parent
    folder, was_current = build.build(run_dir, data_dir, build.statements_of(run_dir), options.formats)
    print(f"{folder}{' was up to date' if was_current else ''}")


def _push(options: argparse.Namespace) -> None:
    from utils.release import contents, hub, tables

    print(tables.upload(contents.listing(options.release)).to_string(), flush=True)
    if options.yes:
        print(hub.push(options.release, options.repository, private=not options.public))
    else:
        hub.operations(options.release, options.repository)  # what would be refused is refused now
        kind = "public" if options.public else "private"
        print(f"Nothing was uploaded. --yes uploads these files to the {kind} repository {options.repository}.")


def _reproduce(options: argparse.Namespace) -> None:
    from utils.release import reproduce

    data_dir = artifacts.data_dir(options.data)
    run_dir, differences = reproduce.reproduce(options.release, data_dir, options.base, options.pairs)
    print(visible("\n".join([*differences, f"started in {run_dir}; its log is train.log there"])))


if __name__ == "__main__":
    run_command(main)
