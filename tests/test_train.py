"""Training: the same arithmetic packed and padded, on one rank and on two, interrupted and not."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM

from utils import artifacts, metrics, model, packing
from utils.artifacts import ROOT
from utils.errors import UserError
from utils.loss import SummedCrossEntropy, trained_loss
from utils.ranks import Ranks
from utils.train import Training, main, only_one

CPU = torch.device("cpu")


@pytest.fixture
def new_run(world):
    """`new_run(name, **changes)`: the folder of a run with these settings, ready to train."""
    data_dir, config = world
    made = []

    def make(name, **changes):
        run_dir = data_dir / "runs" / name
        run_dir.mkdir(parents=True)
        config.with_changes(**changes).save(run_dir / "config.json")
        made.append(run_dir)
        return run_dir

    yield make
    for run_dir in made:
        shutil.rmtree(run_dir)


def train_on(num_ranks, run_dir):
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(num_ranks)]
    command = [sys.executable, *launcher, "-m", "utils.train", str(run_dir)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return metrics.read(run_dir)


def losses(records):
    return [record.get("loss", record.get("eval_loss")) for record in records]


def weights(run_dir):
    return AutoModelForCausalLM.from_pretrained(run_dir / "model", dtype=torch.float32).state_dict()


def without_times(records):
    return [{k: v for k, v in r.items() if k not in ("seconds", "tokens_per_second", "memory_bytes")} for r in records]


def test_packed_and_padded_give_the_same_loss(world):
    data_dir, config = world
    rows = packing.load(artifacts.tokens_dir(data_dir, config), "train")
    chosen = np.array([3, 11, 0, 20, 6])
    plain = AutoModelForCausalLM.from_pretrained(config.model_name_or_path, dtype=torch.float32).eval()
    longest = int(rows.lengths[chosen].max())
    input_ids, labels = torch.full((5, longest), 4), torch.full((5, longest), -100)
    mask = torch.zeros(5, longest, dtype=torch.long)
    for index, row in enumerate(chosen):
        length, start = int(rows.lengths[row]), int(rows.prompt_lengths[row])
        input_ids[index, :length] = torch.from_numpy(rows[row].astype(np.int64))
        labels[index, start:length] = input_ids[index, start:length]
        mask[index, :length] = 1
    logits = plain(input_ids, attention_mask=mask).logits[:, :-1]
    padded = functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten(), reduction="sum")

    network = model.load_for_training(config, data_dir, CPU, 1)
    packed = sum(trained_loss(network, block, CPU) for block in packing.blocks_of(rows, chosen, 512))
    torch.testing.assert_close(packed, padded, rtol=1e-5, atol=0)


def test_the_pairs_of_a_block_do_not_see_each_other(world):
    data_dir, config = world
    rows = packing.load(artifacts.tokens_dir(data_dir, config), "train")
    network = model.load_for_training(config, data_dir, CPU, 1)
    alone = trained_loss(network, packing.build_block(rows, [7]), CPU)
    first = trained_loss(network, packing.build_block(rows, [2]), CPU)
    both = trained_loss(network, packing.build_block(rows, [2, 7]), CPU)
    torch.testing.assert_close(both, alone + first, rtol=1e-5, atol=0)


def test_two_ranks_make_the_updates_of_one(new_run):
    one, two = new_run("one"), new_run("two")
    alone, together = train_on(1, one), train_on(2, two)
    assert [record["step"] for record in alone] == [record["step"] for record in together]
    np.testing.assert_allclose(losses(together), losses(alone), rtol=1e-5)
    assert losses(alone)[-1] < losses(alone)[0] * 0.8
    assert [r.get("num_trained_tokens") for r in alone] == [r.get("num_trained_tokens") for r in together]
    for name, tensor in weights(one).items():
        torch.testing.assert_close(weights(two)[name], tensor, rtol=0, atol=2e-4)


def test_a_stopped_run_goes_on_to_the_same_bits(new_run, monkeypatch):
    whole, stopped = new_run("whole"), new_run("stopped")
    main(whole)

    def stop_after_five(self, *arguments):
        result = update(self, *arguments)
        if self.progress.step == 4:
            (stopped / "STOP").touch()
        return result

    update = Training.update
    monkeypatch.setattr(Training, "update", stop_after_five)
    main(stopped)
    assert json.loads((stopped / "outcome.json").read_text()) == {"outcome": "stopped"}
    assert not (stopped / "model").exists()
    assert metrics.train_lines(metrics.read(stopped))[-1]["step"] == 5
    # As after a crash: an update that no checkpoint holds, and half a line.
    with open(stopped / "metrics.jsonl", "a") as file:
        file.write('{"kind": "train", "step": 6, "loss": 0.0}\n{"kind": "tr')
    main(stopped)
    assert without_times(metrics.read(stopped)) == without_times(metrics.read(whole))
    assert all(torch.equal(weights(stopped)[name], tensor) for name, tensor in weights(whole).items())


def test_a_run_on_two_ranks_goes_on_on_one(new_run):
    whole, moved = new_run("on-one"), new_run("moved", save_steps=2, num_train_epochs=1.0, lr_scheduler_type="constant")
    train_on(2, moved)
    shutil.rmtree(moved / "model")
    steps = max(record["step"] for record in metrics.read(moved))
    config = json.loads((moved / "config.json").read_text()) | {"num_train_epochs": 2.0}
    (moved / "config.json").write_text(json.dumps(config))
    (whole / "config.json").write_text(json.dumps(config))
    main(moved)
    main(whole)
    assert [r["step"] for r in metrics.read(moved) if r["kind"] == "train"] == list(range(1, 2 * steps + 1))
    by_step = {r["step"]: r["loss"] for r in metrics.train_lines(metrics.read(whole))}
    for record in metrics.train_lines(metrics.read(moved)):
        assert record["loss"] == pytest.approx(by_step[record["step"]], rel=1e-4)


def test_the_saved_model_has_the_logits_of_the_trained_one(world, new_run):
    run_dir = new_run("saved")
    data_dir, config = world
    training = Training(run_dir, config, Ranks())
    assert training.train() == "finished"
    reloaded = AutoModelForCausalLM.from_pretrained(run_dir / "model", dtype=torch.float32).eval()
    ids = torch.arange(50)[None]
    with torch.no_grad():
        mine = training.model.eval()(ids, use_cache=False, document_starts=[0, 50]).logits
        torch.testing.assert_close(reloaded(ids).logits, mine, rtol=1e-5, atol=1e-5)
    assert "embedded" not in json.loads((run_dir / "model" / "config.json").read_text()).get("_name_or_path", "")


def test_a_loss_that_is_not_finite_stops_before_the_weights_move(world, new_run):
    data_dir, config = world
    training = Training(new_run("nan"), config, Ranks())
    with torch.no_grad():
        training.model.transformer.ln_f.weight[0] = torch.inf
    before = {name: parameter.clone() for name, parameter in training.model.named_parameters()}
    with pytest.raises(
        UserError, match=r"update 1: loss (nan|inf).*weights were not changed.*rows of the update: \[5, 2"
    ):
        training.update(np.array([5, 2]), 1e-3)
    with pytest.raises(UserError, match=r"evaluation after update 0: loss (nan|inf)"):
        training.train()
    assert all(torch.equal(before[name], parameter) for name, parameter in training.model.named_parameters())


def test_a_run_whose_tokens_changed_is_not_gone_on_with(world, new_run):
    data_dir, config = world
    run_dir = new_run("stale")
    Training(run_dir, config, Ranks())
    manifest = artifacts.read_manifest(run_dir)
    manifest["inputs"]["train.ids.npy"] = "0" * 64
    artifacts.write_json(run_dir / "manifest.json", manifest)
    with pytest.raises(UserError, match="changed since this run began"):
        Training(run_dir, config, Ranks())


def test_two_processes_do_not_train_in_one_folder(new_run):
    run_dir = new_run("busy")
    with only_one(run_dir, Ranks()), pytest.raises(UserError, match="trained by another process"):
        main(run_dir)


def test_without_validation_rows_training_still_works(world, new_run):
    data_dir, config = world
    training = Training(new_run("no-validation"), config, Ranks())
    training.eval_chosen = np.array([], dtype=int)
    assert training.train() == "finished"
    assert metrics.eval_lines(metrics.read(training.run_dir)) == []


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-6), (torch.bfloat16, 1e-2)])
def test_the_loss_and_its_gradient_are_those_of_torch(dtype, tolerance, monkeypatch):
    monkeypatch.setattr("utils.loss.CHUNK_BYTES", 4 * 50 * 7)  # seven rows at a time, and a rest
    hidden, head = (torch.randn(shape, dtype=dtype, requires_grad=True) for shape in [(40, 16), (50, 16)])
    targets = torch.randint(0, 50, (40,))
    expected = 0.3 * functional.cross_entropy((hidden @ head.T).float(), targets, reduction="sum")
    loss = 0.3 * SummedCrossEntropy.apply(hidden @ head.T, targets)
    torch.testing.assert_close(loss, expected)
    for mine, theirs in zip(*(torch.autograd.grad(one, (hidden, head)) for one in (loss, expected)), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=tolerance, atol=tolerance * float(theirs.abs().max()))
