"""`python -m utils.release build RUN`: the release of a run; `reproduce RELEASE`: start the same run again."""

import argparse
import sys
from pathlib import Path

from utils import artifacts, files
from utils.errors import UserError, run_command, visible


def main(arguments: list[str] | None = None) -> int:
    """Returns 0, or 2 where nothing was built or started."""
    parser = argparse.ArgumentParser(prog="python -m utils.release", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    build = actions.add_parser("build", help="model card, ledger, licences and exports of a finished run")
    build.add_argument("run", help="the name of a run, or its folder")
    build.add_argument("--statements", type=Path, help="a JSON file; default: statements.json in the run's folder")
    again = actions.add_parser("reproduce", help="write the run of a release as a new one, and start it")
    again.add_argument("release", type=Path, help="the folder of a release, with its ledger.json")
    again.add_argument("--base", default="", help="where the base model is, if it is a local one")
    again.add_argument("--pairs", default="", help="where the file of pairs is, if it is a file")
    for action in (build, again):
        action.add_argument("--data", default="", help="the data folder; default: the workbook's own")
    options = parser.parse_args(arguments)
    try:
        data_dir = artifacts.data_dir(options.data)
        return _build(options, data_dir) if options.action == "build" else _reproduce(options, data_dir)
    except UserError as error:
        print(visible(f"error: {error}"), file=sys.stderr)
        return 2


def _build(options: argparse.Namespace, data_dir: Path) -> int:
    from utils.release import build
    from utils.runs import folders

    is_name = options.run == Path(options.run).name and not Path(options.run, "config.json").is_file()
    run_dir = folders.named(data_dir, options.run) if is_name else Path(options.run).resolve()
    said = files.read_json(options.statements, {}) if options.statements else build.statements_of(run_dir)
    folder, was_current = build.build(run_dir, data_dir if is_name else run_dir.parents[1], said)
    print(f"{folder}{' was up to date' if was_current else ''}")
    return 0


def _reproduce(options: argparse.Namespace, data_dir: Path) -> int:
    from utils.release import reproduce

    run_dir, differences = reproduce.reproduce(options.release, data_dir, options.base, options.pairs)
    print(*differences, f"started in {run_dir}; its log is train.log there", sep="\n")
    return 0


if __name__ == "__main__":
    run_command(main)
