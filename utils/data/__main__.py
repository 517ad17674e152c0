"""`python -m utils.data check FILE` reports every fault of a file; `prepare FILE` does what notebook 01 does."""

import argparse
import json
import sys
from pathlib import Path

from utils import artifacts
from utils.config import PAIR_SUFFIXES
from utils.data import pairs, sources
from utils.data.faults import COMMAND, Report
from utils.data.pairs import Refused
from utils.data.reader import Fields, Row
from utils.errors import UserError, number_of, run_command, visible

MAX_SHOWN = 1000  # faults of `check`


def _check_file(path: Path, fields: Fields) -> int:
    """Print the faults of a file and the count of its rows; 0 when it is clean, 1 when it is not."""
    if not path.name.lower().endswith(PAIR_SUFFIXES):
        raise UserError(f"check takes files ending in {', '.join(PAIR_SUFFIXES)}, got {path}; for it use prepare.")
    report = Report(MAX_SHOWN)
    for item, faults in pairs.check(sources.Source(path.name, "", "", path), fields):
        report.add(faults, isinstance(item, Row))
        if report.num_faults >= pairs.MAX_FAULTS:
            break
    for line in filter(None, [*report.lines(str(path)), report.advice(COMMAND)]):
        print(visible(line))
    stopped = "; reading stopped there" if report.num_faults >= pairs.MAX_FAULTS else ""
    num_good = report.num_rows - report.num_faulty
    rows, faults = number_of(report.num_rows, "row"), number_of(report.num_faults, "fault")
    print(f"{rows}, {num_good:,} of them good; {faults}{stopped}", file=sys.stderr)
    return 1 if report.num_faults else 0


def main(arguments: list[str] | None = None) -> int:
    """`check` or `prepare` a file of pairs; returns 0 where it is clean, 1 for faults, 2 where it cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m utils.data", description="Read instruction pairs strictly.")
    parser.add_argument("action", choices=("check", "prepare"), help="report every fault, or write clean pairs")
    parser.add_argument(
        "file", help="a .jsonl or .json file, also as .gz, or .parquet; prepare also takes other sources"
    )
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="OURS=THEIRS",
        help="a field under another name, such as response=output; may be repeated",
    )
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="FIELD",
        help="a field that is not part of a pair; may be repeated",
    )
    parser.add_argument(
        "--skip-bad", action="store_true", help="leave out rows with faults, and keep them in rejects.jsonl"
    )
    parser.add_argument("--data", default="", help="the folder that prepare writes to")
    options = parser.parse_args(arguments)
    try:
        fields = Fields.parse(" ".join(options.map), " ".join(options.ignore))
        if options.action == "check":
            return _check_file(Path(options.file), fields)
        folder, is_kept = pairs.prepare(
            options.file, artifacts.data_dir(options.data), fields=fields, skip_bad=options.skip_bad, options=COMMAND
        )
        print(folder, "was up to date" if is_kept else "written")
        print(json.dumps(pairs.row_counts(folder), indent=2, ensure_ascii=False))
        return 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, Refused) else 2


if __name__ == "__main__":
    run_command(main)
