"""What runs are called: labels and notes that are kept and escaped, settings that differ, and curves to point at."""

import numpy as np
import pytest
from ipywidgets.embed import dependency_state

from support.payloads import PAYLOADS
from test_curves import make_run, records
from utils import static_view
from utils.config import RunConfig
from utils.errors import UserError
from utils.runs import curves, folders, hover, labels
from utils.runs.curves import Run
from utils.runs.labels import ABOUT, About
from utils.widgets.curves_view import CurvesView
from utils.widgets.parts.run_notes import RunNotes
from utils.widgets.run_panel import RunPanel

TINY = RunConfig.from_preset("tiny", num_processes=1)
FAST, SLOW = TINY.with_changes(learning_rate=2e-4, num_train_epochs=0.5), TINY.with_changes(learning_rate=2.5e-5)


@pytest.mark.parametrize(
    ("configs", "given", "expected"),
    [
        ([TINY], {}, [""]),
        ([FAST], {}, ["lr 2e-4, 0.5 epochs"]),
        ([TINY, FAST, SLOW], {}, ["lr 3e-4, 1 epoch", "lr 2e-4, 0.5 epochs", "lr 2.5e-5, 1 epoch"]),
        ([FAST, FAST], {"1": "the same again"}, ["lr 2e-4, 0.5 epochs", "the same again"]),
        ([TINY, TINY.with_changes(num_processes=2, save_steps=7)], {}, ["", ""]),
        ([FAST, RunConfig(seed=7)], {}, ["lr 2e-4, 0.5 epochs", "seed 7"]),
        ([TINY.with_changes(preset="gone", seed=7)], {}, [""]),
        ([TINY.with_changes(model_name_or_path="/data/runs/first/model")], {}, ["from first"]),
        ([TINY.with_changes(max_train_samples=0, lora_rank=8, seed=1, weight_decay=0.1)], {},
         ["all pairs, LoRA rank 8, seed 1, …"]),
    ],
)  # fmt: skip
def test_without_a_label_a_run_is_called_by_the_settings_that_differ(configs, given, expected):
    named = {str(number): config for number, config in enumerate(configs)}
    assert list(labels.labels(named, given).values()) == expected


def test_label_and_note_are_kept_in_one_file_of_the_run(tmp_path):
    run_dir = make_run(tmp_path, "a")
    assert labels.read(run_dir) == About()
    labels.write(run_dir, About("  too\nhot? ", " one\ntwo "))
    assert labels.read(run_dir) == About("too hot?", "one\ntwo")
    for about in ({"label": "x" * 61}, {"note": "x" * 10_001}):
        with pytest.raises(UserError, match="Shorten it"):
            About(**about)
    (run_dir / ABOUT).write_text('{"label": 1}')
    assert labels.about(run_dir) == About() and folders.titles([run_dir]) == {run_dir: "a"}
    with pytest.raises(UserError, match="must be of type str"):
        labels.write(run_dir, About("new"))
    assert (run_dir / ABOUT).read_text() == '{"label": 1}', "a damaged file is left alone"


def test_a_label_is_shown_wherever_a_run_is(tmp_path):
    run_dir = make_run(tmp_path, "a", FAST)
    make_run(tmp_path, "b", SLOW, age=5)
    view = CurvesView(tmp_path, [run_dir, tmp_path / "runs" / "b"])
    assert "lr 2e-4, 0.5 epochs · a: lowest" in view.view.value and "lr 2.5e-5, 1 epoch · b: lowest" in view.view.value
    view.notes.label.value, view.notes.note.value = "too hot?", "next:\n2e-3"
    assert labels.read(run_dir) == About("too hot?", "next:\n2e-3") and "Saved" in view.notes.message.value
    assert "too hot? · a: lowest" in view.view.value and "next:\n2e-3" in view.report.value
    assert [label for label, _ in view.names.options] == ["too hot? · a · failed", "lr 2.5e-5 · b · failed"]
    runs = [Run.load(run_dir), Run.load(tmp_path / "runs" / "b")]
    assert curves.summary(runs)["label"].tolist() == ["too hot?", "lr 2.5e-5, 1 epoch"]
    assert [text.get_text() for text in curves.details(runs).legends[0].get_texts()] == curves.titles(runs)
    panel = RunPanel(tmp_path, TINY, "a")
    assert any(label.startswith("too hot? · a · failed") for label, _ in panel.list.options)
    assert panel.notes.label.value == "too hot?" and "too hot? · a" in panel.figure.value
    panel.notes.label.value = ""
    assert any(label.startswith("lr 2e-4, 0.5 epochs · a") for label, _ in panel.list.options)


