"""The attribution part of `make bench`: an index of pairs, and of pairs and code; loaded again, and asked.

Every measurement runs in a process of its own. Imports and the making of the pairs are not timed; the peak of memory is
that of the whole process, of which torch, which comes with `utils.model.loading`, takes some 0.4 GB.
"""

import random
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import data, jobs, table
from utils.data import pairs, sources
from utils.playground import attribution

NUM_ANSWERS, NUM_ANSWER_TOKENS = 100, 256


def index(shared: Path, out: Path, name: str, has_code: bool) -> dict[str, Any]:
    """Build the index of a source's pairs, load it as after a restart, and ask it about `NUM_ANSWERS` answers."""
    with tempfile.TemporaryDirectory(dir=out) as folder:
        data_dir = Path(folder)
        pairs_dir, _ = pairs.prepare(name, data_dir, str(data.gpteacher(shared)))
        start = time.perf_counter()
        index_dir, _ = attribution.prepare(data_dir, name, has_code)
        build_seconds = time.perf_counter() - start
        peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        start = time.perf_counter()
        loaded = attribution.Index(attribution.prepare(data_dir, name, has_code)[0])
        load_seconds = time.perf_counter() - start
        seconds, num_spans = [], 0
        for answer in answers(shared, pairs_dir):
            start = time.perf_counter()
            num_spans += len(loaded.spans(answer))
            seconds.append(time.perf_counter() - start)
        return {
            "build_seconds": build_seconds,
            "load_seconds": load_seconds,
            "query_seconds": statistics.median(seconds),
            "slowest_query_seconds": max(seconds),
            "num_spans": num_spans,
            "index_bytes": sum(path.stat().st_size for path in index_dir.iterdir()),
            "peak_bytes": peak_bytes,
        }


def answers(shared: Path, pairs_dir: Path) -> list[str]:
    """Texts that cost most: of training responses alone, drawn at random, 256 tokens long."""
    draw, tokenizer = random.Random(0), jobs.load_tokenizer(shared)
    responses = [row["response"] for row in pairs.stream(pairs_dir, pairs.TRAIN)]
    texts = ("\n".join(draw.sample(responses, 40)) for _ in range(NUM_ANSWERS))
    return [tokenizer.decode(tokenizer(text)["input_ids"][:NUM_ANSWER_TOKENS]) for text in texts]


def compare(shared: Path, out: Path) -> list[list[str]]:
    print("attribution", flush=True)
    measured = {
        "GPTeacher's pairs": (jobs.in_fresh_process(index, shared, out, sources.GPTEACHER, False), -10),
        "embedded pairs and the base's code": (
            jobs.in_fresh_process(index, shared, out, sources.PYTHON_STDLIB, True),
            -60,
        ),
    }
    row, rows = table.row, []
    for name, (result, limit) in measured.items():
        rows += [
            row(f"index of {name}", f"<= {-limit} s", result["build_seconds"], limit, "{:.1f} s"),
            row("… loaded after a restart", "< 1 s", result["load_seconds"], -1, "{:.2f} s"),
            row("… asked about 256 tokens", "<= 50 ms", 1e3 * result["query_seconds"], -50, "{:.1f} ms"),
            row("… on disk", "<= 300 MB", result["index_bytes"] / 1e6, -300, "{:,.0f} MB"),
            row("… peak memory", "< 1 GB", result["peak_bytes"] / 1e9, -1, "{:.2f} GB"),
        ]
    return rows
