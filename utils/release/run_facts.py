"""What a release says about a run, read from the run's files and from the stages that it was made from."""

import re
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils import artifacts, files
from utils.config import EMBEDDED, RunConfig
from utils.errors import UserError
from utils.evaluation import measure, report
from utils.markdown import one_line
from utils.model import loading
from utils.runs import diagnostics, environment, folders, launch, metrics
from utils.tokens import dataset

MAX_WORDS = 400  # characters of a result in words
RESULT = dict.fromkeys(("measure", "tasks", "base", "tuned", "comparison"), str)
COUNTS = dict.fromkeys(("num_pairs", "num_updates"), int | None)  # of older runs there are none
PAIRS = {"source": str, "license": str, "num_kept": int, "num_read": int, "num_train": int, "num_validation": int}


@dataclass(frozen=True)
class Evaluation:
    """The pass rates of a run on some tasks, in words, with the settings that they were measured with."""

    measure: str
    tasks: str
    base: str
    tuned: str
    comparison: str
    num_tasks: int
    num_samples: int
    temperature: float

    @property
    def percent(self) -> float | None:
        """The tuned model's rate in percent; None where there were no tasks."""
        match = re.match(r"(\d+(?:\.\d+)?) % \(", self.tuned)
        return float(match[1]) if match else None


@dataclass(frozen=True)
class RunFacts:
    """A finished run: settings, metrics, what it was made from, and its evaluations."""

    run_dir: Path
    config: RunConfig
    manifest: dict[str, Any]
    pairs: dict[str, Any]  # the manifest of the pairs
    tokens: dict[str, Any]  # the manifest of the token rows
    model: dict[str, Any]  # the tuned model's config.json
    base_dir: Path
    base_identity: str
    train: list[dict[str, Any]]
    evals: list[dict[str, Any]]
    sample: dict[str, Any] | None
    evaluations: list[Evaluation]
    environments: list[dict[str, Any]]
    hints: list[str]

    @property
    def last(self) -> dict[str, Any]:
        """The last training line; empty without updates."""
        return self.train[-1] if self.train else {}

    @property
    def source(self) -> str:
        """The source of the pairs, without the folders of a file."""
        return self.pairs["facts"]["source"]

    @property
    def base_name(self) -> str:
        """The hub id of the base model, the run that it is the tuned model of, or the name of its folder."""
        name = self.config.model_name_or_path
        path = Path(name)
        if name == EMBEDDED:
            return "the workbook's bundled StarCoder"
        if path.name == "model" and (path.parent / "config.json").exists():
            return f"the tuned model of the run {path.parent.name}"
        return path.name if path.is_dir() else name

    @property
    def is_from_hub(self) -> bool:
        return not Path(loading.locate(self.config.model_name_or_path)).is_dir()

    def median(self, name: str) -> float | None:
        """The median of a figure over the updates; None where it was not recorded."""
        values = [line[name] for line in self.train if name in line]
        return statistics.median(values) if values else None


