"""The plan: what a run needs counted from its configuration and its tokens, and a clear no when it does not fit."""

import json
from dataclasses import replace

import pytest
import torch
from transformers import GPTBigCodeConfig, LlamaConfig

from support.flops import matrix_flops
from support.metric_lines import eval_line, train_line
from utils import hardware
from utils.config import RunConfig
from utils.errors import UserError
from utils.model import loading, lora
from utils.model.shape import config_key, meta_network, shape_of
from utils.planning import memory, planner, timing, workload
from utils.runs import metrics
from utils.tokens import packing
from utils.training import optim
from utils.training.loss import num_computed_tokens, num_target_tokens, target_loss

STARCODER = GPTBigCodeConfig(n_layer=40, n_head=48, n_embd=6144, n_positions=8192, vocab_size=49152)
WIDTH, HEADS = 64, 4
SMALL = GPTBigCodeConfig(n_layer=3, n_head=HEADS, n_embd=WIDTH, vocab_size=500, bos_token_id=0, eos_token_id=0)


@pytest.fixture
def starcoder(tmp_path):
    STARCODER.save_pretrained(tmp_path / "starcoder")
    return RunConfig(model_name_or_path=str(tmp_path / "starcoder"), num_processes=8), tmp_path


@pytest.fixture
def gpus(monkeypatch):
    """`gpus(free_bytes)`: as if this machine had eight."""

    def pretend(free_bytes):
        found = (hardware.Device("a GPU", free_bytes),) * 8
        monkeypatch.setattr(hardware, "devices", lambda number: found[: number or 8])

    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 2**40}))
    return pretend


def states(plan):
    return sum(plan.memory_bytes_per_process[name] for name in ("weights", "gradients", "optimizer"))


@pytest.mark.slow
def test_starcoder_is_counted_and_shared_out(starcoder, gpus):
    gpus(80 * hardware.GIB)
    plan = planner.plan(*starcoder)
    assert plan.num_parameters == 15_517_456_384
    assert states(plan) == 16 * 15_517_456_384 // 8
    assert plan.disk_bytes == {"checkpoints": 12 * 15_517_456_384 * 4, "model": 4 * 15_517_456_384}
    assert plan.save_seconds == 30 + round(12 * 15_517_456_384 * 4 / 1e8)
    # Programs, and the weights and averages that a checkpoint copies.
    assert plan.main_memory_bytes == 8 * memory.PROGRAM_BYTES + 12 * 15_517_456_384
    checkpointed = planner.plan(starcoder[0].with_changes(activation_checkpointing="full"), starcoder[1])
    planner.check(replace(checkpointed, free_disk_bytes=10**12))


def test_offloaded_states_are_in_main_memory(starcoder, gpus):
    gpus(80 * hardware.GIB)
    config, data_dir = starcoder
    offloaded = planner.plan(config.with_changes(cpu_offload=True), data_dir)
    assert states(offloaded) == 0
    assert offloaded.main_memory_bytes - planner.plan(config, data_dir).main_memory_bytes == 16 * 15_517_456_384


@pytest.mark.slow
def test_adapters_are_counted_beside_frozen_weights(starcoder, gpus):
    gpus(80 * hardware.GIB)
    config, data_dir = starcoder[0].with_changes(lora_rank=16), starcoder[1]
    plan = planner.plan(config, data_dir)
    num_trained = 16 * 40 * (6144 + 6400 + 2 * 6144 + 2 * (6144 + 4 * 6144))
    # Adapters are whole on each of eight processes, in float32 with gradients and two averages.
    assert states(plan) == 2 * 15_517_456_384 // 8 + 16 * num_trained
    assert plan.disk_bytes == {"checkpoints": 12 * num_trained * 4, "model": 2 * 15_517_456_384}
    whole = planner.plan(starcoder[0], data_dir)
    assert plan.memory_bytes_per_process["activations"] < whole.memory_bytes_per_process["activations"]
    # What changes nothing or does not work with adapters is not proposed.
    assert not {"dtype", "cpu_offload"} & {name for change in planner._changes(config) for name in change}
    gpus(2**20)
    with pytest.raises(UserError, match="or a larger machine, or train with LoRA .lora_rank."):
        planner.check(planner.plan(starcoder[0], data_dir))
    with pytest.raises(UserError, match=r"or a larger machine\.$"):
        planner.check(planner.plan(config, data_dir))


