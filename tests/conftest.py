"""What several test files need: a clean environment, the shared data, and skipping that CI does not forgive."""

import os
import shutil

import pytest
from transformers import AutoTokenizer

from support.world import make_world
from utils import artifacts, hardware, plots, workbook
from utils.artifacts import ROOT
from utils.data import pairs
from utils.runs import launch
from utils.tokens import dataset
from utils.training import samples, task_answers


@pytest.fixture(autouse=True)
def _no_choices(monkeypatch):
    """The notebooks' parameters of whoever runs the tests do not reach them."""
    for name in workbook.CHOICES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session", autouse=True)
def _short_probes():
    """What every run does besides training takes no time: its matrix rate, and the length of its samples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(hardware.SIZES, "cpu", 128)
        patch.setattr(plots, "SCREEN_DPI", 32)  # a quarter of the time of a picture
        for module in (samples, task_answers):
            patch.setattr(module, "MAX_NEW_TOKENS", 16)
        yield


@pytest.fixture(scope="session")
def needs():
    """`needs(condition, reason)`: go on when the machine has what a test needs, else skip, or fail where `CI=true`."""

    def check(condition: bool, reason: str) -> None:
        if not condition and os.environ.get("CI") == "true":
            pytest.fail(f"{reason} (with CI=true this is a failure)")
        if not condition:
            pytest.skip(reason)

    return check


@pytest.fixture(scope="session")
def shared_data():
    """The folder with copies of the real data; the test is skipped where there is none, in CI too."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not there")
    return folder


@pytest.fixture(scope="session")
def library_pairs(tmp_path_factory):
    return pairs.prepare("python-stdlib", tmp_path_factory.mktemp("library"))[0]


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """`make_world`, shared: tests make runs of their own in its `runs/` and change nothing else."""
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def rows(world):
    """The training rows of the shared world."""
    return dataset.load(artifacts.tokens_dir(*world), "train")


@pytest.fixture
def run_dir(world):
    """The folder of a run that a test launches; what is left of it ends and goes with the test."""
    run_dir = world[0] / "runs" / "launched"
    yield run_dir
    if process := launch.launcher(run_dir):
        process.kill()
    shutil.rmtree(run_dir, ignore_errors=True)


@pytest.fixture(scope="session")
def tokenizer(world):
    return AutoTokenizer.from_pretrained(world[1].model_name_or_path)


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
