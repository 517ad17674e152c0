"""The model card, in the order of the published card; every figure is from the run's files.

What is not known says so. What only a person knows comes from `statements`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from utils.config import EMBEDDED
from utils.errors import masked
from utils.hardware import format_bytes
from utils.markdown import bullets, code, fenced, one_line, plain, prose, table
from utils.release import ledger
from utils.release.ledger import NOT_STATED
from utils.release.licences import Requirements
from utils.release.metadata import LINKS, STATEMENTS, metadata
from utils.release.run_facts import RunFacts
from utils.release.tables import export
from utils.tokens.prompts import CHAT, format_prompt

STARCODER = """\
@article{li2023starcoder,
  title={StarCoder: may the source be with you!},
  author={Li, Raymond and others},
  year={2023},
  eprint={2305.06161},
  archivePrefix={arXiv}
}"""
# The program that asks the model.
INSTRUCTION = "Write a Python function that returns the largest number in a list."
HEAD = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

checkpoint = {checkpoint!r}
tokenizer = AutoTokenizer.from_pretrained(checkpoint)
model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype="auto", use_safetensors=True)

instruction = {instruction!r}
"""
PROMPT = """\
prompt = (
{lines}
)
inputs = tokenizer(prompt.format(instruction=instruction), return_tensors="pt", return_token_type_ids=False)
"""
CHAT_PROMPT = """\
messages = [{"role": "user", "content": instruction}]
inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
"""
TAIL = """\
output = model.generate(**inputs, max_new_tokens=128, do_sample=False)
print(tokenizer.decode(output[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))"""


