"""What is made below `data/` is the user's alone unless set otherwise, and no link is written or deleted through."""

import os
import signal
import stat
import sys

import pytest
import torch

from support.world import make_world
from utils import artifacts, files, workbook
from utils.config import RunConfig
from utils.errors import UserError
from utils.model.prompt_modes import Question
from utils.playground import history
from utils.runs import launch
from utils.training import checkpoint
from utils.training.__main__ import main


@pytest.fixture(autouse=True)
def usual_umask():
    """Everybody may read what is made, as on most machines; no test leaves another one behind."""
    before = os.umask(0o022)
    yield
    assert os.umask(before) == 0o022


@pytest.fixture
def in_time():
    """A test that waits, as for a named pipe, fails and does not hang."""

    def blocked(*_):
        raise AssertionError("blocked")

    before = signal.signal(signal.SIGALRM, blocked)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def victim(tmp_path):
    """A folder with what a run could write over or delete; at the end of the test it is as it was."""
    folder = tmp_path / "victim"
    for path in ("file", "model.safetensors", "state.json", "step-00000001.tmp/file", "step-00000003/state.json"):
        files.make_parents(folder / path)
        (folder / path).write_text("mine\n")
    before = contents(folder)
    yield folder
    assert contents(folder) == before


def contents(folder):
    """Every path in a folder with its type, mode and content."""
    found = {path: path.lstat().st_mode for path in [folder, *folder.rglob("*")]}
    return {path: (mode, path.read_bytes() if stat.S_ISREG(mode) else b"") for path, mode in found.items()}


def modes(folder):
    """The modes of folders and of files in a folder, each once."""
    found = [path.stat() for path in folder.rglob("*")]
    return tuple({stat.S_IMODE(s.st_mode) for s in found if test(s.st_mode)} for test in (stat.S_ISDIR, stat.S_ISREG))


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def trained(data_dir, config, name):
    run_dir = data_dir / "runs" / name
    files.make_folder(run_dir)
    config.save(run_dir / "config.json")
    main(run_dir)
    assert (run_dir / "model").is_dir()
    return run_dir


@pytest.mark.slow
def test_everything_below_data_is_the_users_alone_until_a_folder_is_opened(tmp_path):
    (tmp_path / "data").mkdir()
    data_dir, config = make_world(tmp_path)
    config = config.with_changes(max_train_samples=24, num_train_epochs=1.0, report_to="tensorboard")
    first = trained(data_dir, config, "first")
    history.save_markdown(first, history.append(first, Question("Instruction", "Print.", ""), []))
    history.add_pair(data_dir / "my_pairs.jsonl", {"instruction": "Add.", "input": "", "response": "1 + 1"}, {})
    assert modes(data_dir) == ({0o700}, {0o600})
    assert mode(data_dir) == 0o755, "the folder that was there is left as it is"

    (data_dir / "runs").chmod(0o750)
    assert modes(trained(data_dir, config, "second")) == ({0o750}, {0o640})
    assert mode(first) == 0o700 and modes(first) == ({0o700}, {0o600})


def test_a_data_folder_that_is_made_is_the_users_alone(tmp_path):
    files.make_folder(tmp_path / "mine" / "data" / "runs" / "one")
    assert mode(tmp_path / "mine") == 0o700 and modes(tmp_path / "mine") == ({0o700}, set())


def test_what_is_written_again_keeps_its_mode(tmp_path):
    path, folder = tmp_path / "file.json", tmp_path / "pairs" / "some"
    files.write_json(path, 1)
    assert mode(path) == 0o600
    path.chmod(0o644)
    files.write_json(path, 2)
    files.append_line(path, "3")
    assert mode(path) == 0o644 and path.read_text() == "2\n3\n"
    for made, opened in ((0o700, 0o2770), (0o2770, 0o755), (0o755, 0o700)):
        with artifacts.building(folder, {}, {}) as building:
            (building / "inner").mkdir()
            (building / "inner" / "rows").write_text("1")
        assert mode(folder) == made and modes(folder) == ({made}, {made & 0o666})
        folder.chmod(opened)


def test_in_a_folder_that_all_users_share_nothing_is_shared(tmp_path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    files.write_text(tmp_path / "shared" / "file", "")
    files.make_folder(tmp_path / "shared" / "folder")
    assert modes(tmp_path / "shared") == ({0o700}, {0o600})


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path):
    files.write_text(tmp_path / "file", "old")
    with pytest.raises(RuntimeError), files.replacing(tmp_path / "file") as file:
        file.write(b"half")
        raise RuntimeError
    with pytest.raises(UnicodeEncodeError):
        files.write_text(tmp_path / "file", "\ud800")
    assert (tmp_path / "file").read_text() == "old"


