"""The comparison of runs: what is drawn is what was recorded, and the tables and exports say the same."""

import json
import os

import numpy as np
import pandas
import pytest

from support.metric_lines import eval_line, train_line
from utils import plots
from utils.config import RunConfig
from utils.errors import UserError
from utils.runs import curves, metrics
from utils.runs.curves import Run
from utils.widgets.curves_view import CurvesView
from utils.widgets.run_panel import RunPanel

TINY = RunConfig.from_preset("tiny")


def records(offset: float = 0.0) -> list[dict]:
    found = [eval_line(0, total_tokens=0, seconds=0.0, eval_loss=8.0 + offset)]
    for step in range(1, 5):
        place = dict(epoch=step / 4, total_tokens=1000 * step, seconds=30.0 * step)
        speed = dict(grad_norm=1.5, tokens_per_second=3000.0 + step, memory_bytes=step * 2**30)
        found.append(train_line(step, loss=8.0 - step + offset, **place, **speed))
        if step in (2, 4):
            found.append(eval_line(step, eval_loss=4.5 + step / 4 + offset, **place))
    return found


def make_run(data_dir, name: str, config: RunConfig = TINY, lines=None, age: int = 0):
    """A run's folder, written to `age` seconds before the others."""
    run_dir = data_dir / "runs" / name
    run_dir.mkdir(parents=True)
    config.save(run_dir / "config.json")
    for line in records() if lines is None else lines:
        metrics.append(run_dir, line)
    path = run_dir / metrics.METRICS if lines != [] else run_dir / "config.json"
    os.utime(path, (1e9 - age, 1e9 - age))
    return run_dir


@pytest.fixture
def runs(tmp_path):
    other = TINY.with_changes(learning_rate=5e-4, seed=7)
    return [Run.load(make_run(tmp_path, "a")), Run.load(make_run(tmp_path, "b", other, records(-1.0)))]


def lines(axis):
    return {line.get_label(): line.get_xydata().tolist() for line in axis.get_lines()}


@pytest.mark.parametrize(("x", "last"), [("step", 4), ("epoch", 1.0), ("tokens", 4000), ("time", 2.0)])
def test_the_curves_hold_every_record(runs, x, last):
    (axis,) = curves.compare(runs, x=x, smoothing=0.8).axes
    drawn = lines(axis)
    assert drawn["a: validation"] == [[0, 8.0], [last / 2, 5.0], [last, 5.5]]
    assert drawn["a: lowest"] == [[last / 2, 5.0]] and drawn["b: lowest"] == [[last / 2, 4.0]]
    assert drawn["a: training"][0] == [last / 4, 7.0]
    smoothed = pandas.Series([7.0, 6.0, 5.0, 4.0]).ewm(alpha=1 - 0.8).mean()
    assert [loss for _, loss in drawn["a: training"]] == pytest.approx(smoothed.tolist())
    (axis,) = curves.compare(runs, x=x).axes
    assert lines(axis)["b: training"] == [[last * step / 4, 7 - step] for step in range(1, 5)]
    assert axis.get_xlabel() and "nats per token" in axis.get_ylabel()


def test_perplexity_is_e_to_the_loss(runs):
    (axis,) = curves.compare(runs, perplexity=True).axes
    assert axis.get_yscale() == "log"
    assert lines(axis)["b: lowest"] == [[2.0, pytest.approx(np.exp(4.0))]]
    huge = Run("a", "failed", TINY, [{"step": 1, "loss": 1e4}, {"step": 2, "loss": 1.0}], [])
    assert curves.compare([huge], perplexity=True)._repr_html_()


def test_no_two_runs_look_the_same():
    many = [Run(str(index), "finished", TINY, records()[1:2], records()[:1]) for index in range(len(curves.COLORS) * 3)]
    (axis,) = curves.compare(many).axes
    looks = [
        (line.get_color(), line._unscaled_dash_pattern)
        for line in axis.get_lines()
        if line.get_label().endswith("training")
    ]
    assert len(set(map(str, looks))) == len(many)
    # Two that differ in colour alone, a colour-blind reader may take for one.
    assert all(first[1] != second[1] for first, second in zip(looks, looks[1:], strict=False))


def test_a_thin_line_keeps_every_extreme():
    x, y = np.arange(100_000.0), np.random.default_rng(0).normal(size=100_000)
    y[40_007], y[77_777] = 50.0, -50.0
    thin_x, thin_y = plots.thin(x, y, num_columns=500)
    assert len(thin_x) <= 4 * 501
    assert (thin_x[0], thin_x[-1], thin_y.max(), thin_y.min()) == (0, 99_999, 50.0, -50.0)
    assert np.all(np.diff(thin_x) > 0) and np.array_equal(y[thin_x.astype(int)], thin_y)
    columns, kept = (x / x[-1] * 500).astype(int), (thin_x / x[-1] * 500).astype(int)
    for column in (0, 123, 499):
        assert thin_y[kept == column].max() == y[columns == column].max()
        assert thin_y[kept == column].min() == y[columns == column].min()


