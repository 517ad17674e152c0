"""Export of a run's model: safetensors, GGUF files and a Modelfile, each loaded again and compared.

out/                 config.json  *.safetensors  tokenizer.json …   as transformers and vLLM load them
out/gguf/            model-<format>.gguf                            for llama.cpp and Ollama
out/Modelfile        `ollama create <name> -f Modelfile`
"""

import shutil
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional

from utils import files
from utils.artifacts import sha256_file
from utils.errors import UserError, number_of, short, unknown
from utils.model import loading
from utils.model.generation import stream
from utils.model.sampling import GenerationSettings
from utils.release import contents, gguf_file, llama_runner
from utils.release.contents import FORMATS
from utils.release.gguf_vocabulary import LEAVE_OUT, SPLIT_TEXTS
from utils.release.modelfile import chat_template, modelfile, prompt_of
from utils.tokens.prompts import CHAT, encode_prompts, encode_texts, format_prompt, stop_ids

INSTRUCTIONS = (
    "Write a function that adds two numbers.",
    "Check whether the string s is a palindrome.",
    "Return the 10 largest numbers of a list.",
    "Read a file and count its lines.",
    "Explain what a decorator is.",
)
MAX_NEW_TOKENS = 32
# Of llama.cpp against transformers: logits this near are a tie, and nats per token that a format may cost or gain.
MAX_TIE = 0.05
MAX_LOSS = {"F16": 0.005, "BF16": 0.01, "Q8_0": 0.02, "Q4_0": 0.2}


@dataclass(frozen=True)
class Exported:
    """One form of the model: its path in the release, its size and speed, and what was compared with what result.

    The speed is that of greedy answers on this machine, in new tokens per second; None where it was not measured.
    """

    name: str
    path: str
    num_bytes: int
    tokens_per_second: float | None
    checks: dict[str, str]


@dataclass(frozen=True)
class Answers:
    """A model's greedy answers to prompts, in float32, with nats per token and logits of prompt and answer."""

    prompts: list[str]
    rows: list[list[int]]  # ids of the prompts
    ids: list[list[int]]  # of the answers, without the token that ends them
    next_ids: list[int]  # the likeliest after each answer
    losses: list[float]
    logits: list[torch.Tensor]
    tokens_per_second: float


def export(model_dir: Path, out: Path, template: str, formats: Sequence[str] = FORMATS) -> list[Exported]:
    """Write the model of a folder into the folder `out` in all forms; the Modelfile names the last of `formats`.

    Every file is whole or absent; call it in `artifacts.building` for a folder that is. Raises `UserError` for a format
    or an architecture that is not known, for a failed write that the user can fix, and for a file that differs from the
    model. Where llama.cpp is not installed (pip install cyllama), GGUF files are only read again, and their speed is
    None. Takes four bytes of memory a parameter.
    """
    for form in formats:
        if form not in gguf_file.FORMATS:
            raise unknown("GGUF format", form, gguf_file.FORMATS, field="formats")
    network, tokenizer = loading.load(str(model_dir))
    stops = sorted(stop_ids(network, tokenizer))
    chat = chat_template(template, tokenizer)
    # Refused before anything is written.
    fields_of = {form: gguf_file.metadata(network.config, tokenizer, stops, chat, form) for form in formats}
    expected = _answers(network, tokenizer, template)
    config = network.config
    del network
    exported = [_safetensors(model_dir, out, template, expected)]
    for form, fields in fields_of.items():
        path = out / "gguf" / f"model-{form}.gguf"
        files.make_folder(path.parent)
        gguf_file.write(path, out, config, fields, form)
        try:
            checks, speed = gguf_file.verify(path, out, config, fields), None
            if llama_runner.is_installed():
                compared, speed = _in_llama(path, form, expected, tokenizer, is_chat=template == CHAT, stops=stops)
                checks |= compared
        except BaseException:
            files.unlink(path)
            raise
        exported.append(Exported(f"GGUF {form}", str(path.relative_to(out)), path.stat().st_size, speed, checks))
    if formats:
        context = fields[f"{gguf_file.architecture(config)}.context_length"]
        text = modelfile(f"./{exported[-1].path}", template, tokenizer, stops, context)
        files.write_text(out / "Modelfile", text)
        own = [prompt_of((out / "Modelfile").read_text(encoding="utf-8"), text) for text in INSTRUCTIONS]
        bos = tokenizer.bos_token or ""  # which llama.cpp itself may add
        if not all(a in (b, bos + b) for a, b in zip(expected.prompts, own, strict=True)):
            raise UserError(f"{out / 'Modelfile'} gives other prompts than {template!r}. {LEAVE_OUT}")
        checks = {"template": f"{number_of(len(own), 'prompt')} of the template {template!r}, byte for byte"}
        exported.append(Exported("Modelfile", "Modelfile", len(text.encode()), None, checks))
    return exported


