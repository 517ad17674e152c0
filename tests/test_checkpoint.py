"""Checkpoints: whole or not there, verified before they are used."""

import pytest
import torch

from utils import checkpoint
from utils.errors import UserError


def tensors(value):
    return {"model.weight": torch.full((7, 3), value), "optimizer.weight.step": torch.tensor(value)}


def saved(run_dir, *steps, keep=10):
    for step in steps:
        checkpoint.save(run_dir, step, tensors(float(step)), {"step": step}, keep)


def names(run_dir):
    return sorted(path.name for path in (run_dir / "checkpoints").iterdir())


def test_a_checkpoint_gives_back_its_tensors_state_and_random_numbers(tmp_path):
    torch.manual_seed(5)
    saved(tmp_path, 3)
    expected = torch.rand(4)
    torch.manual_seed(6)
    filled = tensors(0.0)
    assert checkpoint.load(checkpoint.newest_good(tmp_path, print), filled) == {"step": 3}
    assert all(torch.equal(filled[name], tensor) for name, tensor in tensors(3.0).items())
    assert torch.equal(torch.rand(4), expected)


def test_only_the_newest_are_kept(tmp_path):
    saved(tmp_path, 1, 2, 10, keep=2)
    assert names(tmp_path) == ["step-00000002", "step-00000010"]


@pytest.mark.parametrize("name", ["state.json", "manifest.json", "random-00000.safetensors", "shard*"])
@pytest.mark.parametrize("damage", ["flip", "truncate", "delete"])
def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_is_taken(tmp_path, name, damage):
    saved(tmp_path, 1, 2)
    path = next((tmp_path / "checkpoints" / "step-00000002").glob(name))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    damaged = {"flip": content, "truncate": content[:-1], "delete": None}[damage]
    path.unlink() if damaged is None else path.write_bytes(damaged)
    said = []
    assert checkpoint.newest_good(tmp_path, said.append).name == "step-00000001"
    assert names(tmp_path) == ["step-00000001", "step-00000002.corrupt"]
    assert "step-00000002" in said[0] and "set aside" in said[0]
    saved(tmp_path, 2)
    assert checkpoint.newest_good(tmp_path, said.append).name == "step-00000002"


def test_an_interrupted_save_is_not_a_checkpoint(tmp_path):
    saved(tmp_path, 1)
    (tmp_path / "checkpoints" / "step-00000002.tmp").mkdir()
    assert checkpoint.newest_good(tmp_path, print).name == "step-00000001"
    saved(tmp_path, 2)
    assert names(tmp_path) == ["step-00000001", "step-00000002"]


def test_a_full_disk_leaves_the_earlier_checkpoint(tmp_path, monkeypatch):
    saved(tmp_path, 1)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10}))
    with pytest.raises(UserError, match="needs 88 bytes; .* has 10 free"):
        saved(tmp_path, 2, keep=1)
    assert checkpoint.newest_good(tmp_path, print).name == "step-00000001"