# What a run replaces or clears, and what it only adds to: there it says what is in the way.
REPLACED = (
    *("config.tmp", ".config.json.tmp", "manifest.json", ".manifest.json.tmp", "outcome.json", ".outcome.json.tmp"),
    *("STOP", "pid.json", ".metrics.jsonl.tmp", ".samples.jsonl.tmp", "model.tmp", "checkpoints/step-00000001.tmp"),
    *("checkpoints/step-00000003", "checkpoints/step-00000003.tmp", "checkpoints/step-00000003.corrupt"),
)
REFUSED = ("lock", "metrics.jsonl", "samples.jsonl", "checkpoints", "linked")


@pytest.mark.slow
@pytest.mark.parametrize("target", ["file", "nothing", "."])
def test_training_replaces_links_and_not_what_they_lead_to(new_run, victim, target):
    run_dir = new_run("linked", max_train_samples=24, num_train_epochs=1.0, num_samples=0)
    for name in REPLACED:
        files.make_parents(run_dir / name)
        (run_dir / name).symlink_to(victim / target)
    main(run_dir)
    assert (run_dir / "model" / "config.json").is_file()
    assert not any((run_dir / name).is_symlink() for name in ("manifest.json", "outcome.json", REPLACED[-3]))


@pytest.mark.parametrize("target", ["file", "nothing", "."])
@pytest.mark.parametrize("name", REFUSED)
def test_training_refuses_a_link_that_it_would_write_through(new_run, victim, name, target):
    run_dir = new_run("linked", num_train_epochs=1.0, report_to="tensorboard")
    (run_dir / name).symlink_to(victim / target)
    with pytest.raises(UserError, match=f"{name} is a symbolic link, expected a .*. Move it away"):
        main(run_dir)
    assert (run_dir / name).is_symlink() and not (run_dir / "model").exists()


@pytest.mark.parametrize("target", ["nothing", "."])
def test_a_model_that_is_a_link_is_a_finished_run(new_run, victim, target):
    run_dir = new_run("elsewhere")
    (run_dir / "model").symlink_to(victim / target)
    main(run_dir)
    assert launch.state(run_dir) == "finished" and (run_dir / "model").is_symlink()


@pytest.mark.parametrize("name", ["lock", "metrics.jsonl", "samples.jsonl"])
def test_training_waits_for_no_pipe(new_run, name, in_time):
    run_dir = new_run("piped", num_train_epochs=1.0)
    os.mkfifo(run_dir / name)
    assert launch.state(run_dir) == "failed"
    with pytest.raises(UserError, match=f"{name} is neither a file nor a folder"):
        main(run_dir)


@pytest.mark.parametrize("name", ["train.log", "start.lock", "pid.json", ".pid.json.tmp", "outcome.json", "STOP"])
def test_starting_a_run_follows_no_link(tmp_path, victim, monkeypatch, name):
    run_dir, config = tmp_path / "data" / "runs" / "linked", RunConfig(num_processes=1)
    files.make_folder(run_dir)
    (run_dir / name).symlink_to(victim / "file")
    monkeypatch.setattr(launch, "command", lambda *_: [sys.executable, "-c", ""])
    if name in ("train.log", "start.lock"):
        with pytest.raises(UserError, match=f"{name} is a symbolic link"):
            launch.start(run_dir, config)
    else:
        launch.start(run_dir, config)
        assert RunConfig.load(run_dir / "config.json") == config


def test_stopping_a_run_follows_no_link(tmp_path, victim):
    (tmp_path / "STOP").symlink_to(victim / "nothing")
    launch.stop(tmp_path)
    assert (tmp_path / "STOP").is_file()


def test_a_link_in_the_place_of_a_checkpoint_is_replaced(tmp_path, victim):
    def save():
        saver = checkpoint.Saver(tmp_path, rank=0, num_ranks=1, keep=9)
        saver.save(3, {"weight": torch.ones(2)}, {}, {"step": 3})
        saver.wait()

    files.make_folder(tmp_path / "checkpoints")
    place, aside = (tmp_path / "checkpoints" / f"step-00000003{suffix}" for suffix in ("", ".corrupt"))
    place.symlink_to(victim)
    save()
    assert checkpoint.newest_good(tmp_path, print) == place and not place.is_symlink()
    (place / "state.json").unlink()
    aside.symlink_to(victim)
    assert checkpoint.newest_good(tmp_path, print) is None and not aside.is_symlink()
    place.with_suffix(".tmp").symlink_to(victim)
    with pytest.raises(UserError, match="step-00000003.tmp is a symbolic link"):
        save()
    place.with_suffix(".tmp").unlink()
    place.with_suffix(".tmp").mkdir()
    (place.with_suffix(".tmp") / "rank-00000.safetensors").symlink_to(victim / "file")
    save()
    assert checkpoint.newest_good(tmp_path, print) == place


