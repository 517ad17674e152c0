"""The view of a plan: every part in it, said in words too, and nothing in it taken for HTML."""

from dataclasses import replace
from html import escape

import pytest

from utils import hardware
from utils.planning import planner
from utils.widgets import plan_view

PARTS = {
    "weights": 2**30, "gradients": 2**30, "optimizer": 2**31, "activations": 3 * 2**28, "logits": 2**27,
    "program and buffers": 2**29,
}  # fmt: skip


@pytest.fixture
def plan(world):
    data_dir, config = world
    return replace(
        planner.plan(config, data_dir, price_per_hour=2.0),
        devices=(hardware.Device("<b>GPU</b>", 2**33),), num_processes=1, memory_bytes_per_process=PARTS,
        free_bytes_per_process=2**33, main_memory_bytes=2**29, free_main_memory_bytes=2**35, seconds=7300.0, cost=4.06,
    )  # fmt: skip


def test_every_part_is_in_the_bar_and_in_words(plan):
    view = plan_view.PlanView(plan)
    assert view.value.count('<span style="width') == 6 and "width: 25.00%" in view.value
    label = view.value.split('aria-label="')[1].split('"')[0]
    for text in ("It fits.", "optimizer 2.0 GiB", "logits 128.0 MiB", "needs 5.4 GiB of memory; 8.0 GiB are free"):
        assert text in label
    assert "<b>GPU" not in view.value and "&lt;b&gt;GPU" in view.value
    for text in ("2:01:40", "4.06", "main memory"):
        assert text in view.value


def test_what_does_not_fit_is_said_with_what_to_change_and_shown_in_place(plan, monkeypatch):
    found = (hardware.Device("<b>GPU</b>", 2**32),)
    monkeypatch.setattr(hardware, "devices", lambda number: found)
    too_small = replace(plan, devices=found, free_bytes_per_process=2**32)
    view = plan_view.PlanView(plan)
    view.show(too_small)
    text = "the one process needs 5.4 GiB of memory; <b>GPU</b> has 4.0 GiB free. It would fit with tokens_per"
    assert "class=bad" in view.value and f"It does not fit: {escape(text)}" in view.value
    assert 'class="limit left" style="left: 74.42%"' in view.value
    view.show(replace(plan, main_memory_bytes=2**36))
    assert "of main memory" in view.value


def test_a_full_disk_is_not_said_to_fit(plan):
    view = plan_view.PlanView(replace(plan, free_disk_bytes=1))
    assert "It does not fit: checkpoints and model need" in view.value and "class=bad" in view.value
    assert "It fits" not in view.value


def test_what_is_not_known_is_said(plan):
    unknown = replace(plan, num_updates=None, seconds=None, seconds_basis="not known before", cost=None)
    facts = dict(plan_view.facts(unknown))
    assert facts["updates"] == "unknown" and facts["time"] == "not known before" and "cost" not in facts
