"""`make faults`: runs killed, damaged, filled up, cut off and asked to end, each to be the run it would have been.

`python -m faults [PART …] [--kills N]` runs all parts or some. Every run is compared with an uninterrupted one on
as many ranks: each logged line and the final weights in every bit. Prints a Markdown table; ends with status 1 on any
miss, and keeps the runs then. Some parts need root on Linux: skipped without, a failure where `CI=true`.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import transformers

from benchmarks import table
from faults import files, peers, processes, run

Row = dict[str, str]


def parts(folder: Path, num_kills: int) -> dict[str, list[Callable[[], Row]]]:
    """What each part runs. Worlds: a small model, and a larger one whose saves take long enough to be hit."""
    transformers.logging.disable_progress_bar()
    small = run.build_world(folder / "small", 60)
    large = run.build_world(folder / "large", 400, num_positions=2**14)
    num_on_four = num_kills // 5
    return {
        "kills": [
            lambda: processes.kills(*large, 2, num_kills - num_on_four),
            lambda: processes.kills(*large, 4, num_on_four),
        ],
        "signals": [lambda: processes.signals(*small)],
        "corruption": [lambda: files.corruptions(*small)],
        "disk": [lambda: files.full_disk(*small)],
        "nan": [lambda: peers.nan(*small)],
        "silence": [
            lambda: peers.silence(*small),
            lambda: peers.slow(*small),
            lambda: peers.link_cut(*small),
        ],
    }


def outcome(name: str, part: Callable[[], Row]) -> Row:
    start = time.monotonic()
    try:
        row = part()
    except run.Skipped as reason:
        missed = {"missed": "1"} if os.environ.get("CI") == "true" else {}
        row = {"fault": name, "held": f"skipped: {reason}"} | missed
    except Exception as error:
        traceback.print_exc()
        row = {"fault": name, "held": (str(error) or repr(error)).splitlines()[0], "missed": "1"}
    return {"count": "0", "missed": "0"} | row | {"seconds": f"{time.monotonic() - start:,.0f}"}


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__.splitlines()[0])
    parser.add_argument("part", nargs="*", help="kills, signals, corruption, disk, nan, silence; none: all")
    parser.add_argument("--kills", type=int, default=110, help="how many SIGKILLs, a fifth of them over 4 ranks")
    options = parser.parse_args()
    known = parts(folder, options.kills)
    if set(options.part) - set(known):
        parser.error(f"no such part; there are {', '.join(known)}")
    rows = []
    print(f"runs in {folder}", flush=True)
    for name in options.part or known:
        for part in known[name]:
            print(f"{time.strftime('%H:%M:%S')} {name}", flush=True)
            rows.append(outcome(name, part))
    columns = ["fault", "count", "held", "missed", "seconds"]
    cells = [[row[name].replace("|", "/") for name in columns] for row in rows]
    print(f"\n{table.table(columns, cells)}", flush=True)
    is_missed = any(row["missed"] != "0" for row in rows)
    if is_missed:
        print(f"\nthe runs are kept in {folder}", flush=True)
    else:
        shutil.rmtree(folder)
    return int(is_missed)


if __name__ == "__main__":
    sys.exit(main())
