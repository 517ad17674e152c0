"""`make bench` in its shortest form, in this process and without TRL: same updates for everybody, and a table."""

import json
import math
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoTokenizer

from benchmarks import __main__ as bench
from benchmarks import answers, data, decoding, gpu, jobs, panels, playground, table, worker
from utils import artifacts
from utils.data.pairs import load as load_pairs
from utils.errors import UserError
from utils.model import loading
from utils.model.generation import GenerationSettings


def run(spec, config, **options):
    if spec["trainer"] == "trl":
        raise UserError("trl is not installed")
    with torch.compiler.set_stance("force_eager"):  # torchao compiles its update, which takes a CPU a minute
        return worker.run(spec)


@pytest.fixture(scope="module")
def job(world):
    """Pairs and a tokenizer, and shapes of models that take a second each."""
    pairs = load_pairs(artifacts.pairs_dir(world[0], world[1].pairs), "train")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(jobs.SHAPES, "tiny", (2, 4, 32, 512))
        patch.setattr(jobs, "VOCABULARY", 320)
        yield pairs[:32], AutoTokenizer.from_pretrained(world[1].model_name_or_path)


@pytest.fixture
def bench_here(job, tmp_path):
    return jobs.Bench(tmp_path / "data", run=run)


@pytest.mark.slow
def test_every_contender_makes_the_same_updates(job, bench_here):
    pairs, tokenizer = job
    settings = dict(train_batch_size=8, max_length=400, tokens_per_device=512, learning_rate=1e-2)
    config = jobs.build_job(bench_here.data_dir, "tiny", pairs, tokenizer, **settings)
    specs = [
        {"trainer": "plain", "dtype": "float32"},
        {"trainer": "ours", "dtype": "float32"},
        {"trainer": "transformers", "layout": "padded", "dtype": "float32", "num_pairs": 4},
        {"trainer": "ours", "dtype": "bfloat16"},
        {"trainer": "transformers", "layout": "padded", "dtype": "bfloat16", "num_pairs": 4},
        {"trainer": "trl", "layout": "packed", "dtype": "bfloat16", "num_pairs": 1},
    ]
    plain, *others, trl = (bench_here.measure(config, spec) for spec in specs)
    assert len(plain["losses"]) == 4 and plain["losses"][-1] < 0.9 * plain["losses"][0]
    for result in others:
        assert result["num_tokens"] == plain["num_tokens"]
        limit = 1e-4 if result["spec"]["dtype"] == "float32" else 0.02
        assert table.difference(result, plain) < limit, result["name"]
    assert bench_here.failures == [trl["name"]]
    text = table.training({
        "heats": [trl], "finals": [*others, trl], "losses": [plain, others[0]], "launch_seconds": [3.0, 13.0, 14.0],
        "ranks": [[others[0]], [others[0]]],
    })  # fmt: skip
    assert "| launch to first update, 2 ranks | <= 12 s | 13.0 s | **no** |" in text
    assert "| 2 ranks slower than 1, in all | <= 20 % | 0 % | yes |" in text
    assert "against TRL's best, none | >= 3x | not measured |" in text and text.count("trl is not installed") == 2
    assert "On a GPU: not measured." in text and text.count("GFLOP/s, ours") == 2


@pytest.mark.slow
def test_arithmetic_is_held_against_a_plain_loop(job, bench_here):
    pairs, tokenizer = job
    figures, text = gpu.arithmetic(bench_here, pairs, tokenizer, 4, 8)
    assert bench_here.failures == [] and len(figures["results"]) == 7
    assert text.count(" yes |") == 7 and "not measured" in text


@pytest.mark.slow
def test_contenders_are_compared_in_the_same_dtype(job, bench_here):
    pairs, tokenizer = job
    figures, text = gpu.contenders(bench_here, pairs[:16], tokenizer, 2, 8, "tiny")
    assert text.count("not measured: trl is not installed") == 2 == len(bench_here.failures)
    assert text.count("| not measured |") == 4  # the bars are those of 1.1B on a GPU
    dtypes = [result["spec"]["dtype"] for result in figures["results"]]
    assert dtypes == ["bfloat16_weights"] * 3 + ["bfloat16"] * 3


@pytest.mark.slow
def test_training_is_measured_and_its_recipe_extrapolated(job, bench_here):
    pairs, tokenizer = job
    figures, text = gpu.training(bench_here, pairs[:8], tokenizer, 6, 4, "tiny", {"learning_rate": 1e-3})
    names = ["adamw_bfloat16", "adamw_torch_8bit", "", ""]
    assert [result["spec"]["settings"].get("optim", "") for result in figures["results"]] == names
    for result in figures["results"]:
        assert len(result["losses"]) == 6 and result["planned_bytes"] > 0
        assert result["load_seconds"] > 0 and result["save_seconds"] > 0
    assert "activation_checkpointing" in figures["results"][0]["name"] and "learning_rate=0.001" in text
    assert text.count("| not measured |") == 5
    assert not list((bench_here.data_dir / "runs").glob("*/model"))


def test_bars_are_those_of_the_fastest_with_a_real_shape():
    slow = {"times": [*range(8)], "num_tokens": [3000] * 8, "flop": [40.0] * 8, "flop_per_second": 100.0}
    slow |= {"memory_bytes": 100 * 2**30, "planned_bytes": 95 * 2**30}
    fast = slow | {"num_tokens": [2000] * 4 + [3100] * 4, "memory_bytes": 140 * 2**30, "planned_bytes": 120 * 2**30}
    rows = gpu._bars("15.5B", [slow, fast, {"left_out": "needs more"}]).splitlines()[2:]
    found = ["691 s | yes", "140.0 GiB | **no**", "40 % | **no**", "not measured | ", "17 % | **no**"]
    assert [" | ".join(row.strip(" |").split(" | ")[2:]) for row in rows] == [text.strip(" |") for text in found]


