"""The processes of a run: how they meet, that strangers stay out, and that none waits for one that is dead."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch.distributed as dist

from support.waiting import wait_until
from utils import artifacts, files
from utils.config import RunConfig
from utils.errors import UserError
from utils.runs import launch, metrics
from utils.training import checkpoint, distributed, rendezvous
from utils.training.__main__ import main
from utils.training.distributed import InUse, Ranks, StopRequest, only_one, report_failure
from utils.training.rendezvous import FileBeats, Heartbeat

NOBODY = 65534


def as_another_user(*attempts) -> list[bool]:
    """Which of the attempts work for a user who is not the one who trains; each in a process of its own."""
    return [os.waitpid(pid, 0)[1] == 0 for pid in list(map(start_as_another_user, attempts))]


def start_as_another_user(attempt) -> int:
    if pid := os.fork():
        return pid
    signal.alarm(3)  # a port that answers nothing holds a client for ever
    try:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        attempt()
    except BaseException:
        os._exit(1)
    os._exit(0)


def write_into_store(address, port):
    """The way in of a stranger: to write what the launcher unpickles, where a store listens at the port."""
    store = dist.TCPStore(address, port, is_master=False, timeout=timedelta(seconds=2), wait_for_workers=False)
    store.set("stranger", "was here")
    assert store.get("stranger") == b"was here"


def listening(process):
    family = [process, *process.children(recursive=True)]
    found = [connection for member in family for connection in member.net_connections("inet")]
    return [connection.laddr for connection in found if connection.status == psutil.CONN_LISTEN]


def processes_files(pid):
    folders = [*files.private_folder().glob(f"{pid}-*")]
    return [path for folder in folders for path in folder.iterdir()]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_a_run_is_closed_to_strangers_and_saves_when_its_launcher_dies(world, run_dir, needs, monkeypatch):
    is_root = sys.platform == "linux" and subprocess.run(["unshare", "--uts", "true"]).returncode == 0
    needs(is_root and os.geteuid() == 0, "another user and another host name need root on Linux")
    config, command = world[1].with_changes(num_processes=2, num_train_epochs=1e4, eval_steps=10**6), launch.command
    # A machine whose own name cannot be looked up.
    renamed = ["unshare", "--uts", "sh", "-c", 'hostname no-such-host.invalid; exec "$@"', "sh"]
    monkeypatch.setattr("utils.runs.launch.command", lambda *arguments: renamed + command(*arguments))
    launch.start(run_dir, config)
    wait_until(lambda: metrics.train_lines(metrics.read(run_dir)) or launch.state(run_dir) != "running")
    launcher = launch.launcher(run_dir)
    assert launcher, launch.log_tail(run_dir)

    sockets = listening(launcher)
    assert sockets and {address.ip for address in sockets} == {"127.0.0.1"}, "only gloo, and on this machine alone"
    assert not any(as_another_user(*(partial(write_into_store, address.ip, address.port) for address in sockets)))
    meeting = processes_files(launcher.pid)
    assert {path.name for path in meeting} == {"group", "beat-0", "beat-1"}
    meeting += [Path(launcher.environ()["PET_RDZV_ENDPOINT"])]
    assert {stat.S_IMODE(path.stat().st_mode) for path in meeting} == {0o600}
    assert not any(as_another_user(*(partial(path.write_bytes, b"stranger") for path in meeting)))

    launcher.kill()
    wait_until(lambda: launch.state(run_dir) != "running")
    assert launch.state(run_dir) == "stopped", launch.log_tail(run_dir)
    last = metrics.train_lines(metrics.read(run_dir))[-1]["step"]
    assert checkpoint.newest_good(run_dir, print).name == f"step-{last:08d}"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_the_exploit_of_an_open_store_works_where_there_is_one(needs):
    needs(sys.platform == "linux" and os.geteuid() == 0, "another user needs root on Linux")
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=5))
    assert as_another_user(partial(write_into_store, "127.0.0.1", store.port)) == [True]
    opened = [address.ip for address in listening(psutil.Process()) if address.port == store.port]
    assert opened in (["::"], ["0.0.0.0"])


def test_a_private_folder_that_others_can_open_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    folder = files.private_folder()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and files.private_folder() == folder
    tmp_path.chmod(0o777)
    with pytest.raises(UserError, match="only you can open and replace"):
        files.private_folder()
    tmp_path.chmod(0o1777)
    assert files.private_folder() == folder
    folder.chmod(0o750)
    with pytest.raises(UserError, match="is not a folder that only you can open and replace: remove it, or set TMPDIR"):
        files.private_folder()
    folder.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    for plant in (folder.touch, lambda: folder.symlink_to("nowhere"), lambda: folder.symlink_to("elsewhere")):
        plant()
        with pytest.raises(UserError, match="is not a folder that only you can open"):
            files.private_folder()
        folder.unlink()


def test_what_a_killed_run_left_in_the_private_folder_is_cleared_after_a_day(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    folder, old, living = files.private_folder(), "17-29500-0", "18-29501-0"
    for name in (old, living, "compiled"):
        (folder / name).mkdir()
        (folder / name / "beat-0").touch()
        (folder / f"rendezvous-{name}").touch()
    long_ago = time.time() - launch.KEPT_SECONDS - 1
    for name in (f"{old}/beat-0", old, f"rendezvous-{old}", living, "compiled/beat-0", "compiled"):
        os.utime(folder / name, (long_ago, long_ago))
    launch._clear_private_folder()
    left = {path.name for path in folder.iterdir()}
    assert left == {living, f"rendezvous-{living}", "compiled", "rendezvous-compiled"}


def test_a_launcher_that_listens_on_all_addresses_is_refused_unless_allowed(monkeypatch):
    monkeypatch.setattr("utils.training.rendezvous.launcher_pid", os.getpid)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with socket.create_server(("", 0)) as server:
        with pytest.raises(
            UserError, match=rf"on all addresses, port {server.getsockname()[1]}.*{rendezvous.ALL_ADDRESSES}=1"
        ):
            Ranks.join()
        monkeypatch.setenv(rendezvous.ALL_ADDRESSES, "1")
        rendezvous.refuse_open_launcher()
    monkeypatch.delenv(rendezvous.ALL_ADDRESSES)
    with socket.create_server(("127.0.0.1", 0)):
        rendezvous.refuse_open_launcher()


@pytest.mark.slow
def test_several_machines_meet_on_one_address_alone(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for name, value in {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    store, beats = rendezvous._meet_at_port(rank=0)
    mine = [address.ip for address in listening(psutil.Process()) if address.port == port]
    assert mine in (["127.0.0.1"], ["::1"])
    assert os.environ["GLOO_SOCKET_IFNAME"] in ("lo", "lo0")
    assert os.environ["NCCL_SOCKET_IFNAME"] == f"={os.environ['GLOO_SOCKET_IFNAME']}"
    _, theirs = rendezvous._meet_at_port(rank=1)
    assert theirs.last(0) is None
    beats.send(0)
    before = theirs.last(0)
    beats.send(0)
    assert before is not None and theirs.last(0) != before
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    with pytest.raises(UserError, match=rf"store occupies localhost:{port}: set TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1"):
        rendezvous._meet_at_port(rank=0)
    monkeypatch.setenv("GROUP_WORLD_SIZE", "2")
    for host in ("0.0.0.0", "localhost"):
        monkeypatch.setenv("MASTER_ADDR", host)
        with pytest.raises(UserError, match=rf"MASTER_ADDR is {host}, which is .*: pass --local_addr"):
            rendezvous._meet_at_port(rank=0)


@pytest.mark.slow
def test_a_first_machine_that_cannot_be_reached_is_named(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(port))
    monkeypatch.setattr("utils.training.rendezvous.JOIN_SECONDS", 1.0)
    with pytest.raises(ConnectionError, match=rf"rank 1 could not join the others at 127\.0\.0\.1:{port}.* 1 s: "):
        rendezvous._meet_at_port(rank=1)


@pytest.fixture
def heartbeat(tmp_path, monkeypatch):
    """`heartbeat(num_ranks)`: the first rank's, with short limits; `ends` has what it would have ended with."""
    monkeypatch.setattr(Heartbeat, "BEAT_SECONDS", 0.02)
    monkeypatch.setattr(Heartbeat, "SILENCE_SECONDS", 1.0)
    ends, made = [], []

    def end(self, what):
        ends.append(what)
        self._ended.set()

    monkeypatch.setattr(Heartbeat, "_end", end)

    def make(num_ranks):
        made.append(Heartbeat(0, num_ranks, FileBeats(tmp_path)))
        return ends

    yield make
    for one in made:
        one.stop()


