"""What the hub reads of a release: the metadata of its card, and its results; and what only a person knows of it."""

import re
from collections.abc import Mapping
from typing import Any

from huggingface_hub import EvalResultEntry, ModelCardData, eval_result_entries_to_yaml

from utils.errors import masked, unknown, visible
from utils.release.hub import check_repository
from utils.release.licences import BASE_LICENSE, DATA_LICENSE, Requirements
from utils.release.run_facts import RunFacts

# What only a person knows: the name of a statement, and what is asked.
STATEMENTS = {
    "title": "The name of the model; empty: that of the run.",
    "author": "Who publishes it.",
    "contact": "Where questions and reports of problems go.",
    "intended_use": "What it is meant for.",
    "out_of_scope": "What it must not be used for, and limitations that you know.",
    "language": "The natural languages of the pairs, as codes such as en; empty: those of a known source.",
    "repository": "Where it will be on the hub: OWNER/NAME.",
    DATA_LICENSE: "The licence of the pairs, where their source states none.",
    BASE_LICENSE: "The licence of the base model, where it is not known.",
}
MAX_STATEMENT = 5_000  # characters
ENGLISH = ("python-stdlib", "gpteacher-codegen", "python-basics")
# Data sets as the published card names them; files have no name on the hub.
DATASETS = {"gpteacher-codegen": "teknium1/GPTeacher-codegen"}
LINKS = {"gpteacher-codegen": "https://github.com/teknium1/GPTeacher"}
# Benchmarks with a data set on the hub, for `.eval_results/`.
BENCHMARKS = {"humaneval": "openai/openai_humaneval", "mbpp": "google-research-datasets/mbpp"}


def checked(statements: Mapping[str, str]) -> dict[str, str]:
    """The statements without white space around them and credentials; raises `UserError` for an unknown name."""
    for name in statements:
        if name not in STATEMENTS:
            raise unknown("statement", name, STATEMENTS)
    if repository := str(statements.get("repository", "")).strip():
        check_repository(repository)
    return {name: visible(masked(str(statements.get(name, "")).strip()[:MAX_STATEMENT])) for name in STATEMENTS}


def metadata(
    facts: RunFacts, statements: Mapping[str, str], needed: Requirements, has_gguf: bool, has_text: bool
) -> ModelCardData:
    """The card's metadata, in the hub's terms, of a release with GGUF files, and with the text of its licence."""
    hub = re.fullmatch(r"([\w.-]+/[\w.-]+)@[0-9a-f]{40}", facts.source)
    dataset = hub[1] if hub else DATASETS.get(facts.source)
    languages = re.findall(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]+)*", statements.get("language", ""))
    other: dict[str, Any] = {}
    if needed.identifier == "other":
        name = re.sub(r"[^a-z0-9.]+", "-", needed.name.lower()).strip("-.")[:60]
        other |= {"license_name": name or "unnamed"}
        other |= {"license_link": "LICENSE"} if has_text else {}
    if facts.is_from_hub:
        other |= {"base_model": facts.base_name, "base_model_relation": "finetune"}
        other |= {"base_model_revision": facts.base_identity} if facts.base_identity else {}
    return ModelCardData(
        license=needed.identifier,
        datasets=[dataset] if dataset else None,
        language=languages or (["en"] if facts.source in ENGLISH else None),
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["code", "instruction-tuning", f"{facts.config.template}-prompt", *["gguf"] * has_gguf],
        **other,
    )


def results(facts: RunFacts) -> list[dict[str, Any]]:
    """The evaluations on benchmarks that have a data set on the hub, as `.eval_results/*.yaml` has them."""
    return eval_result_entries_to_yaml(
        [
            EvalResultEntry(
                dataset_id=BENCHMARKS[evaluation.tasks],
                task_id=evaluation.tasks,
                value=evaluation.percent,
                notes=f"{evaluation.measure} in percent on {evaluation.num_tasks} tasks, with its 95 % interval "
                f"{evaluation.tuned}; temperature {evaluation.temperature:g}; self-reported, not by the benchmark's "
                "own program",
            )
            for evaluation in facts.evaluations
            if evaluation.tasks in BENCHMARKS and evaluation.percent is not None
        ]
    )
