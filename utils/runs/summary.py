"""The summary of a whole run of the workbook, as plain text."""

import os
import re
import statistics
import unicodedata
from pathlib import Path
from typing import Any

from utils import artifacts, files
from utils.config import RunConfig
from utils.errors import number_of
from utils.runs import folders, metrics

MAX_SHARES, MAX_LINE = 10, 400  # shares of answers, and characters of a line
ANSWER = {"instruction": str, "base": str, "tuned": str}


def summarize(data_dir: Path, run_dir: Path, config: RunConfig, seconds: dict[str, float]) -> str:
    """The results of all notebooks as plain text; `seconds` is the time of each."""
    pairs_dir = artifacts.pairs_dir(data_dir, config.pairs)
    tokens_dir = artifacts.tokens_dir(data_dir, config)
    counts = artifacts.require(pairs_dir, "01_data")["facts"]
    tokens = artifacts.require(tokens_dir, "02_alpaca_format")["facts"]
    lines = [
        f"Pairs: {counts['num_read']:,} read = {counts['num_kept']:,} kept + {counts['num_rejected']:,} rejected "
        f"+ {number_of(counts['num_duplicates'], 'duplicate')}",
        f"Tokens: {tokens['num_tokens_train']:,} in {number_of(tokens['num_train'], 'pair')} for training, "
        f"{tokens['num_tokens_validation']:,} in {tokens['num_validation']:,} for validation",
        *_training_lines(metrics.read(run_dir)),
        "",
        *_answer_lines(run_dir),
        f"Time: {', '.join(f'{name} {clock(value)}' for name, value in seconds.items())}; "
        f"in all {clock(sum(seconds.values()))}",
    ]
    model_dir, pages_dir = run_dir / "model", run_dir / "notebooks"
    places = {"Pairs": pairs_dir, "Tokens": tokens_dir, "Tuned model": model_dir, "Notebooks as HTML": pages_dir}
    places |= {"Release": release_dir} if (release_dir := run_dir / "release").exists() else {}
    return "\n".join([*lines, *(f"{name}: {os.path.relpath(place)}" for name, place in places.items()), ""])


def _training_lines(records: list[dict[str, Any]]) -> list[str]:
    train, losses = metrics.train_lines(records), [line["eval_loss"] for line in metrics.eval_lines(records)]
    validation = f"{losses[0]:.3f} at the start, {losses[-1]:.3f} at the end" if losses else "no validation pairs"
    if not train:
        return ["No updates were made."]
    speed = statistics.median(line["tokens_per_second"] for line in train)
    return [
        f"Training loss: {train[0]['loss']:.3f} in the first update, {train[-1]['loss']:.3f} in the last",
        f"Validation loss: {validation}",
        f"Trained on {train[-1]['total_tokens']:,} tokens, {speed:,.0f} a second "
        f"(median of {number_of(len(train), 'update')})",
    ]


def _answer_lines(run_dir: Path) -> list[str]:
    """Three answers before and after, shortened and without terminal escape sequences."""
    answers, measured = (artifacts.read_json(run_dir / name) for name in ("answers.json", "yardstick.json"))
    lines = []
    for answer in answers[:3] if not files.misfit(answers, [ANSWER]) else []:
        lines.append(_shorten(" ".join(answer["instruction"].split()), 1, "  "))
        for title, field in (("before", "base"), ("after", "tuned")):
            lines += [f"  {title}:", _shorten(answer[field], 6, "    | ")]
        lines.append("")
    for what, shares in list(measured.items())[:MAX_SHARES] if isinstance(measured, dict) else ():
        if not files.misfit(shares, {"base": str, "tuned": str}):
            lines.append(_line(f"{what}: {shares['base']} of answers before, {shares['tuned']} after"))
    results = sorted(run_dir.glob("evaluation/*/result.json"), key=folders.written_at)
    for result in map(artifacts.read_json, results[-1:]):
        if not files.misfit(result, dict.fromkeys(("measure", "tasks", "base", "tuned", "comparison"), str)):
            lines.append(_line("{measure} on {tasks}: {base} before, {tuned} after. {comparison}".format(**result)))
    return lines


def _line(text: str) -> str:
    """Text as one line of bounded length."""
    line = " ".join(plain(text).split())
    return line if len(line) <= MAX_LINE else f"{line[: MAX_LINE - 1]}…"


def _shorten(text: str, num_lines: int, indent: str) -> str:
    rows = plain(text).strip().splitlines() or ["(nothing)"]
    rows = [row if len(row) <= 100 else row[:99] + "…" for row in rows]
    return "\n".join(indent + row for row in (rows if len(rows) <= num_lines else [*rows[: num_lines - 1], "…"]))


def plain(text: str) -> str:
    """Text without escape sequences, control characters and bidirectional formatting."""
    text = re.sub(r"\x1b\[[0-?]*[ -/]*[@-~]", "", text)
    return "".join(char for char in text if char in "\n\t" or unicodedata.category(char)[0] != "C")


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
