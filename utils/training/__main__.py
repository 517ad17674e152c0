"""`python -m utils.training RUN_DIR`: train, alone or under `accelerate launch` or `torchrun`."""

import argparse
import os
import sys
from pathlib import Path

import transformers

from utils import files
from utils.config import RunConfig
from utils.training.distributed import Ranks, only_one, report_failure
from utils.training.trainer import Training


def main(run_dir: Path) -> None:
    """Train the run in `run_dir` with its `config.json`, and write `outcome.json`."""
    config = RunConfig.load(run_dir / "config.json")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    ranks = Ranks.join()
    with only_one(run_dir, ranks):
        outcome = "finished already"
        if not os.path.lexists(run_dir / "model"):  # also a link to a disk that is not mounted
            if ranks.is_first:
                files.unlink(run_dir / "STOP")
            outcome = Training(run_dir, config, ranks).train()
            if ranks.is_first:
                files.write_json(run_dir / "outcome.json", {"outcome": outcome})
        ranks.log(outcome)
    ranks.leave()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m utils.training", description="Train or resume a run.")
    parser.add_argument("run_dir", type=Path, help="the run's folder, with its config.json; notebook 03 makes it")
    run_dir = parser.parse_args().run_dir.absolute()
    if not (run_dir / "config.json").is_file():
        parser.error(f"{run_dir} is not a run: it has no config.json. Start a run in notebook 03 first.")
    try:
        main(run_dir)
    except Exception as error:
        sys.exit(report_failure(run_dir, error))
