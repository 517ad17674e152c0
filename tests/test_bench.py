"""`make bench` in its shortest form, in this process and without TRL: same updates for everybody, and a table."""

import json
import shutil
import statistics
from types import SimpleNamespace

import bench
import bench_answers
import bench_data
import bench_decoding
import bench_jobs as jobs
import bench_panels
import bench_playground
import bench_table as table
import bench_worker as worker
import pytest
import torch
from transformers import AutoTokenizer

from utils import model
from utils.config import RunConfig
from utils.generate import GenerationSettings


def run(spec, config, **options):
    return worker.run(spec)


@pytest.fixture(scope="module")
def job(world, tmp_path_factory):
    """Pairs, a tokenizer and a model shape that take a second each."""
    pairs = [json.loads(line) for line in (world[0] / "pairs" / "some" / "train.jsonl").read_text().splitlines()]
    folder = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(jobs.SHAPES, "tiny", (2, 4, 32, 512))
        patch.setattr(jobs, "VOCABULARY", 320)
        yield folder, pairs[:32], AutoTokenizer.from_pretrained(world[1].model_name_or_path)


def test_every_contender_makes_the_same_updates(job):
    data_dir, pairs, tokenizer = job
    settings = dict(train_batch_size=8, max_length=400, tokens_per_device=512, learning_rate=1e-2)
    config = jobs.build_job(data_dir / "same", "tiny", pairs, tokenizer, **settings)
    specs = [
        {"trainer": "plain", "dtype": "float32"},
        {"trainer": "ours", "dtype": "float32", "rate": True},
        {"trainer": "transformers", "layout": "padded", "dtype": "float32", "num_pairs": 4},
        {"trainer": "ours", "dtype": "bfloat16", "rate": True},
        {"trainer": "transformers", "layout": "padded", "dtype": "bfloat16", "num_pairs": 4},
    ]
    plain, *others = (bench.measure(data_dir / "same", config, spec, run) for spec in specs)
    assert len(plain["losses"]) == 4 and plain["losses"][-1] < 0.9 * plain["losses"][0]
    for result in others:
        assert result["num_tokens"] == plain["num_tokens"]
        limit = 1e-4 if result["spec"]["dtype"] == "float32" else 0.02
        assert table.difference(result, plain) < limit, result["name"]
    trl = others[1] | {"name": "trl padded bfloat16"}  # TRL itself is measured by `make bench` only
    figures = {
        "finals": [*others, trl],
        "losses": [plain, others[0]],
        "machine": "a machine",
        "versions": table.versions(),
    }
    text = table.markdown(figures | {"launch_seconds": [3.0, 13.0, 14.0], "ranks": [[others[0]], [others[0]]]})
    assert "| launch to first update, 2 ranks | <= 12 s | 13.0 s | **no** |" in text
    assert "| 2 ranks slower than 1, in all | <= 20 % | 0 % | yes |" in text
    assert "On a GPU: not measured." in text and text.count("GFLOP/s, ours") == 2


def test_a_model_is_measured_and_its_recipe_extrapolated(job):
    data_dir, pairs, tokenizer = job
    with torch.compiler.set_stance("force_eager"):  # torchao compiles its update, which takes a CPU a minute
        results = bench.measure_model(data_dir / "model", "tiny", pairs[:4], tokenizer, "cpu", 6, run)
    assert all(len(result["losses"]) == 6 and result["planned_bytes"] > 0 for result in results)
    assert [result["name"] for result in results] == [
        "ours bfloat16", "ours bfloat16_weights", "ours bfloat16_weights adamw_torch_8bit",
    ]  # fmt: skip
    text = table.of_model({"shape": "tiny", "model": results})
    assert text.count("(extrapolated)") == len(results) > 0 and "| 2 |" in text


def test_what_does_not_fit_by_its_plan_is_told_and_not_tried(job, capsys, monkeypatch):
    data_dir, pairs, tokenizer = job
    monkeypatch.setattr(bench.planner, "devices", lambda number: (bench.planner.Device("small", 2**20, "cpu"),))
    assert bench.measure_model(data_dir / "small", "tiny", pairs[:4], tokenizer, "cpu", 6, run) == []
    assert capsys.readouterr().out.count("GiB of 0.0 GiB") == 3


