"""What the figures show, read back from the drawn objects."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib import colors

from utils import plots
from utils.artifacts import ROOT
from utils.errors import UserError

ROWS = [
    {"instruction": "ab", "input": "c", "response": "d" * 50, "source": "s", "kind": "write"},
    {"instruction": "abcd", "input": "", "response": "d" * 500, "source": "s", "kind": "write"},
    {"instruction": "abcd", "input": "", "response": "d", "source": "t", "kind": "explain"},
]
RECORDS = [{"kind": "eval", "step": 0, "epoch": 0.0, "total_tokens": 0, "eval_loss": 8.0}]
for step in range(1, 5):
    RECORDS.append(
        {"kind": "train", "step": step, "epoch": step / 4, "total_tokens": 1000 * step, "loss": 8.0 - step}
        | {"learning_rate": 1e-3, "grad_norm": 1.5, "tokens_per_second": 3000.0}
    )
RECORDS.append({"kind": "eval", "step": 2, "epoch": 0.5, "total_tokens": 2000, "eval_loss": 5.0})
RECORDS.append({"kind": "eval", "step": 4, "epoch": 1.0, "total_tokens": 4000, "eval_loss": 5.5})


def lines(axis):
    return {line.get_label(): line.get_xydata().tolist() for line in axis.get_lines()}


@pytest.mark.parametrize(("x", "last"), [("step", 4), ("epoch", 1.0), ("tokens", 4000)])
def test_loss_curves_hold_every_record(x, last):
    (axis,) = plots.loss_curves(RECORDS, x=x, smoothing=0.5).axes
    drawn = lines(axis)
    assert drawn["training"] == [[last * step / 4, 8 - step] for step in range(1, 5)]
    assert drawn["validation"] == [[0, 8.0], [last / 2, 5.0], [last, 5.5]]
    assert drawn["lowest validation: 5.000"] == [[last / 2, 5.0]]
    # By hand: (0.25 · 7 + 0.5 · 6) / 0.75 for the second of the averages, whose weights add up to 1.
    assert drawn["training, smoothed 0.5"][0] == [last / 4, 7.0]
    assert drawn["training, smoothed 0.5"][1][1] == pytest.approx((0.25 * 7 + 0.5 * 6) / 0.75)


def test_smoothing_leaves_a_constant_alone():
    records = [record | {"loss": 3.0} for record in RECORDS if record["kind"] == "train"]
    (axis,) = plots.loss_curves(records, smoothing=0.9).axes
    smoothed = next(line for line in axis.get_lines() if "smoothed" in line.get_label())
    assert np.allclose(smoothed.get_ydata(), 3.0)


def test_run_curves_show_four_things():
    figure = plots.run_curves(RECORDS, x="tokens")
    loss, *others = figure.axes
    assert "validation" in lines(loss)
    drawn = [axis.get_lines()[0].get_ydata().tolist() for axis in others]
    assert drawn == [[1e-3] * 4, [1.5] * 4, [3000.0] * 4]


def test_wrong_choices_say_what_is_allowed():
    for draw in (plots.loss_curves, plots.run_curves):
        with pytest.raises(UserError, match="Did you mean 'step'"):
            draw(RECORDS, x="steps")
        with pytest.raises(UserError, match="smoothing must be .* got 1"):
            draw(RECORDS, smoothing=1)


def test_histograms_count_every_pair():
    prompts, responses = plots.pair_lengths(ROWS).axes
    assert [sum(bar.get_height() for bar in axis.patches) for axis in (prompts, responses)] == [3, 3]
    assert prompts.get_lines()[0].get_label() == "half are below 4"
    (axis, _) = plots.pair_lengths([ROWS[0] | {"instruction": "", "input": ""}]).axes
    assert sum(bar.get_height() for bar in axis.patches) == 1, "a length of 0 has a bar too"
    figure = plots.token_lengths([10, 20, 30], [1, 90, 30], max_length=60)
    assert figure.axes[0].get_title("left") == "1 of 3 pairs are longer than max_length"


def test_bars_count_kinds_or_sources_and_sum_up_the_rare():
    def bars(rows):
        (axis,) = plots.pair_kinds(rows).axes
        return dict(zip([label.get_text() for label in axis.get_yticklabels()], axis.patches, strict=True))

    assert {key: bar.get_width() for key, bar in bars(ROWS).items()} == {"write": 2, "explain": 1}
    without = [{key: value for key, value in row.items() if key != "kind"} for row in ROWS]
    assert {key: bar.get_width() for key, bar in bars(without).items()} == {"s": 2, "t": 1}
    many = bars([{"source": f"source {index}"} for index in range(40)])
    assert len(many) == plots.MAX_BARS
    assert many["29 others"].get_width() == 29


def test_every_axis_is_labelled_and_the_picture_has_words():
    figures = [
        plots.pair_lengths(ROWS),
        plots.pair_kinds(ROWS),
        plots.token_lengths([10], [20], 64),
        plots.loss_curves(RECORDS),
        plots.run_curves(RECORDS, x="epoch"),
    ]
    for figure in figures:
        assert any(axis.get_xlabel() for axis in figure.axes)
        assert any(axis.get_ylabel() or axis.get_title("left") for axis in figure.axes)
        assert colors.to_hex(figure.get_facecolor(), keep_alpha=True) == "#ffffffff", "opaque, for a dark page"
        page = figure._repr_html_()
        assert page.startswith('<img alt="') and 'alt=""' not in page
    assert "from 7.000 to 4.000" in plots.loss_curves(RECORDS)._repr_html_()
    hostile = plots.pair_kinds([{"kind": '"><script>alert(1)</script>'}])._repr_html_()
    assert "<script" not in hostile


def test_nothing_yet_is_a_figure_too():
    for figure in (plots.loss_curves([]), plots.run_curves([]), plots.pair_lengths([]), plots.pair_kinds([])):
        assert figure._repr_html_()
    assert plots.token_lengths([], [], 1024)._repr_html_()


def test_pyplot_stays_out():
    """Figures kept by pyplot pile up in a kernel."""
    code = "import sys; from utils import plots; plots.loss_curves([])._repr_html_(); print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "matplotlib.figure" in shown.stdout.split()
    assert "matplotlib.pyplot" not in shown.stdout.split()