@pytest.mark.slow
def test_decoding_stands_beside_the_limit_of_the_bandwidth(job, bench_here, monkeypatch):
    monkeypatch.setattr(decoding, "COPY_BYTES", {"cpu": 2**16})
    figures, text = gpu.decoding(bench_here, job[1], "tiny", num_tokens=5, num_rounds=1)
    assert len(figures["rows"]) == 3 and text.count("tokens/s") == 2
    assert "| 15.5B on a GPU | >= 70 % | not measured |  |" in text


def test_a_part_is_kept_when_another_fails(bench_here, tmp_path, capsys):
    def broken():
        raise RuntimeError("CUDA | out\nof memory")

    bench.run_parts(bench_here, {"one": broken, "two": lambda: ({"figure": 1}, "| text |")}, tmp_path)
    assert bench_here.failures == ["one"]
    assert "not measured: RuntimeError: CUDA / out |" in next(tmp_path.glob("cpu-one-*.md")).read_text()
    assert json.loads(next(tmp_path.glob("cpu-two-*.json")).read_text()) == {"figure": 1}
    assert "| text |" in capsys.readouterr().out


@pytest.mark.slow
def test_a_worker_that_fails_says_why_and_one_without_time_is_stopped(world, tmp_path):
    spec = {"trainer": "ours", "run_dir": str(tmp_path)}
    with pytest.raises(UserError, match="config.json does not exist"):
        jobs.run_worker(spec, world[1])
    with pytest.raises(UserError, match="stopped after 0 s"):
        jobs.run_worker(spec, world[1], seconds=-1.0)


def test_rates_and_shares_leave_the_first_update_out():
    result = {"times": [9.0, 10.0, 12.0], "num_tokens": [7, 100, 100], "flop": [7, 40, 80], "flop_per_second": 50.0}
    assert table.rates(result) == [100.0, 50.0]
    assert table.tokens_per_second([result]) == 75.0
    assert table.share([result]) == pytest.approx((40 + 80) / 3 / 50)


@pytest.mark.slow
def test_the_data_jobs_run_and_their_figures_stand_beside_the_bars(job, tmp_path, shared_data, monkeypatch):
    monkeypatch.setattr(data, "measure", lambda job, shared, out, number: data_job(job, tmp_path, shared, number))
    text = table.bars("data", data.compare(shared_data, tmp_path, 0.001))
    assert "| 1,000 pairs to token rows | >= 4,000 pairs/s |" in text
    assert "| near-duplicates of 4,535 pairs | <= 3 s |" in text


def data_job(job, folder, shared, number):
    """A job in this process; TRL itself is measured by `make bench` only."""
    if job == "trl":
        return {"seconds": [100.0]}
    folder = folder / f"{job}-{number}"
    folder.mkdir()
    result = data.JOBS[job](folder, shared, 1 if job == "ours" else number)
    if job == "near_duplicates":
        assert result["num_left_out"] > 0
    return result


def test_bits_per_byte_stand_beside_the_bar(monkeypatch):
    modules = [SimpleNamespace(text="import os\nprint(os.sep)\n", split=split) for split in ("train", "validation")]
    monkeypatch.setattr(answers.code_files, "standard_library", lambda: modules)
    bits, packed = answers.compare()
    assert bits[0] == "bits per byte, 24 bytes of held-out modules" and float(bits[2]) > 0
    assert float(packed[2]) > 8, "xz alone has a header"


@pytest.mark.parametrize("length", [1, 30, 300])
def test_bits_per_byte_are_those_of_the_loop_that_transformers_documents(world, length):
    """Its page on the perplexity of models with a fixed length, whose windows are all of the target tokens' logits."""
    model, tokenizer = loading.load(world[1].model_name_or_path)
    text = ("def add(a, b): é\n" * 30)[:length]
    ids = [tokenizer.eos_token_id, *tokenizer(text)["input_ids"]]
    ids, context, stride = torch.tensor([ids]), 32, 16
    nats, previous_end = 0.0, 0
    with torch.no_grad():
        for begin in range(0, ids.shape[1], stride):
            end = min(begin + context, ids.shape[1])
            num_targets = end - previous_end
            input_ids = ids[:, begin:end]
            labels = input_ids.clone()
            labels[:, :-num_targets] = -100
            num_predicted = int((labels[:, 1:] != -100).sum())
            if num_predicted:
                nats += model(input_ids, labels=labels).loss.item() * num_predicted
            previous_end = end
            if end == ids.shape[1]:
                break
    expected = nats / math.log(2) / len(text.encode())
    assert answers.bits_per_byte(model, tokenizer, [text], context, stride) == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_the_panels_are_measured_on_a_long_run(tmp_path):
    rows = panels.compare(tmp_path, 2000, 0.5)
    assert [row[0] for row in rows] == ["04 draws 2,000 lines of metrics", "the live panel on them, of one core"]


@pytest.mark.slow
def test_the_playground_is_measured_on_equal_answers(world):
    name = world[1].model_name_or_path
    found = {row[0]: row[1:] for row in playground.compare(name, 6, 1)}
    assert found["one answer, streamed"][1].endswith("tokens/s")
    assert found["two answers in one batch against one after the other"][0] == ">= 1.5x"
    network, tokenizer = loading.load(name)
    tokenizer.eos_token = None
    settings, row = GenerationSettings(max_new_tokens=6), tokenizer("x")["input_ids"]
    assert playground.generated(network, row, 6) == playground.streamed(network, tokenizer, [row], settings)[0]