def read(run_dir: Path, data_dir: Path) -> RunFacts:
    """The facts of a finished run.

    Raises `UserError` when it is not finished, when its pairs, tokens or base model are missing or not those that it
    was made from, and for a file that is not readable.
    """
    run_dir = Path(run_dir)
    if (state := launch.state(run_dir)) != "finished":
        raise UserError(
            f"{run_dir} is {state}, and only a finished run can be released. Train it to its end in notebook "
            "03_train_fsdp first."
        )
    config = RunConfig.load(run_dir / "config.json")
    manifest = artifacts.require(run_dir, "03_train_fsdp")
    tokens_dir, pairs_dir = artifacts.tokens_dir(data_dir, config), artifacts.pairs_dir(data_dir, config.pairs)
    tokens, pairs_made = artifacts.require(tokens_dir, "02_alpaca_format"), artifacts.require(pairs_dir, "01_data")
    for folder, facts, wanted in ((pairs_dir, pairs_made["facts"], PAIRS), (run_dir, manifest["facts"], COUNTS)):
        if fault := files.misfit(facts, wanted, "its facts"):
            raise UserError(f"{folder / artifacts.MANIFEST}: {fault}. Restore the file, or make its folder again.")
    _check_chain(run_dir, manifest, tokens_dir, tokens, pairs_dir, pairs_made)
    base_dir = loading.folder(config)
    if manifest.get("base", "") not in ("", loading.fingerprint(config)):
        raise UserError(
            f"the base model {config.model_name_or_path} is not the one that {run_dir.name} began with. Put its files "
            "back, or release a run that was made from it."
        )
    records = metrics.read(run_dir)
    return RunFacts(
        run_dir, config, manifest, pairs_made, tokens,
        files.read_json(run_dir / "model" / "config.json", {}),
        base_dir,
        str(manifest.get("base_identity", "")),
        metrics.train_lines(records),
        metrics.eval_lines(records),
        _sample(run_dir, config, metrics.eval_lines(records)),
        _evaluations(run_dir),
        _environments(manifest),
        [hint.text for hint in diagnostics.read(records, config)],
    )  # fmt: skip


def _check_chain(run_dir, manifest, tokens_dir, tokens, pairs_dir, pairs_made) -> None:
    """Raise `UserError` unless tokens and pairs are those of the run, so that the card speaks of the right ones."""
    made_from = {f"{split}.jsonl": tokens["inputs"].get(f"{split} pairs") for split in dataset.SPLITS}
    changed = [name for name, sha256 in made_from.items() if pairs_made["files"].get(name) != sha256]
    if manifest["inputs"] != tokens["files"]:
        raise UserError(
            f"{tokens_dir} changed since {run_dir.name} was trained, so what it was trained on is not known. Make the "
            "same pairs and tokens again with notebooks 01 and 02, or train a new run (FRESH=1)."
        )
    if changed or artifacts.changed_files(pairs_dir):
        raise UserError(
            f"{pairs_dir} changed since {run_dir.name} was trained ({', '.join(changed) or 'its files'}). Make the "
            "same pairs again with notebook 01, or train a new run (FRESH=1)."
        )


def _sample(run_dir: Path, config: RunConfig, evals: list[dict[str, Any]]) -> dict[str, Any] | None:
    """An answer to a validation pair by the model that was kept: after the last update, or the best evaluation."""
    samples = metrics.read(run_dir, metrics.SAMPLES)
    if not samples or not evals:
        return None
    kept = min(evals, key=lambda line: line["eval_loss"]) if config.early_stopping_patience else evals[-1]
    return next((sample for sample in samples if sample["step"] == kept["step"] and sample["answer"].strip()), None)


def _evaluations(run_dir: Path) -> list[Evaluation]:
    """The newest result of each set of tasks and measure, newest first."""
    found: dict[tuple[str, str], Evaluation] = {}
    for path in sorted(run_dir.glob(f"evaluation/*/{report.RESULT}"), key=folders.written_at, reverse=True):
        result = files.read_json(path, RESULT)
        words: dict[str, Any] = {name: one_line(result[name])[:MAX_WORDS] for name in RESULT}
        words["tasks"] = Path(words["tasks"]).name  # of a file, without its folders
        kind = {"num_samples": int, "temperature": files.NUMBER}
        settings = files.read_json(path.parent / measure.SETTINGS, kind)
        num_tasks = len({sample.task_id for sample in measure.read(path.parent)})
        numbers = {name: settings[name] for name in kind} | {"num_tasks": num_tasks}
        found.setdefault((words["tasks"], words["measure"]), Evaluation(**words, **numbers))
    return list(found.values())


def _environments(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """The recorded environments of a run, oldest first; raises `UserError` for one that is not a record."""
    found = manifest.get("environments", [])
    fault = files.misfit(found, [environment.RECORD], "environments")
    fault = fault or next(filter(None, (files.misfit([*one["packages"].values()], [str]) for one in found)), "")
    if fault:
        raise UserError(f"the run's {artifacts.MANIFEST}: {fault}. Correct it, or train a new run.")
    return found