def write(
    facts: RunFacts,
    statements: Mapping[str, str],
    needed: Requirements,
    exports: Sequence[Any] = (),
    missing: Sequence[str] = (),
    origins: Mapping[str, Sequence[str]] = {},
) -> str:
    """The text of `README.md`, with `exports` of `export.Exported`, and the names of texts that are not at hand."""
    from huggingface_hub import ModelCard

    name = one_line(statements.get("title") or facts.run_dir.name)
    said = {key: statements.get(key) or NOT_STATED for key in STATEMENTS}
    source = f"[{facts.source}]({LINKS[facts.source]})" if facts.source in LINKS else code(facts.source)
    base = (
        f"[{facts.base_name}](https://huggingface.co/{facts.base_name})"
        if facts.is_from_hub
        else plain(facts.base_name)
    )
    sections = {
        f"# {plain(name)}": f"This model is {base}, fine-tuned to follow instructions on the pairs {source}.",
        "## Model details": _details(facts, said),
        "## Uses": "",
        "### Intended use": f"{prose(said['intended_use'])}\n\n**Not for:** {prose(said['out_of_scope'])}",
        "### Generation": _generation(facts, statements),
        "### Example": _example(facts),
        "## Attribution and other requirements": _attribution(needed, missing, origins),
        "## Limitations": _limitations(facts),
        "## Training": _training(facts),
        "### Against the published recipe": _ledger(facts),
        "## Evaluation": _evaluation(facts),
        "## Files": _files(exports),
        "## Licence": f"{plain(needed.name)} ({code(needed.identifier)}). No legal advice: the attribution and other "
        "requirements above are carried from the sources, or stated by the person who publishes the model.",
        "## Citation": _citation(facts, name, statements),
    }
    body = "\n\n".join(f"{heading}\n\n{text}".strip() for heading, text in sections.items())
    has_gguf = any(item.path.endswith(".gguf") for item in exports)
    data = metadata(facts, statements, needed, has_gguf, "LICENSE" not in missing)
    return masked(str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n{body}\n")))


def _details(facts: RunFacts, said: Mapping[str, str]) -> str:
    model = facts.model
    revision = facts.base_identity or "not recorded"
    kind = "commit" if facts.is_from_hub else "sha256"
    positions = next((model[key] for key in ("n_positions", "max_position_embeddings") if key in model), "not known")
    return bullets(
        {
            "Base model": f"{plain(facts.base_name)}, {kind} {code(revision)}",
            "Architecture": f"{code(str(model.get('model_type', 'not known')))}, context {plain(positions)} tokens",
            "Prompt": f"template `{facts.config.template}`, exactly as below",
            "Published by": plain(said["author"]),
            "Contact": plain(said["contact"]),
        }
    )


def _generation(facts: RunFacts, statements: Mapping[str, str]) -> str:
    name = statements.get("repository", "")
    where = name or "."
    words = "" if name else "in this folder, or with its name on the hub as `checkpoint`, "
    serve = f"vllm serve {name or '.'}"
    path = "chat/completions" if facts.config.template == CHAT else "completions"
    return (
        f"The prompt must be exactly this one. Run it {words}with transformers:\n\n"
        f"{fenced(program(facts.config.template, where), 'python')}\n\n"
        f"To serve it with vLLM (not tried here): `{serve}`, and ask `/v1/{path}`."
    )


def program(template: str, checkpoint: str = ".") -> str:
    """The program that asks the model in this template; `checkpoint` is a folder or a model on the hub."""
    head = HEAD.format(checkpoint=checkpoint, instruction=INSTRUCTION)
    if template == CHAT:
        return head + CHAT_PROMPT + TAIL
    text = format_prompt("{instruction}", "", template)
    lines = "\n".join(f"    {line!r}" for line in text.splitlines(keepends=True))
    return head + PROMPT.format(lines=lines) + TAIL


def _example(facts: RunFacts) -> str:
    if facts.sample is None:
        return "No answer was recorded in training."
    sample = facts.sample
    return (
        f"A prompt of the validation pairs, which are not trained on:\n\n{fenced(sample['prompt'])}\n\nIts answer "
        f"after update {sample['step']:,}, greedy, as it is (it ended because of: {plain(sample['reason'])}):\n\n"
        f"{fenced(sample['answer'])}"
    )


def _attribution(needed: Requirements, missing: Sequence[str], origins: Mapping[str, Sequence[str]]) -> str:
    lines = [f"- {plain(text)}" for text in needed.says]
    lines += [f"- Not at hand, so not in this folder: {name}." for name in missing]
    if origins:
        lines += ["", "The base model was trained on code under these licences:", ""]
        lines += [f"- {plain(licence)}: {plain(', '.join(names))}" for licence, names in origins.items()]
    return "\n".join(lines)


def _limitations(facts: RunFacts) -> str:
    lines = [
        "The model can write code that is wrong, insecure, or copied from its training, and it does not say so.",
        "Only what is under Evaluation was measured: no other languages, no safety, no bias.",
        *(f"The curves show: {plain(hint)}" for hint in facts.hints),
    ]
    if facts.config.model_name_or_path == EMBEDDED:
        lines.append("The base model is very small: it shows how fine-tuning works. Its code is not for running.")
    return "\n".join(f"- {line}" for line in lines)


def _training(facts: RunFacts) -> str:
    config, last, counts = facts.config, facts.last, facts.pairs["facts"]
    num_pairs, updates = (facts.manifest["facts"].get(name) for name in ("num_pairs", "num_updates"))
    speed, mfu = facts.median("tokens_per_second"), facts.median("mfu")
    memory = max((line["memory_bytes"] for line in facts.train), default=None)
    others = {line.what: line.here for line in ledger.recipe(facts)}
    betas = f"betas {config.adam_beta1:g} and {config.adam_beta2:g}"
    lora = f", LoRA of rank {config.lora_rank}" if config.lora_rank else ", all weights"
    stated = {
        "Pairs": f"{_number(num_pairs)} trained on, of {counts['num_kept']:,} kept of {counts['num_read']:,} read; "
        f"{counts['num_validation']:,} for validation",
        "Context": f"{config.max_length:,} tokens; longer pairs are left out",
        "Epochs": f"{last.get('epoch', 0):.2f} of {config.num_train_epochs:g}, {_number(updates)} updates planned",
        "Batch": f"{config.train_batch_size:,} pairs an update",
        "Learning rate": f"{config.learning_rate:g}, {config.lr_scheduler_type}, warm-up {config.warmup_steps:g}",
        "Optimizer": f"{config.optim}, {betas}, weight decay {config.weight_decay:g}, gradient norm at most "
        f"{config.max_grad_norm:g}{lora}",
        "Precision": f"`{config.dtype}` (weights in {config.weights_dtype})",
        "Processes": others["parallelism"],
        "Hardware": plain(others["hardware"]),
        "Time": others["training time"],
        "Tokens": f"{_number(last.get('total_tokens'))}, {_number(speed)} a second (median)",
        "MFU": "not recorded" if mfu is None else f"{100 * mfu:.1f} % of the measured rate of matrix products (median)",
        "Memory": "not recorded" if memory is None else f"{format_bytes(memory)} in the largest process",
    }
    return f"{bullets(stated)}\n\nThe hashes of data, tokenizer, base, code and packages are in `ledger.json`."


def _ledger(facts: RunFacts) -> str:
    columns = ("what", "published card", "which is", "here", "verdict", "what a difference means")
    rows = [(l.what, l.published, l.status, l.here, l.verdict, l.meaning) for l in ledger.recipe(facts)]  # noqa: E741
    note = "*Assumed*: the published card states none, and the value is that of stanford_alpaca."
    return f"{table(columns, rows)}\n\n{note}"


def _evaluation(facts: RunFacts) -> str:
    lines = ["No validation pairs, so no validation loss."]
    if facts.evals:
        first, last = facts.evals[0]["eval_loss"], facts.evals[-1]["eval_loss"]
        best = min(facts.evals, key=lambda line: line["eval_loss"])
        lines = [
            f"Validation loss, in nats per target token: {first:.3f} at the start, {last:.3f} at the end, lowest "
            f"{best['eval_loss']:.3f} after update {best['step']:,}."
        ]
    if not facts.evaluations:
        return f"{lines[0]}\n\nIts code was not judged by tests."
    columns = ("tasks", "measure", "base model", "this model", "comparison")
    rows = [(f"{e.tasks} ({e.num_tasks})", e.measure, e.base, e.tuned, e.comparison) for e in facts.evaluations]
    note = "Answers are judged by running them. Brackets are 95 % intervals over tasks."
    return f"{lines[0]}\n\n{note}\n\n{table(columns, rows)}"


def _files(exports: Sequence[Any]) -> str:
    rows = [export(asdict(item)) for item in exports]
    if not rows:
        return "No exports."
    ollama = "\n\nFor Ollama (not tried here), in this folder: `ollama create NAME -f Modelfile`."
    files = table(list(rows[0]), [list(row.values()) for row in rows])
    return files + ollama if rows[-1]["file"] == "Modelfile" else files


def _citation(facts: RunFacts, name: str, statements: Mapping[str, str]) -> str:
    author = statements.get("author") or "Author not stated"
    where = f" https://huggingface.co/{statements['repository']}" if statements.get("repository") else ""
    lines = [f"{plain(author)}: {plain(name)}.{where}"]
    if facts.is_from_hub and "starcoder" in facts.base_name.lower():
        lines.append(fenced(STARCODER, "bibtex"))
    return "\n\n".join(lines)


def _number(value: float | None) -> str:
    return "not recorded" if value is None else f"{value:,.0f}"
