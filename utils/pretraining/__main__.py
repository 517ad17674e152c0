"""`python -m utils.pretraining`: the corpus and a run of preset `base`; with `--export` its model into data/base."""

import argparse
import sys
from pathlib import Path

from utils import artifacts, files
from utils.config import EMBEDDED
from utils.errors import UserError
from utils.model import loading
from utils.pretraining import corpus
from utils.pretraining.presets import PRESETS, PYTHON_CORPUS


def main(arguments: list[str] | None = None) -> None:
    """Write the corpus and a run's config.json, or export a finished run to data/base."""
    parser = argparse.ArgumentParser(prog="python -m utils.pretraining", description=main.__doc__)
    parser.add_argument(
        "--preset", choices=PRESETS, default="base", help="base starts from random weights, the others from data/base"
    )
    parser.add_argument("--export", action="store_true", help="save the finished run's model in data/base")
    parser.add_argument("--data", type=Path, default=artifacts.ROOT / "data", help="the data folder")
    options = parser.parse_args(arguments)
    run_dir = options.data / "runs" / f"{options.preset}-{PYTHON_CORPUS}"
    if options.export:
        corpus.export(run_dir, artifacts.ROOT / "data" / "base")
        return
    config, start = PRESETS[options.preset], Path(loading.locate(EMBEDDED))
    if config.model_name_or_path != EMBEDDED:
        start = options.data / "base-start"
        config = config.with_changes(model_name_or_path=str(start))
    folder, is_kept = corpus.prepare(options.data, config, start)
    print(folder, "was up to date" if is_kept else "written")
    files.make_folder(run_dir)
    config.save(run_dir / "config.json")
    print(f"train it with: python -m utils.training {run_dir}")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
