"""What a run on `python-basics` can do: pass@1 of the tasks kept for asking, and lines filled in, judged by running.

Each set is asked by instructions, and again by signature and docstring, which the base model continues.

`PYTHONPATH=.:tests python -m benchmarks.basics RUN_DIR` prints the figures, each with its 95 % interval; answers are
kept in the run's folder, so that an interrupted measurement resumes.
"""

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from utils.config import RunConfig
from utils.data.basics import pairs as basics
from utils.evaluation import infilling, measure
from utils.playground import model_pool

MAX_NEW_TOKENS = 110
NUM_GAPS = 200


def main(path: str) -> None:
    run_dir = Path(path).absolute()
    models, names = model_pool.LoadedModels(), model_pool.choices(run_dir)
    print(f"{run_dir.name}: {RunConfig.load(run_dir / 'config.json').pairs}")
    for name in basics.SETS:
        settings = measure.Settings(name, max_new_tokens=MAX_NEW_TOKENS)
        tasks = measure.chosen(settings, run_dir.parents[1])
        for how, asked in (
            ("by instruction", tasks),
            ("by signature", [replace(task, instruction="") for task in tasks]),
        ):
            samples = measure.complete(run_dir, settings, asked, lambda one: models.get(names[one]), lambda text: None)
            result = measure.result(samples)
            kinds = {which: Counter(one.kind for one in samples if one.model == which) for which in result.rates}
            rates = (f"{which} {rate} {dict(kinds[which])}" for which, rate in result.rates.items())
            print(f"{name}, {how}", *rates, sep="\n  ", flush=True)
    gaps = infilling.gaps(basics.tasks(basics.COMPOSITIONS), NUM_GAPS)
    for which in (measure.BASE, measure.TUNED):
        fills = infilling.fill(*models.get(names[which]), gaps)
        print(f"one missing line of {len(gaps)}, {which}: {infilling.pass_rate(fills)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
