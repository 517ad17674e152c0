"""`python -m utils.data check FILE` reports every fault of a file; `prepare FILE` does what notebook 01 does."""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from utils import artifacts
from utils.data import pairs, sources
from utils.data.pairs import Refused
from utils.data.reader import Fields, Row
from utils.errors import UserError


def _check_file(path: Path, fields: Fields) -> int:
    """Print every fault of a file and the count of its rows; 0 when it is clean, 1 when it is not."""
    source = sources.Source(path.name, "", "", path)
    counts: Counter[str] = Counter()
    for item, faults in pairs.check(source, fields):
        counts["rows"] += isinstance(item, Row)
        counts["good"] += not faults
        for fault in faults:
            counts["faults"] += 1
            print(f"{path}{fault}")
    print(f"{counts['rows']:,} rows, {counts['good']:,} of them good; {counts['faults']:,} faults", file=sys.stderr)
    return 1 if counts["faults"] else 0


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
    parser.add_argument("--data", type=Path, default=artifacts.ROOT / "data", help="the folder that prepare writes to")
    options = parser.parse_args(arguments)
    try:
        fields = Fields.parse(" ".join(options.map), " ".join(options.ignore))
        if options.action == "check":
            return _check_file(Path(options.file), fields)
        folder, is_kept = pairs.prepare(options.file, options.data, fields=fields, skip_bad=options.skip_bad)
        print(folder, "was up to date" if is_kept else "written")
        print(json.dumps(pairs.row_counts(folder), indent=2, ensure_ascii=False))
        return 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, Refused) else 2


if __name__ == "__main__":
    sys.exit(main())