@pytest.mark.slow
def test_a_rank_that_never_joins_is_named_with_the_place(heartbeat, tmp_path, monkeypatch):
    monkeypatch.setattr("utils.training.rendezvous.JOIN_SECONDS", 0.2)
    monkeypatch.setattr(Heartbeat, "SILENCE_SECONDS", 60.0)
    FileBeats(tmp_path).send(1)
    ends = heartbeat(3)
    wait_until(lambda: ends)
    assert ends == [f"rank 2 did not join at {tmp_path} within 0 s"]


@pytest.mark.slow
def test_a_rank_that_dies_while_the_others_still_join_is_noticed(heartbeat, tmp_path):
    FileBeats(tmp_path).send(1)
    ends = heartbeat(3)
    wait_until(lambda: ends)
    assert ends[0].startswith("silent for 1 s: rank 1")


def test_the_heartbeat_begins_before_the_group_is_joined_and_a_joined_group_has_hours(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    start = dict(WORLD_SIZE="2", RANK="0", GROUP_WORLD_SIZE="1", MASTER_PORT="1", TORCHELASTIC_RESTART_COUNT="0")
    for name, value in start.items() | rendezvous._interface("eth7").items():
        monkeypatch.setenv(name, value)
    timeouts = []

    def joining(*_, store, **__):
        wait_until(lambda: [*tmp_path.rglob("beat-0")])
        timeouts.append((store, store.timeout))

    monkeypatch.setattr(dist, "init_process_group", joining)
    monkeypatch.setattr(Heartbeat, "_end", lambda *_: None)
    Ranks.join().heartbeat.stop()
    assert os.environ["GLOO_SOCKET_IFNAME"] in ("lo", "lo0"), "whatever the environment chose"
    ((store, before),) = timeouts
    assert before == timedelta(seconds=rendezvous.JOIN_SECONDS) and store.timeout == timedelta(hours=2)


@pytest.mark.slow
def test_a_rank_whose_launcher_dies_before_all_have_joined_ends(heartbeat, monkeypatch):
    monkeypatch.setattr("utils.training.rendezvous.launcher_pid", lambda: 1 if os.getppid() != 1 else 2)
    ends = heartbeat(2)
    wait_until(lambda: ends)
    assert ends == ["the launcher has ended, and not all processes have joined"]


def test_a_store_that_fails_is_named_with_its_error(heartbeat, tmp_path, monkeypatch):
    monkeypatch.setattr(FileBeats, "send", lambda self, rank: (tmp_path / "gone" / "beat").touch())
    ends = heartbeat(2)
    wait_until(lambda: ends)
    assert str(tmp_path) in ends[0] and "no longer answers: [Errno 2]" in ends[0]


def test_a_run_started_by_hand_is_not_stopped_when_the_shell_that_started_it_ends(tmp_path, monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    request = StopRequest(tmp_path)
    monkeypatch.setattr("os.getppid", lambda: 1)
    assert not request.is_made
    monkeypatch.undo()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "some")
    parent = psutil.Process(os.getppid())
    monkeypatch.setattr("sys.argv", ["program", *parent.cmdline()[-1:]])
    assert rendezvous.launcher_pid() == parent.pid
    started = StopRequest(tmp_path)
    assert not started.is_made
    monkeypatch.setattr("os.getppid", lambda: 1)
    assert started.is_made and not request.is_made
    monkeypatch.setattr("sys.argv", ["program", str(tmp_path)])
    assert rendezvous.launcher_pid() == 0 and StopRequest(tmp_path).is_made, "its launcher died before it could look"


@pytest.mark.slow
def test_who_finds_the_run_in_use_writes_nothing_into_it(tmp_path):
    RunConfig().save(tmp_path / "config.json")
    with only_one(tmp_path, Ranks()):
        with pytest.raises(InUse, match="trained by another process") as refused:
            main(tmp_path)
        assert report_failure(tmp_path, refused.value) == 2
    assert not (tmp_path / "outcome.json").exists()


@pytest.fixture
def outcome(tmp_path, monkeypatch):
    """`outcome(rank, start, error)`: `outcome.json` after that rank failed in that start; signals are kept back."""
    ended = []
    monkeypatch.setattr("utils.training.distributed._end_launcher", lambda: ended.append(1))
    monkeypatch.setattr("utils.training.distributed.launcher_pid", lambda: 1)
    monkeypatch.setattr("utils.training.distributed._a_peer_has_ended", lambda: False)

    def fail(rank, start, error):
        for name, value in {"RANK": rank, "MASTER_PORT": "1", "TORCHELASTIC_RESTART_COUNT": start}.items():
            monkeypatch.setenv(name, str(value))
        try:
            raise error
        except Exception as raised:
            status = report_failure(tmp_path, raised)
        return status, json.loads((tmp_path / "outcome.json").read_text())["reason"], len(ended)

    return fail


def test_the_reason_kept_is_that_of_the_rank_that_failed_first(outcome, monkeypatch):
    status, reason, num_ended = outcome(1, 0, IndexError("index 60000 is out of range"))
    assert status == 1 and num_ended == 1, "it would fail again"
    assert reason.startswith(f"rank 1: IndexError: index 60000 is out of range ({Path(__file__).name}:")
    assert outcome(0, 0, RuntimeError("Connection closed by peer"))[1:] == (reason, 1)
    assert outcome(0, 0, KeyError("later"))[1:] == (reason, 1), "the launcher is ending, and saves"
    assert outcome(0, 1, RuntimeError("the device is lost"))[1].startswith("rank 0: RuntimeError: the device is lost")
    assert outcome(0, 2, UserError("lower it"))[:2] == (2, "lower it")
    monkeypatch.setattr("utils.training.distributed.launcher_pid", lambda: 0)
    assert outcome(0, 2, UserError("raise it"))[:2] == (2, "raise it"), "started by hand, with a port in the shell"


def test_a_rank_that_only_lost_its_peer_says_that_the_peer_was_killed(outcome, monkeypatch):
    monkeypatch.setattr("utils.training.distributed._a_peer_has_ended", lambda: True)
    _, reason, num_ended = outcome(0, 0, RuntimeError("Connection closed by peer"))
    assert reason.startswith("another process of the run ended: it was killed, usually because memory ran out")
    assert reason.endswith(")") and "Then rank 0: RuntimeError: Connection closed by peer" in reason and not num_ended


@pytest.mark.slow
def test_a_crash_that_would_come_again_is_not_restarted_and_its_exception_is_the_reason(world, run_dir):
    data_dir, config = world
    config = config.with_changes(num_processes=2, max_restarts=3)
    path = artifacts.tokens_dir(data_dir, config) / "train.prompt_lengths.npy"
    manifest = path.with_name(artifacts.MANIFEST)
    before, prompt_lengths, recorded = path.read_bytes(), np.load(path), manifest.read_text()
    try:
        np.save(path, prompt_lengths[:-1])  # the last row has none, and the manifest agrees
        changed = json.loads(recorded)
        changed["files"][path.name] = artifacts.sha256_file(path)
        manifest.write_text(json.dumps(changed))
        launch.start(run_dir, config)
        wait_until(lambda: launch.state(run_dir) != "running")
    finally:
        path.write_bytes(before)
        manifest.write_text(recorded)
    assert launch.state(run_dir) == "failed"
    assert launch.failure(run_dir).startswith(("rank 0: IndexError", "rank 1: IndexError")), launch.failure(run_dir)
    log = (run_dir / "train.log").read_text()
    assert log.count("Traceback") >= 1 and log.count("IndexError: ") <= 2, "each rank fails once"


def test_processes_killed_are_seen_as_ended(monkeypatch):
    starts_two = (
        "import subprocess; [subprocess.Popen(['sleep', '60']) for _ in range(2)]; print(1, flush=True); input()"
    )
    launcher = psutil.Popen([sys.executable, "-c", starts_two], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    launcher.stdout.readline()
    monkeypatch.setattr("utils.training.distributed.launcher_pid", lambda: launcher.pid)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    children = launcher.children()
    assert not distributed._a_peer_has_ended()
    children[1].kill()
    wait_until(lambda: children[1].status() == psutil.STATUS_ZOMBIE)
    assert distributed._a_peer_has_ended()
    children[0].kill()
    launcher.kill()
    launcher.wait()
