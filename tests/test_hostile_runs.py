"""Anything in the place of a run's files: that run is named as unreadable, the others are shown as before."""

import json
import os
import signal
from html.parser import HTMLParser

import pytest

from support.metric_lines import eval_line, train_line
from support.payloads import PAYLOADS
from test_run_panel import made_run
from utils import files
from utils.artifacts import MANIFEST
from utils.config import RunConfig
from utils.errors import UserError
from utils.planning import timing
from utils.playground import history, model_pool
from utils.runs import curves, diagnostics, folders, launch, metrics, summary
from utils.training import checkpoint
from utils.widgets import run_status
from utils.widgets.curves_view import CurvesView
from utils.widgets.run_panel import RunPanel

INJECTED = '"><img src=x onerror=alert(1)><b id="injected">$x^$'
CONFIG = RunConfig.from_preset("tiny", pairs="python-stdlib", num_processes=1)
STEP = "checkpoints/step-00000001"
NAMES = (
    *("config.json", "pid.json", "outcome.json", MANIFEST, "metrics.jsonl", "samples.jsonl", "train.log", "lock"),
    *("start.lock", "STOP", "model", "model.tmp", "checkpoints", f"{STEP}/state.json", f"{STEP}/{MANIFEST}"),
    *("playground.jsonl", "answers.json", "yardstick.json"),
)
FIELDS = (
    *RunConfig().__dict__,
    *("pid", "create_time", "outcome", "reason", "facts", "inputs", "files", "settings", "num_updates", "self"),
    *("time", "mode", "columns", "kind", "step", "epoch", "prompt", "instruction", "eval_loss", "base", "run"),
)
VALUES = (None, True, -1, 0.5, 10**400, INJECTED, "\ud800", [], {"a": [{}]}, "train", "finished")
LINES = [train_line(1), train_line(2), eval_line(2), {"step": 1, "row": 0, "prompt": "p", "response": "r"}]
LINES[3] |= {"answer": "a", "reason": "limit"}


def contents(has_lines: bool = True) -> list[bytes]:
    """Bytes of every kind of damage: other types, depth, length, encodings, numbers, and values in known fields."""
    raw = [b"", b"\n", b" ", b"null", b"true", b"1", b"[]", b"{}", b'"x"', b"NaN", b"-Infinity", b"1e999", b"[1, 2]"]
    raw += [b"[" * 100_000, b'{"a":' * 100_000, b"[[" * 400 + b"]]" * 400, b"1" + b"0" * 400, b"1" + b"0" * 5000]
    raw += [b"\xff\xfe\xfd", b"\0" * 99, "{}".encode("utf-16"), b"\xef\xbb\xbf{}", b'{"a": 1', b"{}{}", b"{'a': 1}"]
    raw += [b'"' + b"x" * 2**21 + b'"', b'{"x": ' + b"9" * 2**21 + b"}", "\n".join(PAYLOADS).encode(errors="replace")]
    raw += [json.dumps(dict.fromkeys(FIELDS, value)).encode() for value in VALUES]
    if not has_lines:
        return raw
    for line in LINES[1::2]:
        for name in line:
            raw += [json.dumps(line | {name: value}).encode() + b"\n" for value in (None, -1, INJECTED)]
    whole = json.dumps(LINES[0]).encode()
    raw += [whole[:30] + whole + b"\n", whole[:40] + b"\n" + whole[40:] + b"\n", whole + b"," + whole + b"\n"]
    extreme = (1e39, 5e-324, 1.0)
    raw += [b"".join(json.dumps(train_line(n, epoch=e, loss=e, seconds=e)).encode() + b"\n" for n in range(1, 90))
            for e in extreme]  # fmt: skip
    return raw


def put(path, kind) -> None:
    """Something at `path`: these bytes, or a pipe, a folder, a link or a file of a gigabyte."""
    files.remove(path)
    files.make_parents(path)
    if isinstance(kind, bytes):
        path.write_bytes(kind)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        (path / "inside").mkdir(parents=True)
    elif kind == "gigabyte":
        with open(path, "wb") as file:
            file.truncate(2**30)
    else:
        path.symlink_to({"link": "/dev/zero", "loop": path.name, "nowhere": "nowhere"}[kind])


OTHERS = ("pipe", "folder", "gigabyte", "link", "loop", "nowhere")


@pytest.fixture(autouse=True)
def _never_forever():
    """A pipe or endless file that is opened after all fails the test."""
    signal.alarm(170)
    yield
    signal.alarm(0)


class Tags(HTMLParser):
    """No element of a page may come from a file."""

    def handle_starttag(self, tag, attrs):
        assert dict(attrs).get("id") != "injected" and not any(name.startswith("on") for name, _ in attrs), tag
        assert tag not in ("script", "iframe", "object", "svg", "base", "form") and dict(attrs).get("src") != "x"


def check_page(*pages: str) -> None:
    for page in pages:
        page.encode()
        Tags().feed(page)


