"""Checkpoints: whole or not there, verified before they are used."""

import errno

import pytest
import torch

from utils import files
from utils.errors import UserError
from utils.training import checkpoint


def tensors(value):
    return {"model.weight": torch.full((7, 3), value), "optimizer.weight.step": torch.tensor(value)}


def saved(run_dir, *steps, keep=10, values=None, own=None, run_id="", **state):
    for step in steps:
        saver = checkpoint.Saver(run_dir, rank=0, num_ranks=1, keep=keep, run_id=run_id)
        saver.save(
            step,
            values or tensors(float(step)),
            own or {},
            {"step": step} | ({"eval_step": step} if "eval_loss" in state else {}) | state,
        )
        saver.wait()


def names(run_dir):
    return sorted(path.name for path in (run_dir / "checkpoints").iterdir())


def test_a_checkpoint_gives_back_its_tensors_state_and_random_numbers(tmp_path):
    torch.manual_seed(5)
    saved(tmp_path, 3)
    expected = torch.rand(4)
    torch.manual_seed(6)
    filled = tensors(0.0)
    assert checkpoint.load(checkpoint.newest_good(tmp_path, print), filled, {}, rank=0) == {"step": 3}
    assert all(torch.equal(filled[name], tensor) for name, tensor in tensors(3.0).items())
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize("name", ["state.json", "manifest.json", "rank-00000.safetensors"])
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
    assert "step-00000002" in said[0] and "renamed to" in said[0]
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
    with pytest.raises(UserError, match=r"needs [\d,]+ bytes and .* has 10 free"):
        saved(tmp_path, 2, keep=1)
    assert checkpoint.newest_good(tmp_path, print).name == "step-00000001"


def test_the_disk_filling_up_while_it_is_written_leaves_the_earlier_checkpoint(tmp_path, monkeypatch):
    saved(tmp_path, 1)

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    def full_in_words(path, value):
        with files.writing(path):
            full()

    for phase, fault in (("save_file", full), ("write_json", full_in_words), ("_fsync", full)):
        with (
            monkeypatch.context() as patch,
            pytest.raises(UserError, match=r"the disk is full.*needs [\d,]+ bytes; the earlier ones are kept"),
        ):
            patch.setattr(checkpoint, phase, fault)
            saved(tmp_path, 2, keep=1)
        assert names(tmp_path) == ["step-00000001"]
    assert checkpoint.newest_good(tmp_path, print).name == "step-00000001"


def test_the_best_checkpoint_is_kept_beside_the_newest(tmp_path):
    for step, loss in [(1, 3.0), (2, 1.0), (3, None), (4, 2.0), (5, 1.5)]:
        saved(tmp_path, step, keep=1, eval_loss=loss)
    assert names(tmp_path) == ["step-00000002", "step-00000005"]


def test_a_checkpoint_holds_no_pickle(tmp_path):
    saved(tmp_path, 1)
    suffixes = {path.suffix for path in (tmp_path / "checkpoints" / "step-00000001").iterdir()}
    assert suffixes == {".json", ".safetensors"}


def test_what_only_one_rank_needs_comes_back_to_that_rank_alone(tmp_path):
    saved(tmp_path, 1, own={"codes": torch.arange(5)})
    folder, own = checkpoint.newest_good(tmp_path, print), {"codes": torch.zeros(5, dtype=torch.long)}
    checkpoint.load(folder, tensors(0.0), own, rank=0)
    assert own["codes"].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(UserError, match="another number of processes"):
        checkpoint.load(folder, tensors(0.0), own, rank=1)


def test_the_best_checkpoint_is_one_that_was_evaluated_at_its_own_step(tmp_path):
    for step, loss, eval_step in ((1, 3.0, 1), (2, 1.0, 1), (3, 2.0, 3)):
        saved(tmp_path, step, eval_loss=loss, eval_step=eval_step)
    assert checkpoint.best(checkpoint.found(tmp_path)).name == "step-00000003"


def test_the_best_checkpoint_is_verified_too(tmp_path):
    for step, loss in ((1, 3.0), (2, 1.0), (3, 2.0)):
        saved(tmp_path, step, run_id="own", eval_loss=loss)
    with open(tmp_path / "checkpoints" / "step-00000002" / "rank-00000.safetensors", "ab") as file:
        file.write(b"x")
    said = []
    folder, loss = checkpoint.best_good(tmp_path, said.append, "own")
    assert (folder, loss) == (str(tmp_path / "checkpoints" / "step-00000003"), 2.0) and "its sha256" in said[0]
    assert checkpoint.best_good(tmp_path, said.append, "none of them") is None


def test_a_checkpoint_of_another_run_is_not_resumed(tmp_path):
    saved(tmp_path, 1, run_id="a")
    assert checkpoint.newest_good(tmp_path, print, "a").name == "step-00000001"
    said = []
    assert checkpoint.newest_good(tmp_path, said.append, "b") is None and "of another run" in said[0]


def test_a_file_that_the_manifest_does_not_name_is_a_defect(tmp_path):
    saved(tmp_path, 1)
    folder = tmp_path / "checkpoints" / "step-00000001"
    (folder / "rank-00001.safetensors").write_bytes((folder / "rank-00000.safetensors").read_bytes())
    assert checkpoint.defect(folder) == "the manifest does not name rank-00001.safetensors"


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (torch.zeros(6, 3), "lacks rows of model.weight"),
        (torch.full((7, 3), float("nan")), "not finite"),
        (torch.zeros(7, 4), r"torch.float32 \[4\] per row"),
        (torch.zeros(7, 3, dtype=torch.bfloat16), "torch.bfloat16"),
    ],
)
def test_values_that_do_not_fit_the_model_are_refused(tmp_path, weight, message):
    saved(tmp_path, 1, values={"model.weight": weight})
    with pytest.raises(UserError, match=message):
        checkpoint.load(checkpoint.newest_good(tmp_path, print), {"model.weight": torch.zeros(7, 3)}, {}, rank=0)
