"""Models in memory: loaded once for everybody, a run's checkpoints among them, and only where there is room."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Lock

import pytest
import torch
from safetensors import safe_open
from transformers import T5Config

from utils import hardware
from utils.config import RunConfig
from utils.errors import UserError
from utils.model import loading
from utils.playground import model_pool
from utils.playground.model_pool import LoadedModels
from utils.training.__main__ import main


@pytest.fixture(scope="module")
def run_dir(world):
    data_dir, config = world
    run_dir = data_dir / "runs" / "loaded"
    run_dir.mkdir(parents=True)
    config.save(run_dir / "config.json")
    main(run_dir)
    yield run_dir
    shutil.rmtree(run_dir)


@pytest.fixture
def base(world):
    return world[1].model_name_or_path


@pytest.fixture
def has_free(monkeypatch):
    """`has_free(num_bytes)`: the device has that much room."""

    def set_free(num_bytes):
        monkeypatch.setattr(hardware, "devices", lambda num: (hardware.Device("CPU", num_bytes, "cpu"),))

    return set_free


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def weight_bytes(network):
    return sum(parameter.nbytes for parameter in network.parameters())


def test_many_threads_get_one_model_and_two_are_never_loaded_at_once(base, run_dir, monkeypatch):
    tuned, load, loaded, lock, together = str(run_dir / "model"), loading.load, [], Lock(), Barrier(8)

    def counted(name, revision):
        assert lock.acquire(blocking=False), "two at once"
        loaded.append(name)
        result = load(name, revision)
        lock.release()
        return result

    def ask(name):
        together.wait()
        return models.get(name)

    monkeypatch.setattr(loading, "load", counted)
    models = LoadedModels()
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(ask, [base, tuned] * 4))
    assert sorted(loaded) == sorted([base, tuned])
    assert all(one is got[index % 2] for index, one in enumerate(got))
    assert not any(network.training for network, _ in got)


def test_nobody_waits_for_a_model_that_others_load(base, run_dir, monkeypatch):
    models, pool, load = LoadedModels(), ThreadPoolExecutor(1), loading.load
    first = models.get(base)

    def meanwhile(name, revision):
        assert pool.submit(models.get, base).result(timeout=10) is first
        pool.submit(models.free, base).result(timeout=10)
        return load(name, revision)

    monkeypatch.setattr(loading, "load", meanwhile)
    models.get(str(run_dir / "model"))
    assert list(models.sizes()) == [str(run_dir / "model")]


def test_a_run_offers_its_base_its_result_and_its_checkpoints(base, run_dir, tmp_path):
    steps = {f"step {step}": str(run_dir / "checkpoints" / f"step-{step:08d}") for step in (9, 10)}
    assert model_pool.choices(run_dir) == {"base": base, "tuned": str(run_dir / "model")} | steps
    RunConfig(model_name_or_path="bigcode/starcoder", revision="abc").save(tmp_path / "config.json")
    assert model_pool.choices(tmp_path) == {"base": "bigcode/starcoder@abc"}


def test_a_checkpoint_has_the_weights_of_its_step(base, run_dir):
    models, names = LoadedModels(), model_pool.choices(run_dir)
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    networks = {label: models.get(name)[0] for label, name in names.items()}
    assert torch.equal(torch.rand(4), expected), "the random numbers of whoever asks are not those of the run"
    assert same(networks["step 10"], networks["tuned"])
    saved = safe_open(Path(names["step 9"]) / "rank-00000.safetensors", "pt")
    for name, parameter in networks["step 9"].named_parameters():
        assert torch.equal(parameter.cpu(), saved.get_tensor(f"model.{name}").to(parameter.dtype))
    assert not same(networks["step 9"], networks["step 10"]) and not same(networks["step 9"], networks["base"])
    assert not networks["step 9"].training
    assert models.get(names["step 9"])[1].get_vocab() == models.get(base)[1].get_vocab()


def test_a_damaged_or_dropped_checkpoint_is_refused_and_left_as_it_is(run_dir):
    damaged = run_dir / "checkpoints" / "step-00000005"
    shutil.copytree(run_dir / "checkpoints" / "step-00000009", damaged)
    with open(damaged / "rank-00000.safetensors", "r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)[0]
        file.seek(-1, 2)
        file.write(bytes([last ^ 1]))
    try:
        with pytest.raises(UserError, match="step-00000005 cannot be loaded .rank-00000.safetensors differs"):
            LoadedModels().get(str(damaged))
        assert damaged.is_dir()
    finally:
        shutil.rmtree(damaged)
    with pytest.raises(UserError, match="step-00000005 cannot be loaded .*no longer kept. Choose another"):
        LoadedModels().get(str(damaged))


def test_what_does_not_fit_is_refused_before_a_weight_is_read(base, run_dir, tmp_path, has_free):
    without_weights = tmp_path / "model"
    shutil.copytree(base, without_weights, ignore=shutil.ignore_patterns("*.safetensors"))
    models = LoadedModels()
    has_free(10**9)
    num_bytes = weight_bytes(models.get(base)[0])
    has_free(int(1.09 * num_bytes))
    for name in (str(without_weights), str(run_dir / "checkpoints" / "step-00000010")):
        with pytest.raises(UserError) as refused:
            models.get(name)
        needed, free, held = (f"{n / 2**20:.1f} MiB" for n in (1.1 * num_bytes, 1.09 * num_bytes, models.sizes()[base]))
        assert f"{name} needs about {needed}, {free} are free: free a model ({base}: {held})" in str(refused.value)
    models.free(base)
    with pytest.raises(UserError, match="are free: choose a smaller model, or use a larger machine"):
        models.get(base)
    has_free(int(1.11 * num_bytes))
    models.get(base)


def test_a_model_that_is_no_causal_one_is_refused(tmp_path):
    T5Config(num_layers=1, d_model=8).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="is not a causal language model"):
        LoadedModels().get(str(tmp_path))


def test_weights_that_are_cut_off_are_refused(base, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(base, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(UserError, match="holds no model that transformers can load"):
        LoadedModels().get(str(folder))
