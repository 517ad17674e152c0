"""The data part of `make bench`: pairs read, checked, formatted and tokenised; a million of them; near-duplicates.

Every measurement runs in a process of its own. Imports and the loading of the tokenizer are not timed, for anybody.
"""

import importlib
import json
import random
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import jobs, table
from utils.config import RunConfig
from utils.data import audit, pairs
from utils.tokens import dataset
from utils.tokens.prompts import format_prompt

NUM_MANY, NUM_MILLION = 200_000, 1_000_000
# Enough of them that two random instructions share few.
WORDS = [first + second for first in "bdfgklmnprst" for second in ("ack", "ell", "ind", "oom", "ush", "are")]


def ours(folder: Path, shared: Path, number: int) -> dict[str, Any]:
    tokenizer, seconds = jobs.load_tokenizer(shared), []
    for turn in range(number):
        config = RunConfig(model_name_or_path="bigcode")
        start = time.perf_counter()
        pairs.prepare(config.pairs, folder / str(turn), str(gpteacher(shared)))
        dataset.prepare(folder / str(turn), config, tokenizer)
        seconds.append(time.perf_counter() - start)
    return {"seconds": seconds}


def trl(folder: Path, shared: Path, number: int) -> dict[str, Any]:
    """TRL preparing the same: the data set read, and an `SFTTrainer` with `packing=True` made of it."""
    from datasets import Dataset

    trl = importlib.import_module("trl")  # not an import statement: `make bench` alone installs it
    tokenizer, seconds = jobs.load_tokenizer(shared), []
    jobs.build_model(folder / "model", "tiny", tokenizer)
    for turn in range(number):
        settings = trl.SFTConfig(
            output_dir=str(folder / str(turn)), packing=True, max_length=1024, use_cpu=True, report_to="none"
        )
        model = jobs.AutoModelForCausalLM.from_pretrained(folder / "model")
        start = time.perf_counter()
        rows = json.loads(gpteacher(shared).read_text(encoding="utf-8"))
        prompts = [format_prompt(row["instruction"], row["input"]) for row in rows]
        responses = [row["response"] for row in rows]
        data = Dataset.from_dict({"prompt": prompts, "completion": responses})
        trl.SFTTrainer(model, settings, train_dataset=data, processing_class=tokenizer)
        seconds.append(time.perf_counter() - start)
    return {"seconds": seconds}


def many(folder: Path, shared: Path, number: int) -> dict[str, Any]:
    """`number` generated pairs, about as long as GPTeacher's, from a file to token rows on disk; peak memory."""
    tokenizer, path = jobs.load_tokenizer(shared), folder / "many.jsonl"
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(pair) + "\n" for pair in generated(number))
    config = RunConfig(model_name_or_path="bigcode", pairs=str(path))
    start = time.perf_counter()
    pairs.prepare(config.pairs, folder)
    read_seconds = time.perf_counter() - start
    tokens_dir, _ = dataset.prepare(folder, config, tokenizer)
    seconds = time.perf_counter() - start
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    num_tokens = len(dataset.load(tokens_dir, "train").ids)
    return {"seconds": [seconds], "read_seconds": read_seconds, "peak_bytes": peak_bytes, "num_tokens": num_tokens}


def near_duplicates(folder: Path, shared: Path, number: int) -> dict[str, Any]:
    real = jobs.load_pairs(shared, number)
    rows = real if len(real) == number else list(generated(number))
    start = time.perf_counter()
    (record,) = audit.apply_repairs(rows, [audit.NEAR_DUPLICATES])[1]
    return {"seconds": [time.perf_counter() - start], "num_left_out": record["num_left_out"]}


def generated(number: int):
    """Pairs of random words and numbers, every twentieth instruction but a word different from the one before."""
    draw = random.Random(0)
    words: list[str] = []
    for index in range(number):
        is_new = index % 20 > 0
        words = draw.choices(WORDS, k=draw.randint(8, 30)) if is_new else [*words, draw.choice(WORDS)]
        lines = [
            f"    {' '.join(draw.choices(WORDS, k=9))} = {draw.randint(0, 999)}" for _ in range(draw.randint(2, 9))
        ]
        response = "\n".join([f"def task_{index}(value):", *lines])
        yield {"instruction": f"{' '.join(words)} {index}.", "input": "", "response": response}


def gpteacher(shared: Path) -> Path:
    return shared / "gpteacher" / "codegen-instruct.json"


JOBS = {"ours": ours, "trl": trl, "many": many, "near_duplicates": near_duplicates}


def measure(job: str, shared: Path, out: Path, number: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=out) as folder:
        return jobs.in_fresh_process(JOBS[job], Path(folder), shared, number)


def compare(shared: Path, out: Path, scale: float = 1.0) -> list[list[str]]:
    print("data", flush=True)
    fast, theirs = measure("ours", shared, out, 3), measure("trl", shared, out, 3)
    ours_seconds, trl_seconds = min(fast["seconds"]), min(theirs["seconds"])
    sizes = [round(NUM_MILLION * scale / 4), round(NUM_MILLION * scale)]
    quarter, whole = (measure("many", shared, out, size) for size in sizes)
    rates = [size / result["seconds"][0] for size, result in zip(sizes, (quarter, whole), strict=True)]
    few = measure("near_duplicates", shared, out, 4535)["seconds"][0]
    large = measure("near_duplicates", shared, out, round(NUM_MANY * scale))["seconds"][0]
    row = table.row
    return [
        row("GPTeacher's 4,535 pairs to token rows", "<= 1.2 s", ours_seconds, -1.2, "{:.2f} s"),
        row("the same against TRL, packing=True", ">= 4x", trl_seconds / ours_seconds, 4, "{:.1f}x"),
        row(f"{sizes[1]:,} pairs to token rows", ">= 4,000 pairs/s", rates[1], 4000, "{:,.0f} pairs/s"),
        row("… of which a quarter", "as fast", rates[0], rates[1] * 0.8, "{:,.0f} pairs/s"),
        row("… peak memory", "< 1.5 GB", whole["peak_bytes"] / 1e9, -1.5, "{:.2f} GB"),
        row("near-duplicates of 4,535 pairs", "<= 3 s", few, -3, "{:.2f} s"),
        row(f"near-duplicates of {round(NUM_MANY * scale):,} pairs", "<= 180 s", large, -180, "{:.1f} s"),
    ]