def test_details_show_four_things_with_units(runs):
    axes = curves.details(runs, "tokens").axes
    assert [axis.get_lines()[0].get_ydata()[-1] for axis in axes] == [1e-3, 1.5, 3004.0, 4.0]
    assert all(axis.get_ylabel() for axis in axes) and axes[-1].get_xlabel() == "tokens read"


def test_wrong_choices_say_what_is_allowed(runs):
    for draw in (curves.compare, curves.details):
        with pytest.raises(UserError, match="Did you mean 'step'"):
            draw(runs, x="steps")
        with pytest.raises(UserError, match="smoothing must be .* got 1"):
            draw(runs, smoothing=1)


def test_the_tables_say_what_the_files_say(runs):
    row = curves.summary(runs).loc["b"]
    assert row["lowest validation loss (nats/token)"] == 4.0 and row["its perplexity"] == 54.6 and row["at step"] == 2
    assert row["tokens/s (median)"] in (3002.0, 3003.0) and row["peak memory (GiB)"] == 4.0
    assert row["training time (minutes)"] == 2.0 and row["state"] == "failed"
    differing = curves.differences({run.name: run.config for run in runs})
    assert differing.to_dict() == {
        "a": {"learning_rate": "0.0003", "seed": "42"},
        "b": {"learning_rate": "0.0005", "seed": "7"},
    }
    assert len(curves.differences({"a": TINY})) == 0


def test_a_run_that_has_nothing_yet_is_shown(tmp_path):
    run = Run.load(make_run(tmp_path, "a", lines=[]))
    assert "no evaluation yet" in curves.compare([run], smoothing=0.5)._repr_html_()
    assert curves.details([run])._repr_html_() and curves.summary([run]).loc["a", "updates"] == 0
    assert CurvesView(tmp_path, [tmp_path / "runs" / "a"]).report.value


def test_others_are_the_named_or_the_newest_on_the_same_pairs(tmp_path):
    run_dir = make_run(tmp_path, "a", age=9)
    for age, name in enumerate(["b", "c", "d"]):
        make_run(tmp_path, name, age=age)
    make_run(tmp_path, "elsewhere", TINY.with_changes(pairs="gpteacher-codegen"))
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / "config.json").write_text(json.dumps({"no_such_field": 1}))
    assert [path.name for path in curves.choose(tmp_path, run_dir)] == ["a", "b", "c"]
    assert [path.name for path in curves.choose(tmp_path, run_dir, "elsewhere a d")] == ["a", "elsewhere", "d"]
    with pytest.raises(UserError, match="Did you mean 'elsewhere'"):
        curves.choose(tmp_path, run_dir, "elswhere")


@pytest.mark.slow
def test_the_panel_follows_its_fields_and_escapes_names(tmp_path):
    run_dir = make_run(tmp_path, "<img src=x onerror=alert(1)>")
    make_run(tmp_path, "b", TINY.with_changes(seed=7), records(-1.0), age=5)
    panel = CurvesView(tmp_path, [run_dir], smoothing=0)
    first = panel.view.value
    assert first.startswith('<img alt="') and "seed" not in panel.report.value
    panel.names.value = panel.names._options_values
    assert panel.view.value != first and "seed" in panel.report.value
    panel.perplexity.value = True
    assert "validation perplexity 54.598 at step 2" in panel.view.value
    assert "<img src=x" not in panel.view.value + panel.report.value
    metrics.append(run_dir, records(-3.0)[3] | {"step": 9})
    panel.again.click()
    assert "at step 9" in panel.view.value, "read again"
    panel.names.value = ()
    assert 'role="alert"' in panel.view.value and panel.report.value == ""


@pytest.mark.parametrize("name", ["$\\frac$ $", r"\$a_$b_$"])
def test_a_name_is_no_mathematics(name):
    runs = [Run(name, "failed", TINY, [], [])]
    for picture in (curves.compare(runs), curves.details(runs)):
        assert picture._repr_html_().encode()
        (legend,) = picture.legends
        assert legend.get_texts()[0].get_text().replace("\\$", "$").startswith(plots.literal(name).replace("\\$", "$"))
    assert "mathjax_ignore" in curves.summary(runs)._repr_html_()
    table = curves.differences({name: TINY, "b": TINY.with_changes(pairs="$x$")})
    assert 'class="dataframe tex2jax_ignore mathjax_ignore"' in table._repr_html_()


def test_names_that_are_not_utf_8_are_shown_and_differ(tmp_path):
    run_dirs = [make_run(tmp_path, name, TINY.with_changes(num_processes=1)) for name in ("$\udcff", "$\udcfe")]
    view, panel = CurvesView(tmp_path, run_dirs), RunPanel(tmp_path, TINY, run_dirs[0].name)
    assert set(view.names.value) == {"$\\udcff", "$\\udcfe"} and len(panel.list.options) == 3
    assert view.view.value.encode().startswith(b"<img")
    assert all(f"$\\udcf{last}" in view.report.value for last in "fe")


def test_the_ticks_of_few_updates_are_whole_numbers():
    for evals in ([], records()[:1]):
        figure = curves.compare([Run("a", "running", TINY, [], evals)])
        figure.draw_without_rendering()
        labels = [tick.get_text() for tick in figure.axes[-1].get_xticklabels()]
        assert len(labels) == len(set(labels)) and "−0" not in labels
