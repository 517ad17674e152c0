"""The plan: parameters counted from a configuration, bytes from parameters, and a clear no when it does not fit."""

from dataclasses import replace

import pytest
from transformers import GPTBigCodeConfig

from utils import planner
from utils.config import RunConfig
from utils.errors import UserError

STARCODER = GPTBigCodeConfig(n_layer=40, n_head=48, n_embd=6144, n_positions=8192, vocab_size=49152)


@pytest.fixture
def starcoder(tmp_path):
    STARCODER.save_pretrained(tmp_path / "starcoder")
    return RunConfig(model_name_or_path=str(tmp_path / "starcoder"), num_processes=8), tmp_path


def test_starcoder_is_counted_and_shared_out(starcoder, monkeypatch):
    gpus = (planner.Device("a GPU", 80 * planner.GIB),) * 8
    monkeypatch.setattr(planner, "devices", lambda num_processes: gpus)
    plan = planner.plan(*starcoder)
    assert plan.num_parameters == 15_517_456_384
    assert sum(plan.memory_bytes_per_process.values()) == 16 * 15_517_456_384 // 8
    assert plan.disk_bytes == {"checkpoints": 12 * 15_517_456_384 * 4, "model": 4 * 15_517_456_384}
    planner.check(replace(plan, free_disk_bytes=10**12))


def test_what_does_not_fit_is_said_before_it_starts(starcoder):
    plan = planner.plan(*starcoder)
    with pytest.raises(UserError, match=r"each of 8 processes needs 28\.9 GiB .* has 0\.0 GiB free"):
        planner.check(replace(plan, free_bytes_per_process=1))
    with pytest.raises(UserError, match=r"need 751\.\d GiB of disk; 0\.0 GiB are free"):
        planner.check(replace(plan, free_bytes_per_process=2**40, free_disk_bytes=1))


def test_a_machine_without_gpu_has_two_processes_by_default(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert [device.name for device in planner.devices(0)] == ["CPU", "CPU"]
    assert len(planner.devices(3)) == 3


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(UserError, match="this machine has 1 GPUs"):
        planner.devices(2)


def test_bfloat16_weights_take_half_the_memory_of_their_part(starcoder, monkeypatch):
    gpus = (planner.Device("a GPU", 80 * planner.GIB),) * 8
    monkeypatch.setattr(planner, "devices", lambda num_processes: gpus)
    plan = planner.plan(starcoder[0].with_changes(dtype="bfloat16_weights"), starcoder[1])
    assert sum(plan.memory_bytes_per_process.values()) == 12 * 15_517_456_384 // 8
    eight_bits = starcoder[0].with_changes(dtype="bfloat16_weights", optim="adamw_torch_8bit")
    assert sum(planner.plan(eight_bits, starcoder[1]).memory_bytes_per_process.values()) == 6 * 15_517_456_384 // 8
