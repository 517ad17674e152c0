"""Training: the same arithmetic packed and padded, on one rank and on two, interrupted and not."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch.nn import functional
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DataCollatorForSeq2Seq,
    Qwen2Config,
    Starcoder2Config,
)

from support.forked_ranks import train_on
from support.metric_lines import train_line
from support.world import make_world
from utils import artifacts, files
from utils.config import RunConfig
from utils.data import pairs
from utils.errors import UserError
from utils.model import generation, loading
from utils.planning import planner
from utils.runs import folders, metrics
from utils.tokens import dataset, packing
from utils.training import checkpoint, optim, resume, samples
from utils.training.__main__ import main
from utils.training.distributed import Ranks
from utils.training.loss import SummedCrossEntropy, target_loss
from utils.training.trainer import Training

CPU = torch.device("cpu")
MEASURED = ("seconds", "eval_seconds", "tokens_per_second", "mfu", "memory_bytes")


def losses(records):
    return [record.get("loss", record.get("eval_loss")) for record in records]


def weights(run_dir):
    return AutoModelForCausalLM.from_pretrained(run_dir / "model", dtype=torch.float32).state_dict()


def without_times(records):
    return [{k: v for k, v in r.items() if k not in MEASURED} for r in records]


def test_packed_and_padded_give_the_same_loss(world, rows):
    _, config = world
    chosen = np.array([3, 11, 0, 20, 6])
    plain = AutoModelForCausalLM.from_pretrained(config.model_name_or_path, dtype=torch.float32).eval()
    collator = DataCollatorForSeq2Seq(AutoTokenizer.from_pretrained(config.model_name_or_path))
    pairs = [(rows[row].tolist(), int(rows.prompt_lengths[row])) for row in chosen]
    batch = collator([{"input_ids": ids, "labels": [-100] * start + ids[start:]} for ids, start in pairs])
    labels = batch.pop("labels")[:, 1:].flatten()
    padded = functional.cross_entropy(plain(**batch).logits[:, :-1].flatten(0, 1), labels, reduction="sum")

    network = loading.load_for_training(config, CPU, 1)
    packed = sum(target_loss(network, block, CPU) for block in packing.blocks_of(rows, chosen, 512))
    torch.testing.assert_close(packed, padded, rtol=1e-5, atol=0)


def test_a_run_on_one_pair(tmp_path):
    data_dir, config = make_world(tmp_path, 1)
    counts = pairs.row_counts(artifacts.pairs_dir(data_dir, config.pairs))
    assert counts["num_train"] == 1  # so none is for validation
    run_dir = folders.new_run_dir(data_dir, config)
    run_dir.mkdir(parents=True)
    with pytest.raises(UserError, match="early_stopping_patience needs validation pairs"):
        Training(run_dir, config.with_changes(early_stopping_patience=1), Ranks())
    Training(run_dir, config, Ranks()).train()
    records = metrics.read(run_dir)
    assert len(metrics.train_lines(records)) == 2 and not metrics.eval_lines(records)
    assert planner.plan(config, data_dir).num_updates == 2
    with pytest.raises(UserError, match="none of the 1 training pairs has at most 9 tokens"):
        Training(run_dir.with_name("other"), config.with_changes(max_length=9), Ranks())


@pytest.mark.slow
@pytest.mark.parametrize("reshard, checkpointing", [(True, "selective"), (False, "none")])
def test_two_ranks_make_the_updates_of_one(new_run, reshard, checkpointing):
    # Blocks so small that each rank has several: gradients are summed over them, and then over the ranks.
    small = dict(tokens_per_device=400, reshard_after_forward=reshard, activation_checkpointing=checkpointing)
    one, two = new_run("one"), new_run("two", **small)
    alone, together = train_on(1, one), train_on(2, two)
    assert [record["step"] for record in alone] == [record["step"] for record in together]
    np.testing.assert_allclose(losses(together), losses(alone), rtol=1e-5)
    assert losses(alone)[-1] < losses(alone)[0] * 0.8
    assert [r.get("num_target_tokens") for r in alone] == [r.get("num_target_tokens") for r in together]
    for name, tensor in weights(one).items():
        torch.testing.assert_close(weights(two)[name], tensor, rtol=0, atol=2e-4)


@pytest.mark.slow
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
        file.write(json.dumps(train_line(6)) + '\n{"kind": "tr')
    main(stopped)
    assert without_times(metrics.read(stopped)) == without_times(metrics.read(whole))
    assert all(torch.equal(weights(stopped)[name], tensor) for name, tensor in weights(whole).items())


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("num_ranks", [1, 2])
def test_samples_are_what_the_saved_model_answers_to_the_prompts_of_training(world, new_run, num_ranks):
    data_dir, config = world
    run_dir = new_run("sampled", num_samples=2)
    train_on(num_ranks, run_dir)
    lines = metrics.read(run_dir, metrics.SAMPLES)
    evals = metrics.eval_lines(metrics.read(run_dir))
    assert [line["step"] for line in lines] == [line["step"] for line in evals for _ in range(2)]
    network, tokenizer = loading.load(str(run_dir / "model"))
    rows = dataset.load(artifacts.tokens_dir(data_dir, config), "validation")
    for line in lines[-2:]:
        prompt = rows[line["row"]][: rows.prompt_lengths[line["row"]]].tolist()
        settings = generation.GenerationSettings(max_new_tokens=samples.MAX_NEW_TOKENS)
        (answer,) = generation.generate_rows(network, tokenizer, [prompt], settings)
        assert line["prompt"] == tokenizer.decode(prompt)
        assert (line["answer"], line["reason"]) == answer
    assert lines[0]["answer"] != lines[-2]["answer"]


def test_a_loss_that_is_not_finite_stops_before_the_weights_move(world, new_run):
    data_dir, config = world
    training = Training(new_run("nan"), config, Ranks())
    with torch.no_grad():
        training.model.transformer.ln_f.weight[0] = torch.inf
    before = {name: parameter.clone() for name, parameter in training.model.named_parameters()}
    with pytest.raises(
        UserError,
        match=r"update 1: loss (nan|inf).*on rank: \[0\].*this update was not made.*rows of the update: \[5, 2",
    ):
        rows = np.array([5, 2])
        training.update(rows, packing.blocks_of(training.rows, rows, 512), 1e-3)
    with pytest.raises(UserError, match=r"evaluation after update 0: loss (nan|inf)"):
        training.train()
    assert all(torch.equal(before[name], parameter) for name, parameter in training.model.named_parameters())


def test_values_that_are_not_finite_are_not_saved(world, new_run):
    training = Training(new_run("inf"), world[1], Ranks())
    with torch.no_grad():
        training.model.transformer.ln_f.weight[0] = torch.inf
    for save in (training.save_checkpoint, training.save_model):
        with pytest.raises(UserError, match="after update 0, weights .* are not finite and are not saved"):
            save()
    training.saver.wait()
    assert checkpoint.found(training.run_dir) == [] and not (training.run_dir / "model").exists()


@pytest.mark.parametrize("lora_rank", [0, 4])
@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_run_whose_base_model_changed_is_not_resumed(world, new_run, tmp_path, name, lora_rank):
    model = Path(shutil.copytree(world[1].model_name_or_path, tmp_path / "model"))
    config = world[1].with_changes(model_name_or_path=str(model), lora_rank=lora_rank)
    run_dir, tokens_dir = new_run("base"), artifacts.tokens_dir(*world)
    run_id = resume.record(run_dir, tokens_dir, config, {}, True)
    with open(model / name, "ab") as file:
        file.write(b"\n")
    if name == "config.json" or lora_rank:
        with pytest.raises(UserError, match="the model .* changed since this run began"):
            resume.record(run_dir, tokens_dir, config, {}, True)
    else:  # the weights are those of the checkpoint
        assert resume.record(run_dir, tokens_dir, config, {}, True) == run_id


def test_a_run_whose_tokens_changed_is_not_gone_on_with(world, new_run):
    data_dir, config = world
    run_dir = new_run("stale")
    Training(run_dir, config, Ranks())
    manifest = artifacts.read_manifest(run_dir)
    manifest["inputs"]["train.ids.npy"] = "0" * 64
    files.write_json(run_dir / "manifest.json", manifest)
    with pytest.raises(UserError, match="changed since this run began"):
        Training(run_dir, config, Ranks())


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-6), (torch.bfloat16, 1e-2)])
def test_the_loss_and_its_gradient_are_those_of_torch(dtype, tolerance, monkeypatch):
    monkeypatch.setattr("utils.training.loss.CHUNK_BYTES", {"cpu": 4 * 50 * 7})  # seven rows at a time, and a rest
    hidden, head = (torch.randn(shape, dtype=dtype, requires_grad=True) for shape in [(40, 16), (50, 16)])
    targets = torch.randint(0, 50, (40,))
    expected = 0.3 * functional.cross_entropy((hidden @ head.T).float(), targets, reduction="sum")
    loss = 0.3 * SummedCrossEntropy.apply(hidden @ head.T, targets)
    torch.testing.assert_close(loss, expected)
    for mine, theirs in zip(*(torch.autograd.grad(one, (hidden, head)) for one in (loss, expected)), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=tolerance, atol=tolerance * float(theirs.abs().max()))


@pytest.mark.slow
def test_weights_in_bfloat16_do_not_lose_small_updates():
    torch.manual_seed(0)
    values = torch.full((100_000,), 1.0 + 2e-5)
    rounded = optim.round_stochastically(values)
    assert set(rounded.tolist()) == {1.0, 1.0078125}, "the neighbours of the value, and nothing else"
    assert rounded.double().mean().item() == pytest.approx(1 + 2e-5, abs=1e-5)
    exact = torch.randn(1000).bfloat16()
    assert torch.equal(optim.round_stochastically(exact.float()), exact)

    # A gradient of 1 moves a weight of 1 by the learning rate each time: 200 updates of 2e-5 are 0.004.
    def trained(make, weight):
        parameter = torch.nn.Parameter(weight)
        optimizer = make([parameter])
        for _ in range(200):
            parameter.grad = torch.ones_like(parameter)
            optimizer.step()
        return parameter.detach().double().mean().item()

    options = dict(lr=2e-5, betas=(0.9, 0.999), eps=1e-8)
    reference = trained(lambda p: torch.optim.AdamW(p, **options, weight_decay=0), torch.ones(20_000))
    nearest = trained(lambda p: torch.optim.AdamW(p, **options, weight_decay=0), torch.ones(20_000).bfloat16())
    assert reference == pytest.approx(1 - 0.004, abs=1e-5) and nearest == 1.0
    for dtypes in (torch.bfloat16, torch.float32), (torch.bfloat16, torch.bfloat16), (torch.float32, torch.bfloat16):
        weight_dtype, options["state_dtype"] = dtypes
        by_chance = trained(lambda p: optim.StochasticAdamW(p, **options), torch.ones(20_000, dtype=weight_dtype))
        assert by_chance == pytest.approx(reference, abs=3e-4), dtypes


def test_in_float32_it_is_the_adamw_of_torch():
    torch.manual_seed(0)
    shapes, steps = [(30, 20), (20,)], 30
    mine, theirs = ([torch.nn.Parameter(torch.ones(shape)) for shape in shapes] for _ in range(2))
    options = dict(lr=1e-2, betas=(0.8, 0.95), eps=1e-2, weight_decay=0.1)
    optimizers = optim.StochasticAdamW(mine, **options), torch.optim.AdamW(theirs, **options)
    for _ in range(steps):
        for one, other in zip(mine, theirs, strict=True):
            one.grad = torch.randn_like(one)
            other.grad = one.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_states_in_bfloat16_keep_what_each_update_adds():
    # With a beta2 of 0.999 an update adds a thousandth, less than bfloat16 tells apart: to the nearest it would stop.
    torch.manual_seed(0)
    parameter = torch.nn.Parameter(torch.ones(10_000))
    optimizer = optim.StochasticAdamW([parameter], 1e-3, (0.9, 0.999), 1e-8, state_dtype=torch.bfloat16)
    for _ in range(300):
        parameter.grad = torch.full_like(parameter, 2.0)
        optimizer.step()
    state = optimizer.state[parameter]
    assert state["exp_avg_sq"].dtype == state["exp_avg"].dtype == torch.bfloat16
    assert state["exp_avg_sq"].double().mean().item() == pytest.approx(4 * (1 - 0.999**300), rel=0.01)
    assert state["exp_avg"].double().mean().item() == pytest.approx(2.0, rel=0.01)


def run_again_from_the_checkpoint_before(run_dir):
    shutil.rmtree(run_dir / "checkpoints" / "step-00000010")
    shutil.rmtree(run_dir / "model")
    main(run_dir)


LORA = dict(lora_rank=4, lora_alpha=8.0)
# How far from the losses of float32 with AdamW (None: it is another method), and what a checkpoint holds of a weight.
ADAMW = {"step", "exp_avg", "exp_avg_sq"}
VARIANTS = {
    "bfloat16": (dict(dtype="bfloat16"), 0.03, ADAMW),
    "bfloat16 weights": (dict(dtype="bfloat16_weights"), 0.03, ADAMW),
    "bfloat16 states": (dict(dtype="bfloat16_weights", optim="adamw_bfloat16"), 0.03, ADAMW),
    "eight bits": (dict(optim="adamw_torch_8bit"), 0.03, ADAMW),
    "muon": (dict(optim="muon", learning_rate=1e-3), None, ADAMW | {"momentum_buffer"}),
    "lora": (LORA, 0, ADAMW),
    "lora in bfloat16": (dict(dtype="bfloat16") | LORA, 0.01, ADAMW),
    "lora on bfloat16 weights": (dict(dtype="bfloat16_weights") | LORA, 0.01, ADAMW),
}


@pytest.fixture(scope="module")
def exact_losses():
    """By settings: those of runs in float32 with AdamW, each made once."""
    return {}


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_follows_float32_and_resumes_to_the_same_bits(new_run, exact_losses, name):
    changes, tolerance, states = VARIANTS[name]
    plain = {key: value for key, value in changes.items() if key not in ("dtype", "optim")}
    whole, parts = new_run("whole", **changes), new_run("parts", **changes)
    if str(plain) not in exact_losses:
        main(exact := new_run("exact", **plain))
        exact_losses[str(plain)] = losses(metrics.read(exact))
    # torchao compiles its update, which takes a CPU a minute; the arithmetic is the same without.
    with torch.compiler.set_stance("force_eager"):
        main(whole)
        main(parts)
        saved = safe_open(parts / "checkpoints" / "step-00000010" / "rank-00000.safetensors", "pt").keys()
        run_again_from_the_checkpoint_before(parts)
    expected, found = exact_losses[str(plain)], losses(metrics.read(whole))
    if tolerance is None:
        assert found[0] == expected[0] and found[-1] != expected[-1] and found[-1] < 0.97 * found[0]
    else:
        np.testing.assert_allclose(found, expected, rtol=tolerance)
    assert without_times(metrics.read(parts)) == without_times(metrics.read(whole))
    assert all(torch.equal(weights(parts)[key], tensor) for key, tensor in weights(whole).items())
    found_states = {re.split(r"(?:weight|bias)\.", key)[-1] for key in saved if key.startswith("optimizer.")}
    assert found_states == states
    assert any(key.endswith(".exp_avg.codes") for key in saved) == (name == "eight bits")
    assert not any(key.endswith("momentum_buffer") and ".wte." in key for key in saved)
    if "lora_rank" in changes:
        assert all(".lora_" in key for key in saved if key.startswith(("model.", "optimizer.")))
        assert len([key for key in saved if key.startswith("model.")]) == 2 * 8
    saved_dtypes = {tensor.dtype for tensor in load_file(whole / "model" / "model.safetensors").values()}
    assert saved_dtypes == {getattr(torch, RunConfig.load(whole / "config.json").weights_dtype)}


def test_muon_refuses_weights_that_it_cannot_update(new_run):
    with pytest.raises(UserError, match="muon needs whole weights in float32"):
        main(new_run("low", optim="muon", dtype="bfloat16_weights"))


@pytest.mark.slow
def test_early_stopping_saves_the_model_with_the_lowest_validation_loss(new_run):
    run_dir = new_run(
        "best", early_stopping_patience=3, eval_steps=2, save_steps=3, save_total_limit=1, learning_rate=0.5
    )
    main(run_dir)
    evals = [line["eval_loss"] for line in metrics.eval_lines(metrics.read(run_dir))]
    assert evals[-1] > 1.5 * min(evals), "the last model is much worse than the best"
    again = new_run("again", model_name_or_path=str(run_dir / "model"), learning_rate=0.0, num_train_epochs=0.1)
    tokenizer = AutoTokenizer.from_pretrained(run_dir / "model")
    dataset.prepare(again.parents[1], RunConfig.load(again / "config.json"), tokenizer)
    main(again)
    assert metrics.eval_lines(metrics.read(again))[0]["eval_loss"] == pytest.approx(min(evals), rel=1e-5)


def test_a_best_checkpoint_that_is_damaged_is_not_taken_for_the_best(new_run, monkeypatch):
    run_dir = new_run("no-best", early_stopping_patience=3, eval_steps=2, save_total_limit=1, learning_rate=0.5)
    load_best = Training._load_best

    def damaged(self):
        with open(Path(checkpoint.best(checkpoint.found(run_dir))) / "rank-00000.safetensors", "ab") as file:
            file.write(b"x")
        load_best(self)

    with monkeypatch.context() as patch, pytest.raises(UserError, match="best model .* is missing or damaged"):
        patch.setattr(Training, "_load_best", damaged)
        main(run_dir)
    assert not (run_dir / "model").exists()
    main(run_dir)
    assert (run_dir / "model").exists()


def test_a_run_that_ended_early_ends_again_without_another_update(new_run, monkeypatch):
    run_dir = new_run("ended", early_stopping_patience=1, eval_steps=1, learning_rate=0.0)
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(Training, "save_model", lambda self: 1 / 0)
        main(run_dir)
    main(run_dir)
    assert [line["step"] for line in metrics.train_lines(metrics.read(run_dir))] == [1]
    assert (run_dir / "model").exists()


def test_a_run_resumed_before_its_first_update_does_not_count_its_evaluation_twice(world, new_run):
    run_dir = new_run("zero", early_stopping_patience=1)
    config = RunConfig.load(run_dir / "config.json")
    first = Training(run_dir, config, Ranks())
    first.evaluate()
    first.save_checkpoint()
    first.saver.wait()
    (run_dir / "STOP").touch()
    second = Training(run_dir, config, Ranks())
    assert second.train() == "stopped" and second.progress.num_evals_since_best == 0


@pytest.mark.parametrize("optimizer", ["adamw_torch_fused", "adamw_bfloat16", "muon"])
def test_states_of_parameters_without_a_gradient_are_saved_and_change_no_update(world, optimizer):
    """As those of experts that no token has reached."""
    config = world[1].with_changes(optim=optimizer)
    trained = []
    for is_saved in (False, True):
        torch.manual_seed(0)
        network = loading.load_for_training(config, CPU, 1)
        unused, made = network.transformer.h[0].mlp.c_fc.weight, optim.build(network, config)
        for update in range(3):
            optim.set_learning_rate(made, 0.01)
            for parameter in network.parameters():
                parameter.grad = torch.ones_like(parameter) if parameter is not unused or update == 2 else None
            made.step()
            made.zero_grad()
            if is_saved and update == 0:
                tensors, _ = optim.state_tensors(network, made)
                states = {name for name in tensors if name.startswith("optimizer.transformer.h.0.mlp.c_fc.weight.")}
                assert states and not any(tensors[name].any() for name in states)
                assert optim.state_tensors(network, made)[0].keys() == tensors.keys()
        trained.append(network.state_dict())
    for name, tensor in trained[0].items():
        tolerance = 0.01 if optimizer == "adamw_bfloat16" else 0  # other random numbers
        torch.testing.assert_close(trained[1][name], tensor, rtol=0, atol=tolerance)


@pytest.mark.slow
def test_a_run_resumes_only_with_the_settings_that_its_updates_depend_on(new_run, monkeypatch):
    run_dir = new_run("edited")
    (run_dir / "STOP").touch()
    monkeypatch.setattr("utils.training.distributed.StopRequest.is_made", True)
    main(run_dir)
    monkeypatch.undo()
    config = RunConfig.load(run_dir / "config.json")
    manifest = (run_dir / "manifest.json").rename(run_dir / "moved.json")
    with pytest.raises(UserError, match="manifest.json is missing or damaged.*Restore it"):
        main(run_dir)
    manifest.rename(run_dir / "manifest.json")
    config.with_changes(max_eval_samples=2).save(run_dir / "config.json")
    with pytest.raises(UserError, match=r"began \(max_eval_samples=0, now 2\)"):
        main(run_dir)
    config.with_changes(learning_rate=0.5, train_batch_size=4).save(run_dir / "config.json")
    with pytest.raises(
        UserError, match=r"began \(train_batch_size=8, now 4.*learning_rate=0.01, now 0.5|learning_rate.*train"
    ):
        main(run_dir)
    config.with_changes(eval_steps=7, save_steps=50).save(run_dir / "config.json")
    main(run_dir)
    assert (run_dir / "model").exists()


def test_ids_without_an_embedding_are_refused_with_both_numbers(world, new_run):
    rows = dataset.TokenRows.of([[5, 320]], [1], np.uint16)
    with pytest.raises(UserError, match="ids up to 320, but the model has 320 embeddings"):
        dataset.check_ids(rows, 320)
    dataset.check_ids(rows, 321)


def test_running_out_of_memory_says_what_to_change(world, new_run, monkeypatch):
    data_dir, config = world
    training = Training(new_run("memory"), config, Ranks())

    def fail(*arguments):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.")

    monkeypatch.setattr("utils.training.trainer.target_loss", fail)
    monkeypatch.setattr(training, "evaluate", lambda: None)
    with pytest.raises(UserError, match=r"holds weights 0\.2 MiB.*Lower tokens_per_device \(now 512\)"):
        training.train()


SHAPE = dict(vocab_size=320, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "shape", [Starcoder2Config(**SHAPE, num_key_value_heads=2), Qwen2Config(**SHAPE, num_key_value_heads=4)]
)
def test_other_causal_models_train_sharded_as_whole(world, new_run, shape):
    data_dir, config = world
    folder = Path(config.model_name_or_path).with_name(shape.model_type)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(shape).save_pretrained(folder)
    AutoTokenizer.from_pretrained(config.model_name_or_path).save_pretrained(folder)
    settings = dict(model_name_or_path=str(folder), num_train_epochs=1.0, learning_rate=1e-3)
    dataset.prepare(data_dir, config.with_changes(**settings), AutoTokenizer.from_pretrained(folder))
    one, two = new_run(f"{shape.model_type}-1", **settings), new_run(f"{shape.model_type}-2", **settings)
    main(one)
    np.testing.assert_allclose(losses(train_on(2, two)), losses(metrics.read(one)), rtol=1e-5)
