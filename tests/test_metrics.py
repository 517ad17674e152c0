"""Metrics: whole lines at full precision, whatever dies, and passed on to trackers."""

import json
import math

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from support.metric_lines import train_line
from utils.errors import UserError
from utils.runs import metrics

ONE, TWO, FIVE = (json.dumps(train_line(step)) + "\n" for step in (1, 2, 5))


def test_numbers_come_back_exactly_and_none_is_made_up(tmp_path):
    record = train_line(1, loss=0.1 + 0.2, grad_norm=1e-300)
    metrics.append(tmp_path, record)
    assert metrics.read(tmp_path) == [record]
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError):
            metrics.append(tmp_path, train_line(2, loss=value))
    assert metrics.read(tmp_path) == [record]


@pytest.mark.parametrize("broken", [b'{"step": 3{"step": 4}', b'{"step": 3', b"\0\0\0\0", b"", b"\xff"])
def test_a_line_that_is_no_json_is_named_each_time_and_read_on_when_it_is_gone(tmp_path, broken):
    path, tail = tmp_path / "metrics.jsonl", metrics.Tail(tmp_path)
    path.write_text(ONE)
    assert tail.read()
    path.write_bytes(f"{ONE}{TWO}".encode() + broken + f"\n{FIVE}".encode())
    for read in (tail.read, tail.read, lambda: metrics.read(tmp_path)):
        with pytest.raises(UserError, match="metrics.jsonl:3: this line is not JSON. Delete the line"):
            read()
    path.write_text(ONE + TWO + FIVE)
    assert tail.read() and [record["step"] for record in tail.records] == [1, 2, 5]


def test_a_tail_reads_what_is_new_and_starts_over_when_a_run_goes_on(tmp_path):
    tail = metrics.Tail(tmp_path)
    assert not tail.read()
    metrics.append(tmp_path, train_line(1))
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write(TWO[:9])
        file.flush()
        assert tail.read() and tail.records == [train_line(1)]
        assert not tail.read()
        file.write(TWO[9:])
    assert tail.read() and tail.records == [train_line(1), train_line(2)]
    metrics.truncate(tmp_path, 1)
    metrics.append(tmp_path, train_line(2, loss=1.5))
    assert tail.read() and tail.records == [train_line(1), train_line(2, loss=1.5)]


def test_trackers_get_every_number(tmp_path):
    trackers = metrics.Trackers(tmp_path, "tensorboard", {"learning_rate": 1e-3})
    for step in (1, 2):
        trackers.log({"kind": "train", "step": step, "loss": 3.0 / step, "num_tokens": 10})
    trackers.finish()
    events = EventAccumulator(str(tmp_path / tmp_path.name)).Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 3.0), (2, 1.5)]
    assert {"loss", "num_tokens"} <= set(events.Tags()["scalars"])


def test_a_tracker_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match="Did you mean 'tensorboard'"):
        metrics.Trackers(tmp_path, "tensorbord", {})


def test_half_a_line_is_never_joined_to_another(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(ONE[:40] + "\n" + ONE[40:])  # joined by a comma, two halves could be one record
    with pytest.raises(UserError, match="metrics.jsonl:1: this line is not JSON"):
        metrics.read(tmp_path)
    path.write_text(ONE + TWO[:60])
    tail = metrics.Tail(tmp_path)
    assert tail.read() and tail.records == [train_line(1)]
    metrics.append(tmp_path, train_line(5))  # a resumed run
    assert tail.read() and tail.records == [train_line(1), train_line(5)]
    # Written again under the same number of inode, and grown past the place reached before.
    with open(path, "r+") as file:
        file.truncate()
        file.write("".join(json.dumps(train_line(step, loss=1.25)) + "\n" for step in range(1, 5)))
    assert tail.read() and tail.records == [train_line(step, loss=1.25) for step in range(1, 5)]


@pytest.mark.parametrize(
    ("change", "message"),
    [({"step": "<b>"}, "'step' must be a finite number, got '<b>'"), ({"step": 1.5}, "'step' must be a whole number"),
     ({"loss": None}, "'loss' must be a finite number, got None"), ({"mfu": "1"}, "'mfu' must be a finite number"),
     ({"seconds": True}, "'seconds' must be a finite number"), ({"kind": ["train"]}, "'kind' must be one of"),
     ({"step": 10**30}, "'step' must be a whole number from 0 to 9,007"), ({"step": -1}, "from 0 to"),
     ({"memory_bytes": 10**400}, "'memory_bytes' must be a finite number"),
     ({"tokens_per_second": 0}, "must be above 0")],
)  # fmt: skip
def test_a_value_of_another_type_is_named_with_its_line(tmp_path, change, message):
    (tmp_path / "metrics.jsonl").write_text(ONE + json.dumps(train_line(2) | change) + "\n")
    with pytest.raises(UserError, match=f"metrics.jsonl:2: .*{message}.*Delete the line"):
        metrics.read(tmp_path)