def looked_at(run_dir) -> None:
    """Everything that reads a run, without drawing; only `UserError` may come out, where one is expected."""
    state = launch.state(run_dir)
    assert state in launch.STATES and launch.phase(run_dir) in run_status.PHASES
    check_page(run_status.phase_html(run_dir, launch.phase(run_dir), []))
    assert isinstance(launch.failure(run_dir), str) and isinstance(launch.log_tail(run_dir), str)
    assert launch.launcher(run_dir) is None and run_status.num_updates(run_dir) >= 0
    runs, unreadable = curves.load([run_dir])
    assert len(runs) + len(unreadable) == 1
    for run in runs:
        assert isinstance(run_status.status(run_dir), str)
        lines = [*run.train, *run.evals]
        check_page(run_status.numbers(run.train, run.evals), str(timing.seconds_left(lines, 10)))
        assert isinstance(diagnostics.read(lines, run.config), list)
    for read in (lambda: metrics.read(run_dir, metrics.SAMPLES), lambda: model_pool.choices(run_dir)):
        try:
            result = read()
        except UserError as error:
            assert str(error)
            continue
        check_page(run_status.samples(result) if isinstance(result, list) else "")
    try:
        for record in history.load(run_dir)[0]:
            history.markdown(record)
    except UserError as error:
        assert history.HISTORY in str(error)
    assert isinstance(summary._answer_lines(run_dir), list)
    checkpoint.best(checkpoint.found(run_dir))
    for folder in checkpoint.found(run_dir):
        assert isinstance(checkpoint.defect(folder), str)


@pytest.mark.parametrize("name", NAMES)
def test_a_run_with_anything_in_the_place_of_a_file_is_read_or_named(tmp_path, name):
    good, bad = made_run(tmp_path, CONFIG, "good"), made_run(tmp_path, CONFIG, "tiny-python-stdlib")
    for kind in [*contents(name.endswith(".jsonl")), *OTHERS]:
        put(bad / name, kind)
        looked_at(bad)
        assert set(folders.runs(tmp_path)) == {good, bad} and good in folders.readable(tmp_path)
        assert folders.choose_run(tmp_path, CONFIG).name and folders.size_bytes(bad) >= 0


INJECTING = json.dumps(LINES[0] | {"step": INJECTED}).encode() + b"\n"
DAMAGE = {
    "config.json": [b"[" * 100_000, b'{"seed": 1' + b"0" * 400 + b"}", b"\xff", b'{"self": 1}', "pipe", "gigabyte"],
    "metrics.jsonl": [INJECTING, b"[]\n", "folder", "gigabyte", "pipe"],
    **{"pid.json": [b"[]", "pipe"], "outcome.json": [b'"x"', "pipe"]},
    **{"samples.jsonl": [b"[]\n"], "train.log": ["pipe", "folder"]},
}


def test_the_screens_list_bad_runs_with_the_reason_and_draw_the_others_as_before(tmp_path):
    good = made_run(tmp_path, CONFIG, "$\\frac$ <good>")
    alone = CurvesView(tmp_path, [good])
    page, report = alone.view.value, alone.report.value
    bad = []
    for name, kinds in DAMAGE.items():
        for kind in kinds:
            bad.append(made_run(tmp_path, CONFIG, f"bad-{len(bad)}-{name}"))
            put(bad[-1] / name, kind)
    view = CurvesView(tmp_path, [good])
    assert (view.view.value, view.report.value) == (page, report)
    assert len(view.names.options) == len(bad) + 1
    unreadable = [label for label, _ in view.names.options if "unreadable" in label]
    assert len(unreadable) == len(DAMAGE["config.json"])
    view.names.value = [path.name for path in bad if path.name.endswith(("config.json", "metrics.jsonl"))] + [good.name]
    assert view.view.value == page, "the good one alone is drawn"
    num_named = view.report.value.count("unreadable: ")
    assert num_named == len(DAMAGE["config.json"]) + len(DAMAGE["metrics.jsonl"])
    assert "bad-6-metrics.jsonl/metrics.jsonl:1: 'step' must be a finite number" in view.report.value
    check_page(view.view.value, view.report.value)
    panel = RunPanel(tmp_path, CONFIG, run=good.name)
    assert len(panel.list.options) == len(bad) + 2
    for run_dir in bad:
        panel.list.value = str(run_dir)
        assert panel.run_dir == run_dir and panel.message.value == "" and run_dir.name in panel.state.value
        check_page(panel.state.value, panel.numbers.value, panel.sample.value, panel.log_page.value, panel.figure.value)
        if run_dir.name.endswith(("config.json", "metrics.jsonl", "samples.jsonl")):
            assert str(run_dir / run_dir.name.split("-")[2]) in panel.state.value
    panel.list.value = str(good)
    assert "<img alt=" in panel.figure.value
    assert [path.name for path in curves.choose(tmp_path, good, "bad-0-config.json")] == [
        good.name,
        "bad-0-config.json",
    ]
    launch.remove(bad[0])
    assert not bad[0].exists()
