"""`python -m utils.sweeps SWEEP_DIR`: train the runs of a sweep one after the other, or resume them."""

import argparse
import os
import sys
from pathlib import Path

from utils.errors import UserError, run_command
from utils.sweeps import queue, runner


def main() -> int:
    """Returns 0 when the sweep is decided or paused, 2 for one that cannot be run."""
    parser = argparse.ArgumentParser(prog="python -m utils.sweeps", description="Train or resume the runs of a sweep.")
    parser.add_argument("folder", type=Path, help="the sweep's folder, with its sweep.json; notebook 03 makes it")
    sweep = queue.Sweep(parser.parse_args().folder.absolute())
    try:
        print(f"{sweep.folder.name}, process {os.getpid()}", flush=True)
        runner.work(sweep)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    run_command(main)