def test_removing_a_run_that_is_a_link_removes_the_link(tmp_path, victim):
    (tmp_path / "runs").mkdir()
    run_dir, aside = tmp_path / "runs" / "linked", tmp_path / "runs" / ".linked.removed"
    run_dir.symlink_to(victim)
    aside.symlink_to(victim)
    with pytest.raises(UserError, match="is not a run"):
        launch.remove(run_dir)
    real = tmp_path / "real"
    real.mkdir()
    RunConfig().save(real / "config.json")
    run_dir.unlink()
    run_dir.symlink_to(real)
    launch.remove(run_dir)
    assert not list((tmp_path / "runs").iterdir()) and (real / "config.json").is_file()


@pytest.mark.parametrize("name", ["some", ".some.tmp"])
def test_a_stage_that_is_a_link_is_refused(tmp_path, victim, name):
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs" / name).symlink_to(victim)
    with pytest.raises(UserError, match="Move it away"), artifacts.building(tmp_path / "pairs" / "some", {}, {}):
        pass
    assert [path.name for path in (tmp_path / "pairs").iterdir()] == [name]


def test_a_data_folder_or_stage_may_lie_elsewhere(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "pairs").symlink_to(tmp_path / "disk")
    with artifacts.building(tmp_path / "data" / "pairs" / "some", {}, {}):
        pass
    files.make_folder(tmp_path / "data" / "runs" / "one")
    assert (tmp_path / "disk" / "some" / artifacts.MANIFEST).is_file() and (tmp_path / "disk" / "runs" / "one").is_dir()


def test_the_playground_follows_no_link(tmp_path, victim):
    question = Question("Instruction", "Print.", "")
    record = history.append(tmp_path, question, [])
    saved = history.save_markdown(tmp_path, record)
    for path, target in ((saved, "file"), (tmp_path / history.HISTORY, "file"), (tmp_path / "mine.jsonl", "nothing")):
        path.unlink(missing_ok=True)
        path.symlink_to(victim / target)
    assert history.save_markdown(tmp_path, record) != saved
    with pytest.raises(UserError, match=f"{history.HISTORY} is a symbolic link"):
        history.append(tmp_path, question, [])
    with pytest.raises(UserError, match=r"mine.jsonl is a symbolic link"):
        history.add_pair(tmp_path / "mine.jsonl", {"instruction": "Add.", "input": "", "response": "1 + 1"}, {})


@pytest.mark.parametrize(
    ("name", "said"), [("notebooks", "notebooks is a symbolic link"), ("summary.txt", ""), ("page.html", "")]
)
def test_make_run_follows_no_link(tmp_path, victim, monkeypatch, name, said):
    async def execute(path, plan, pages, *_, **options):
        pages["page"] = "<p>"
        return ""

    monkeypatch.setattr(workbook, "_execute", execute)
    monkeypatch.setattr(workbook, "summarize", lambda *_: "done\n")
    plan = workbook.Plan(RunConfig(), tmp_path, tmp_path / "run", {})
    link = plan.run_dir / ("notebooks/page.html" if name == "page.html" else name)
    files.make_parents(link)
    link.symlink_to(victim if said else victim / "file")
    if said:
        with pytest.raises(UserError, match=said):
            workbook._run(plan, [tmp_path / "01.ipynb"])
    else:
        assert workbook._run(plan, [tmp_path / "01.ipynb"]) == 0 and not link.is_symlink()


def test_what_has_another_name_is_not_written_on(tmp_path):
    files.append_line(tmp_path / "file", "1")
    os.link(tmp_path / "file", tmp_path / "backup")
    with pytest.raises(UserError, match="file is a hard link"):
        files.append_line(tmp_path / "file", "2")
    with pytest.raises(UserError, match="hard link"), open(tmp_path / "file", "w", opener=files.opener):
        pass
    files.write_text(tmp_path / "file", "new")
    os.link(tmp_path / "backup", tmp_path / "again")
    assert (tmp_path / "backup").read_text() == "1\n" and files.read_bytes(tmp_path / "backup", 9) == b"1\n"
    with open(tmp_path / "file", "w", opener=files.opener) as file:
        file.write("x")
    assert (tmp_path / "file").read_text() == "x"


@pytest.mark.parametrize("name", ["file", ".file.tmp"])
def test_a_folder_in_the_place_of_a_file_is_named(tmp_path, name):
    (tmp_path / name).mkdir()
    for write in (files.write_text, files.append_line)[: 2 if name == "file" else 1]:
        with pytest.raises(UserError, match=f"{name} is a folder, expected a file"):
            write(tmp_path / "file", "")
    assert (tmp_path / name).is_dir()
