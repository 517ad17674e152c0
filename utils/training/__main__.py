"""`python -m utils.training RUN_DIR`: train, alone or under `accelerate launch` or `torchrun`."""

import sys
from pathlib import Path

from utils.training import trainer
from utils.training.distributed import report_failure

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m utils.training RUN_DIR")
    run_dir = Path(sys.argv[1]).absolute()
    try:
        trainer.main(run_dir)
    except Exception as error:
        sys.exit(report_failure(run_dir, error))