def _safetensors(model_dir: Path, out: Path, template: str, expected: Answers) -> Exported:
    """Copy the model's files, load them again, and compare."""
    names = [path.name for path in contents.model_files(model_dir)]
    files.make_folder(out)
    for name in names:
        with open(model_dir / name, "rb", opener=files.opener) as source, files.replacing(out / name) as target:
            shutil.copyfileobj(source, target)
        if sha256_file(out / name) != sha256_file(model_dir / name):
            raise UserError(f"{out / name} is not as it was written. Check the disk, and try again.")
    answers = _answers(*loading.load(str(out)), template)
    same = all(torch.equal(a, b) for a, b in zip(answers.logits, expected.logits, strict=True))
    if answers.ids != expected.ids or not same:
        raise UserError(f"{out} answers otherwise than {model_dir}. Check the disk, and try again.")
    checks = {
        "files": f"{number_of(len(names), 'file')} with the same sha256",
        "answers": f"the ids and logits of {len(answers.ids)} greedy answers are equal",
    }
    size = sum((out / name).stat().st_size for name in names)
    return Exported("safetensors", ".", size, answers.tokens_per_second, checks)


@torch.no_grad()
def _answers(network, tokenizer, template: str) -> Answers:
    network = network.float()  # llama.cpp computes in float32 too
    prompts = [format_prompt(instruction, "", template, tokenizer) for instruction in INSTRUCTIONS]
    rows = encode_prompts(prompts, tokenizer, template)
    settings = GenerationSettings(temperature=0.0, max_new_tokens=MAX_NEW_TOKENS)
    ids, next_ids, losses, logits = [], [], [], []
    start = time.perf_counter()
    for row in rows:
        drafts = deque(stream(network, tokenizer, [row], settings), maxlen=1)[0]
        ids.append(drafts[0].ids)
    seconds = time.perf_counter() - start
    for row, answer in zip(rows, ids, strict=True):
        whole = torch.tensor([row + answer], device=network.device)  # (1, tokens)
        logits.append(network(whole).logits[0].cpu())  # (tokens, vocabulary)
        next_ids.append(int(logits[-1][-1].argmax()))
        targets = torch.tensor([*row[1:], *answer, next_ids[-1]])
        losses.append(float(functional.cross_entropy(logits[-1], targets)))
    return Answers(prompts, rows, ids, next_ids, losses, logits, sum(map(len, ids)) / seconds)


def _in_llama(
    path: Path, form: str, expected: Answers, tokenizer, is_chat: bool, stops: list[int]
) -> tuple[dict[str, str], float]:
    """What llama.cpp's ids, answers and losses are beside ours, and its tokens per second."""
    texts = [(text, False, False) for text in SPLIT_TEXTS]
    texts += [(prompt, not is_chat, is_chat) for prompt in expected.prompts]
    continued = [[*ids, next_id] for ids, next_id in zip(expected.ids, expected.next_ids, strict=True)]
    result = llama_runner.run(path, texts, expected.rows, continued, stops, MAX_NEW_TOKENS)
    rows = encode_texts(list(SPLIT_TEXTS), tokenizer) + expected.rows
    for (text, *_), own, its in zip(texts, rows, result["tokens"], strict=True):
        if own != its:
            raise UserError(
                f"{path.name} in llama.cpp: {short(text)} becomes the ids {short(its)}, and with the tokenizer "
                f"{short(own)}. {LEAVE_OUT}"
            )
    same = sum(own == its for own, its in zip(expected.ids, result["answers"], strict=True))
    loss, mean = (sum(losses) / len(losses) for losses in (result["losses"], expected.losses))
    if not abs(loss - mean) <= MAX_LOSS[form] or (form == "F16" and result["gap"] > MAX_TIE):
        raise UserError(
            f"{path.name} in llama.cpp: {loss:.4f} nats per token where the model has {mean:.4f} (at most "
            f"{MAX_LOSS[form]} apart), and a logit {result['gap']:.3f} below the best. Leave this format out."
        )
    checks = {
        "token ids": f"{number_of(len(texts), 'text')} split by llama.cpp as by the tokenizer",
        "answers": f"{same} of {len(expected.ids)} greedy answers in llama.cpp have the same ids; where the ids are "
        f"those of the model, their logits are at most {result['gap']:.3f} below the largest",
        "loss": f"{loss:.4f} nats per token in llama.cpp, {mean:.4f} here (at most {MAX_LOSS[form]} apart)",
    }
    return checks, result["speed"]