def test_decoding_stands_beside_the_limit_of_the_bandwidth(world, monkeypatch):
    monkeypatch.setattr(bench_decoding, "COPY_BYTES", {"cpu": 2**16})
    rows = bench_decoding.compare(world[1].model_name_or_path, 5, 1)
    assert len(rows) == 3 and all("tokens/s" in row[2] for row in rows)
    assert "| not measured |" in table.markdown(
        {"machine": "", "versions": {}, "decoding": bench_decoding.NOT_MEASURED}
    )


def test_rates_and_shares_leave_the_first_update_out():
    result = {"times": [9.0, 10.0, 12.0], "num_tokens": [7, 100, 100], "flop": [7, 40, 80], "flop_per_second": 50.0}
    assert table.rates(result) == [100.0, 50.0]
    assert table.tokens_per_second([result]) == statistics.median([100.0, 50.0])
    assert table.share([result]) == pytest.approx((40 + 80) / 3 / 50)


def test_the_data_jobs_run_and_their_figures_stand_beside_the_bars(job, tmp_path, shared_data, monkeypatch):
    monkeypatch.setattr(bench_data, "measure", lambda job, shared, out, number: data_job(job, tmp_path, shared, number))
    text = table.table(["data", "to reach", "here", "reached"], bench_data.compare(shared_data, tmp_path, 0.001))
    assert "| 1,000 pairs to token rows | >= 4,000 pairs/s |" in text
    assert "| near-duplicates of 4,535 pairs | <= 3 s |" in text


def data_job(job, folder, shared, number):
    """A job in this process; TRL itself is measured by `make bench` only."""
    if job == "trl":
        return {"seconds": [100.0]}
    folder = folder / f"{job}-{number}"
    folder.mkdir()
    result = bench_data.JOBS[job](folder, shared, 1 if job == "ours" else number)
    if job == "near_duplicates":
        assert result["num_left_out"] > 0
    return result


def test_the_answers_of_base_and_tuned_stand_beside_the_bars(world, monkeypatch):
    data_dir, config = world
    run_dir = data_dir / "runs" / "tiny-python-stdlib"
    shutil.copytree(config.model_name_or_path, run_dir / "model")
    rows = [
        {"kind": "write", "instruction": f"Write it.\n\ndef f{i}(a):", "input": "", "response": ""} for i in range(3)
    ]
    monkeypatch.setattr(bench_answers.pairs, "load", lambda *_: rows)
    monkeypatch.setattr(RunConfig, "from_preset", lambda *_: config.with_changes(pairs="python-stdlib"))
    texts = ["import os\nprint(os.sep)\n"]
    monkeypatch.setattr(
        bench_answers.code_files,
        "standard_library",
        lambda: [SimpleNamespace(text=text, split="validation") for text in texts],
    )
    try:
        found = {row[0]: row[1:] for row in bench_answers.compare(data_dir, 2, 1)}
    finally:
        shutil.rmtree(run_dir)
    assert found["bits per byte, 24 bytes of held-out modules"][2] == "**no**"
    assert found["one missing line of 1, exactly"] == [">= 8 %", "0 % (0 to 79)", "**no**"]
    assert found["2 held-out pairs, tuned (base): parses as Python"][0] == ">= 85 %"
    assert found["one answer, streamed"][1].endswith("tokens/s")


def test_the_panels_are_measured_on_a_long_run(tmp_path):
    rows = bench_panels.compare(tmp_path, 2000, 2.0)
    assert [row[0] for row in rows] == ["04 draws 2,000 lines of metrics", "the live panel on them, of one core"]


def test_the_playground_is_measured_on_equal_answers(world):
    name = world[1].model_name_or_path
    found = {row[0]: row[1:] for row in bench_playground.compare(name, 6, 1)}
    assert found["one answer, streamed"][1].endswith("tokens/s")
    assert found["two answers in one batch against one after the other"][0] == ">= 1.5x"
    assert [row[1] for title, row in found.items() if title.startswith("static")].count("not measured") == 1
    network, tokenizer = model.load(name)
    tokenizer.eos_token = None
    settings, row = GenerationSettings(max_new_tokens=6), tokenizer("x")["input_ids"]
    assert (
        bench_playground.generated(network, row, 6) == bench_playground.streamed(network, tokenizer, [row], settings)[0]
    )