def test_the_run_whose_note_is_edited_is_one_of_those_shown(tmp_path):
    run_dirs = [make_run(tmp_path, name) for name in "ab"]
    (run_dirs[1] / ABOUT).write_text("damaged")
    notes = RunNotes()
    notes.offer([])
    assert notes.label.disabled and notes.note.disabled
    notes.offer(run_dirs)
    notes.note.value = "of a"
    notes.run.value = str(run_dirs[1])
    assert notes.note.value == "" and notes.note.disabled and "is not JSON" in notes.message.value
    notes.offer(run_dirs[:1])
    assert notes.note.value == "of a" and not notes.note.disabled and notes.run.layout.display == "none"
    notes.label.value = "x" * 61
    assert "at most" not in notes.message.value and 'role="alert"' in notes.message.value
    assert labels.read(run_dirs[0]) == About(note="of a")


def test_labels_and_notes_are_escaped(tmp_path):
    run_dir = make_run(tmp_path, "a", TINY)
    view, panel = CurvesView(tmp_path, [run_dir]), RunPanel(tmp_path, TINY, "a")
    text = "\n".join(PAYLOADS).encode("utf-8", "replace").decode()
    view.notes.label.value, view.notes.note.value = "<img src=x onerror=alert(1)>", text[: labels.MAX_NOTE]
    panel._show_run()
    assert labels.read(run_dir).note and labels.read(run_dir).label
    shown = view.view.value + view.report.value + panel.figure.value + panel.state.value
    page = static_view.panel(dependency_state(view, drop_defaults=False), view.model_id)
    for html, num_pictures in ((shown, 3), (page, 1)):
        assert html.count("<img") == html.count('<img alt="') == num_pictures
        assert not [tag for tag in ("<script", "<svg", "<iframe", "<a ", "<form") if tag in html.lower()]


@pytest.mark.parametrize("x", ["step", "epoch", "tokens", "time"])
def test_the_points_of_a_curve_are_where_they_are_drawn_and_say_step_and_value(tmp_path, x):
    runs = [Run.load(make_run(tmp_path, "a")), Run.load(make_run(tmp_path, "b", FAST, records(-1.0)))]
    picture = curves.compare(runs, x)
    picture._repr_html_()
    found = {(curve["name"], curve["what"]): curve for curve in hover.points(picture, runs, x)}
    first, second = curves.titles(runs)
    assert set(found) == {(run, what) for run in (first, second) for what in ("training", "validation")}
    curve = found[second, "validation"]
    assert (curve["step"], curve["value"]) == ([0, 2, 4], [7.0, 4.0, 4.5])
    assert found[first, "training"]["step"] == [1, 2, 3, 4]
    (axis,) = picture.axes
    places = [0, *(line for line in axis.get_lines() if line.get_label() == "b: validation")][1].get_xydata()
    pixels = axis.transData.transform(places) / (picture.bbox.width, picture.bbox.height)
    assert np.allclose(curve["left"], pixels[:, 0], atol=1e-4) and np.allclose(
        curve["top"], 1 - pixels[:, 1], atol=1e-4
    )
    assert 0 < min(curve["left"]) < max(curve["left"]) < 1 and curve["top"][1] == max(curve["top"]), (
        "lowest, lowest down"
    )


def test_what_is_smoothed_or_of_another_panel_says_so(tmp_path):
    runs = [Run.load(make_run(tmp_path, "a"))]
    for draw, expected in (
        (curves.compare, ["training, smoothed", "validation"]),
        (curves.details, ["Learning rate", "Gradient norm", "Speed", "Memory"]),
    ):
        picture = draw(runs, smoothing=0.5)
        picture._repr_html_()
        assert [curve["what"] for curve in hover.points(picture, runs, "step", 0.5)] == expected
    empty = Run("b", "failed", TINY, [], [])
    picture = curves.compare([empty])
    picture._repr_html_()
    assert all(curve["left"] == [] for curve in hover.points(picture, [empty], "step"))