def test_adapters_keep_what_goes_into_them_and_no_copies_of_frozen_weights():
    key = config_key(SMALL)
    shape = shape_of(key)
    adapted = meta_network(key)
    lora.add(adapted, rank=1, alpha=1.0)
    assert shape.num_rank_parameters == sum(parameter.numel() for parameter in lora.trained(adapted))
    whole = memory.activations(key, "bfloat16", "cpu", 512)
    fixed, for_block, for_token, for_both = memory.activations(key, "bfloat16", "cpu", 512, lora_rank=4)
    assert for_block == pytest.approx(2 * 4 * shape.num_rank_parameters / 3, rel=0.02), "adapters, by autocast"
    assert fixed < whole[0] and for_both < whole[3]


def test_the_recipe_fits_on_one_gpu_of_141_gb(starcoder, gpus):
    gpus(141 * 10**9)
    config = RunConfig.from_preset("starcoder-1gpu", model_name_or_path=starcoder[0].model_name_or_path)
    plan = planner.plan(config, starcoder[1])
    per_parameter = {"weights": 2, "gradients": 2, "optimizer": 2 + 1 / 32}
    for name, num_bytes in per_parameter.items():
        assert plan.memory_bytes_per_process[name] == round(num_bytes * 15_517_456_384)
    assert plan.num_processes == 1 and plan.fits
    for change in (dict(optim="adamw_torch_fused"), dict(dtype="bfloat16"), dict(activation_checkpointing="none")):
        assert not planner.plan(config.with_changes(**change), starcoder[1]).fits, change
    # Every checkpoint, the last too, is copied to main memory before it is written.
    last = planner.plan(config.with_changes(save_steps=10**6), starcoder[1])
    assert last.main_memory_bytes == memory.PROGRAM_BYTES + round((4 + 1 / 32) * 15_517_456_384)


@pytest.mark.parametrize(
    "changes",
    [
        dict(dtype="float32"),
        dict(dtype="bfloat16_weights"),
        dict(dtype="bfloat16_weights", optim="adamw_bfloat16"),
        dict(dtype="float32", optim="adamw_bfloat16"),
        dict(dtype="float32", optim="muon"),
        dict(dtype="bfloat16_weights", lora_rank=2),
        dict(dtype="float32", optim="muon", lora_rank=2),
    ],
)
def test_states_are_as_large_as_those_that_training_makes(world, changes):
    config = world[1].with_changes(**changes)
    network = loading.load_for_training(config, torch.device("cpu"), 1)
    optimizer, parameters = optim.build(network, config), list(network.parameters())
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    gradients = num_bytes(parameter.grad for parameter in parameters if parameter.requires_grad)
    optimizer.step()
    states = num_bytes(value for state in optimizer.state.values() for value in state.values())
    shape = shape_of(config_key(network.config))
    expected = {"weights": num_bytes(parameters), "gradients": gradients, "optimizer": states}
    assert memory.state_bytes(config, shape) == expected
    saved, _ = optim.state_tensors(network, optimizer)
    assert memory.disk_bytes(config, shape)["checkpoint"] == num_bytes(saved.values())


