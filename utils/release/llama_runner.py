"""A GGUF file run in real llama.cpp, where the package cyllama is installed.

In a process of its own, since llama.cpp ends its process where it finds a fault: `python -m utils.release.llama_runner
FILE` reads a request as JSON, and writes the result as JSON.
"""

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from utils import files
from utils.artifacts import ROOT
from utils.errors import UserError

TIMEOUT_SECONDS = 3600.0
RESULT = {"tokens": [[int]], "answers": [[int]], "losses": [files.NUMBER], "gap": files.NUMBER, "speed": files.NUMBER}


def is_installed() -> bool:
    return importlib.util.find_spec("cyllama") is not None


def run(
    path: Path,
    texts: Sequence[tuple[str, bool, bool]],
    rows: Sequence[list[int]],
    answers: Sequence[list[int]],
    stops: Sequence[int],
    max_new_tokens: int,
) -> dict[str, Any]:
    """What llama.cpp makes of texts, of rows of ids, and of other answers to these rows.

    Its `tokens` of each text (with whether to add BOS, and whether to read special tokens), its greedy `answers` to the
    rows, its `losses` in nats per token of rows with the given answers, the largest `gap` between its best logit and
    that of the next id of these answers, and its `speed` in tokens per second. Raises `UserError` when it fails.
    """
    request = dict(texts=texts, rows=rows, answers=answers, stops=list(stops), max_new_tokens=max_new_tokens)
    command = [sys.executable, "-m", "utils.release.llama_runner", str(path)]
    try:
        done = subprocess.run(
            command, cwd=ROOT, input=json.dumps(request), capture_output=True, text=True, errors="replace",
            timeout=TIMEOUT_SECONDS,
        )  # fmt: skip
        result = json.loads(done.stdout.rpartition("\n")[2])
    except (ValueError, subprocess.TimeoutExpired) as error:
        lines = (done.stderr if isinstance(error, ValueError) else str(error)).strip().splitlines()
        why = next((line for line in reversed(lines) if "error" in line.lower()), lines[-1] if lines else "no message")
        raise UserError(f"llama.cpp cannot run {path}: {why[:300]}. Leave this format out.") from error
    if fault := files.misfit(result, RESULT):
        raise UserError(f"llama.cpp cannot run {path}: {fault}. Leave this format out.")
    return result


class _Runner:
    """A file in llama.cpp, with room for `num_tokens`."""

    def __init__(self, path: str, num_tokens: int):
        from cyllama.llama import llama_cpp

        class Model(llama_cpp.LlamaModel):
            n_vocab = property(lambda self: self.get_vocab().n_vocab)  # which its context asks for, and 0.2.18 lacks

        self.library = llama_cpp
        self.model = Model(path_model=path, params=llama_cpp.LlamaModelParams())
        settings = llama_cpp.LlamaContextParams()
        settings.n_ctx = settings.n_batch = settings.n_ubatch = num_tokens
        settings.n_threads = settings.n_threads_batch = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
        self.context = llama_cpp.LlamaContext(model=self.model, params=settings)
        self.vocab = self.model.get_vocab()

    def logits(self, ids: Sequence[int], start: int = 0) -> np.ndarray:
        """The logits after each of these ids, which follow `start` others; (ids, vocabulary)."""
        if not start:
            self.context.kv_cache_clear()
        batch = self.library.LlamaBatch(n_tokens=len(ids), embd=0, n_seq_max=1)
        for index, token_id in enumerate(ids):
            batch.add(token_id, start + index, [0], True)
        self.context.decode(batch)
        return np.array([self.context.get_logits_ith(index) for index in range(len(ids))])

    def answer(self, row: list[int], stops: Sequence[int], max_new_tokens: int) -> list[int]:
        ids: list[int] = []
        logits = self.logits(row)
        while (token_id := int(logits[-1].argmax())) not in stops and len(ids) < max_new_tokens:
            ids.append(token_id)
            logits = self.logits([token_id], len(row) + len(ids) - 1)
        return ids


def main() -> None:
    request = json.load(sys.stdin)
    rows, answers = request["rows"], request["answers"]
    wholes = [row + answer for row, answer in zip(rows, answers, strict=True)]
    runner = _Runner(sys.argv[1], max(map(len, wholes)) + request["max_new_tokens"])
    losses, gap = [], 0.0
    for row, whole in zip(rows, wholes, strict=True):
        logits = runner.logits(whole[:-1])
        best, index = logits.max(axis=1), np.arange(len(logits))
        chosen = logits[index, whole[1:]]
        losses.append(float((best + np.log(np.exp(logits - best[:, None]).sum(axis=1)) - chosen).mean()))
        gap = max(gap, float((best - chosen)[len(row) - 1 :].max(initial=0.0)))
    start = time.perf_counter()
    own = [runner.answer(row, request["stops"], request["max_new_tokens"]) for row in rows]
    seconds = time.perf_counter() - start
    result = {
        "tokens": [runner.vocab.tokenize(*text) for text in request["texts"]],
        "answers": own,
        "losses": losses,
        "gap": gap,
        "speed": sum(map(len, own)) / seconds,
    }
    print("\n" + json.dumps(result), end="")


if __name__ == "__main__":
    main()