def num_bytes(tensors):
    """Without single numbers, such as the count of steps."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors if tensor.ndim)


@pytest.mark.parametrize("checkpointing", ["none", "full"])
def test_the_time_by_the_matrix_rate_is_that_of_the_operations_that_torch_counts(
    world, rows, tmp_path, monkeypatch, checkpointing
):
    config = world[1].with_changes(activation_checkpointing=checkpointing, eval_steps=3)
    block = packing.build_block(rows, [0, 5])
    network = loading.load_for_training(config, torch.device("cpu"), 1)
    update = matrix_flops(lambda: target_loss(network, block, torch.device("cpu")).backward())
    with torch.no_grad():
        evaluation = matrix_flops(lambda: target_loss(network, block, torch.device("cpu")))
    monkeypatch.setattr(timing, "_matrix_rate", lambda *_: 1e9)
    num_tokens, num_targets = num_computed_tokens(block, torch.device("cpu")), num_target_tokens(block)
    work = workload.Workload(6, num_tokens, num_targets, num_tokens, num_tokens, num_targets, 1, 128, "")
    seconds, _ = timing.expected_seconds(config, tmp_path, shape_of(config_key(network.config)), work, "cpu")
    # Evaluations before the first, after the third and after the sixth update, on as many tokens as in an update.
    needed, planned = 6 * update + 3 * evaluation, seconds * 1e9 * timing.ASSUMED_MFU
    # Of a block that is computed again torch leaves out the last product, which no gradient needs.
    assert planned == pytest.approx(needed) if checkpointing == "none" else needed < planned < 1.1 * needed


@pytest.mark.parametrize("dtype, per_value", [("float32", 4), ("bfloat16_weights", 2)])
def test_activations_are_those_that_a_forward_pass_of_gpt_bigcode_keeps(dtype, per_value):
    # Two norms' inputs and outputs, the queries with one key and value, both expanded, the attention's output before
    # and after it is laid out anew, and the inner layer before and after its activation function.
    values = 2 + 2 + (1 + 2 / HEADS) + 2 + 2 + 2 * 4
    fixed, for_block, for_token, for_both = memory.activations(config_key(SMALL), dtype, "cpu", 512)
    assert for_both == pytest.approx(values * per_value * WIDTH, rel=0.02)
    assert for_block == pytest.approx(0, abs=100)
    # By autocast every block has copies of its matrices besides, and the model one of its head.
    fixed, for_block, *_ = memory.activations(config_key(SMALL), "bfloat16", "cpu", 512)
    shape = shape_of(config_key(SMALL))
    assert for_block == pytest.approx(2 * shape.num_matrix_parameters / 3, rel=0.02)
    assert fixed >= 2 * shape.num_head_parameters


def test_activations_of_other_models_and_checkpointing():
    llama = LlamaConfig(
        vocab_size=500, hidden_size=64, intermediate_size=96, num_hidden_layers=6, num_attention_heads=4
    )
    key, config = config_key(llama), RunConfig(dtype="float32", num_processes=1)
    work = workload.Workload(10, 2000, 1000, 0, 2048, 1024, 1, 256, "")
    whole = memory.parts(config, key, work, 1, "cpu")
    saved = memory.parts(config.with_changes(activation_checkpointing="full"), key, work, 1, "cpu")
    assert whole["logits"] == saved["logits"] == 4 * 1024 * 500
    assert saved["activations"] < whole["activations"] / 3
    shorter = memory.parts(config, key, replace(work, num_block_tokens=1024), 1, "cpu")
    assert shorter["activations"] == pytest.approx(whole["activations"] / 2, rel=0.01)


def test_checkpoints_gathered_weights_and_several_blocks_take_workspace():
    key, config = config_key(SMALL), RunConfig(dtype="float32", save_steps=5)
    shape, work = shape_of(key), workload.Workload(5, 2000, 1000, 0, 2048, 1024, 1, 256, "")

    def workspace(num_processes=1, device_type="cpu", **changes):
        return memory.parts(config, key, replace(work, **changes), num_processes, device_type)["program and buffers"]

    assert workspace() == memory.PROGRAM_BYTES, "the only checkpoint is the last"
    assert workspace(num_updates=6) - workspace() == 12 * shape.num_parameters
    assert workspace(num_blocks=2) - workspace() == 2 * 4 * shape.num_head_parameters
    outside = shape.num_parameters - 3 * shape.num_block_parameters
    assert workspace(2) - workspace() == 4 * (10 * outside + 5 * shape.num_block_parameters)
    assert workspace(1, "cuda", num_updates=6) == memory.CONTEXT_BYTES, "a checkpoint's copy is in main memory"


def test_without_products_in_bfloat16_activations_are_in_the_dtype_of_the_weights(monkeypatch):
    key, work = config_key(SMALL), workload.Workload(5, 2000, 1000, 0, 2048, 1024, 1, 512, "")

    def parts(dtype, device_type="cpu"):
        return memory.parts(RunConfig(dtype=dtype), key, work, 1, device_type)

    on_gpu = parts("bfloat16", "cuda")
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    exact, low = parts("float32"), parts("bfloat16_weights")
    assert parts("bfloat16") == exact and parts("bfloat16", "cuda") == on_gpu
    assert low["logits"] == exact["logits"] / 2 and low["activations"] == pytest.approx(
        exact["activations"] / 2, rel=0.02
    )
    # The head's product in float32, which is rounded afterwards.
    product_bytes = 4 * (1024 * 500 + shape_of(key).num_head_parameters)
    assert low["program and buffers"] - exact["program and buffers"] == product_bytes


def test_the_work_is_counted_from_the_token_rows(world, rows):
    data_dir, config = world
    work = workload.count(config, data_dir, 1)
    chosen = packing.choose_rows(rows, config.max_length, 0, config.seed)
    assert work.num_updates == packing.num_updates(len(chosen), config.train_batch_size, config.num_train_epochs)
    blocks, trained, numbers = [], [], []
    for update in range(work.num_updates // 2):
        packed = packing.blocks_of(
            rows, packing.update_rows(chosen, config.train_batch_size, config.seed, update), config.tokens_per_device
        )
        numbers.append(len(packed))
        blocks += [len(block.input_ids) for block in packed]
        trained += [int((block.labels >= 0).sum()) for block in packed]
    assert work.num_tokens == pytest.approx(rows.lengths[chosen].sum() / (work.num_updates // 2))
    assert work.num_blocks == pytest.approx(max(numbers), abs=1)
    assert work.num_block_tokens == pytest.approx(max(blocks), rel=0.15)
    assert work.num_block_targets == pytest.approx(max(trained), rel=0.3)
    missing = workload.count(config.with_changes(pairs="others"), data_dir, 1)
    assert missing.num_updates is None and missing.num_tokens == config.train_batch_size * config.max_length


def test_what_does_not_fit_is_said_with_the_smallest_change(starcoder, gpus):
    config, data_dir = starcoder
    gpus(200 * hardware.GIB)
    plan = planner.plan(config, data_dir)
    assert planner.refusal(replace(plan, free_disk_bytes=10**12)) is None

    def changed():
        return planner.smallest_change(planner.plan(config, data_dir))

    assert changed() is None
    # Smaller blocks alone are enough, and are told first.
    smaller = planner.plan(config.with_changes(tokens_per_device=2048), data_dir)
    gpus(smaller.memory_bytes)
    assert changed() == {"tokens_per_device": 2048}
    with pytest.raises(UserError, match=r"each of 8 processes needs .* fit with tokens_per_device=2048\."):
        planner.check(planner.plan(config, data_dir))
    for mode in ("selective", "full"):
        gpus(planner.plan(config.with_changes(activation_checkpointing=mode), data_dir).memory_bytes)
        assert changed() == {"activation_checkpointing": mode}
    gpus(2**20)
    with pytest.raises(UserError, match="No one or two settings make it fit"):
        planner.check(planner.plan(config, data_dir))
    with pytest.raises(UserError, match=r"need 751\.\d GiB of disk; 0\.0 MiB are free"):
        planner.check(replace(plan, free_disk_bytes=1))
    with pytest.raises(UserError, match=r"processes need .* GiB of main memory; 0\.0 MiB are free"):
        planner.check(replace(plan, free_main_memory_bytes=1))


@pytest.mark.parametrize(
    "changes, field, message",
    [
        ({"cpu_offload": True}, "cpu_offload", "needs several GPU processes"),
        ({"template": "chat"}, "template", "no chat template .* choose 'alpaca'"),
    ],
)
def test_a_setting_that_cannot_work_here_is_refused_beside_its_field(world, monkeypatch, changes, field, message):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    data_dir, config = world
    with pytest.raises(UserError, match=message) as caught:
        planner.plan(config.with_changes(**changes), data_dir)
    assert caught.value.field == field


def test_a_machine_without_gpu_has_two_processes_by_default(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert [device.name for device in hardware.devices(0)] == ["CPU", "CPU"]
    assert len(hardware.devices(3)) == 3


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(UserError, match="this machine has 1 GPU:"):
        hardware.devices(2)


def test_the_time_comes_from_an_earlier_run_where_there_is_one(world, new_run, monkeypatch):
    data_dir, config = world
    monkeypatch.setattr(timing, "_matrix_rate", lambda *_: 1e9)
    plan = planner.plan(config, data_dir, price_per_hour=3600)
    assert "peak matrix speed" in plan.seconds_basis and plan.cost == plan.seconds > 0
    run_dir = new_run("earlier")
    # The first two updates are slow, and are not counted.
    for step in range(1, 11):
        metrics.append(run_dir, line(step, 9.0 if step < 3 else 2.0, total_tokens=1000 * step, seconds=2.0 * step + 14))
        if step % 4 == 0:
            metrics.append(run_dir, eval_line(step, eval_seconds=3.0))
    plan = planner.plan(config, data_dir)
    run_dir.rename(run_dir.with_name(".earlier.removed"))
    assert "peak matrix speed" in planner.plan(config, data_dir).seconds_basis
    run_dir.with_name(".earlier.removed").rename(run_dir)
    assert "of the earlier run earlier" in plan.seconds_basis
    # 500 tokens a second; evaluations at 0, 4, 8 and 10.
    assert plan.seconds == pytest.approx(10 * plan.tokens_per_update / 500 + 4 * 3)


def test_an_earlier_run_is_found_while_the_number_of_processes_is_not_decided(world, new_run, monkeypatch):
    data_dir, config = world
    monkeypatch.setattr(timing, "_matrix_rate", lambda *_: 1e9)
    undecided = config.with_changes(num_processes=0)
    run_dir = new_run("identical", num_processes=planner.plan(undecided, data_dir).num_processes)
    for step in range(1, 11):
        metrics.append(run_dir, line(step, 2.0, total_tokens=1000 * step, seconds=2.0 * step))
    bases = [planner.plan(one, data_dir).seconds_basis for one in (undecided, config.with_changes(num_processes=1))]
    assert "of the earlier run identical" in bases[0] and "peak matrix speed" in bases[1]


def test_the_plan_is_compared_with_what_was_measured(world):
    plan = replace(planner.plan(world[1], world[0]), num_updates=20, seconds=100.0, tokens_per_update=900.0)
    records = [dict(kind="eval", step=0, eval_seconds=7.0)]
    records += [line(step, 2.0, total_tokens=1000 * step, seconds=2.0 * step) for step in range(1, 11)]
    assert planner.compare(plan, records) == [
        ("memory of a process, bytes", plan.memory_bytes, 2**30),
        ("time, seconds", 50.0, 27.0),  # half of the run
        ("tokens", 9000.0, 10000),
    ]
    assert planner.compare(plan, []) == []


def line(step, update_seconds, **more):
    return train_line(step, num_tokens=1000, tokens_per_second=1000 / update_seconds, **more)


def test_the_time_left_counts_evaluations_and_forgets_the_slow_start():
    evaluation = dict(kind="eval", num_target_tokens=500)
    records = [evaluation | dict(step=0, eval_seconds=30.0), line(1, 9.0), line(2, 5.0)]
    for step in range(3, 21):
        records.append(line(step, 2.0))
        if step % 10 == 0:
            records.append(evaluation | dict(step=step, eval_seconds=6.0))
    # 80 updates, and evaluations after 30, 40, … 100.
    assert timing.seconds_left(records, 100) == pytest.approx(80 * 2 + 8 * 6)
    # With an end between two evaluations there is one more, at the end.
    assert timing.seconds_left(records, 95) == pytest.approx(75 * 2 + 8 * 6)
    # Where the time of evaluations was not recorded: a third of an update with as many tokens.
    old = [{name: value for name, value in record.items() if name != "eval_seconds"} for record in records]
    assert timing.seconds_left(old, 100) == pytest.approx(80 * 2 + 8 * 2 / 3)
    assert timing.seconds_left([], 100) is None
    assert timing.seconds_left(records, 20) == 0
    assert json.dumps(timing.seconds_left(records, 100)), "a plain number"
