"""What the figures show, read back from the drawn objects."""

import re

from matplotlib import colors

from utils import plots
from utils.artifacts import ROOT

ROWS = [
    {"instruction": "ab", "input": "c", "response": "d" * 50, "source": "s", "kind": "write"},
    {"instruction": "abcd", "input": "", "response": "d" * 500, "source": "s", "kind": "write"},
    {"instruction": "abcd", "input": "", "response": "d", "source": "t", "kind": "explain"},
]


def test_histograms_count_every_pair():
    prompts, responses = plots.pair_lengths(ROWS).axes
    assert [sum(bar.get_height() for bar in axis.patches) for axis in (prompts, responses)] == [3, 3]
    assert prompts.get_lines()[0].get_label() == "median 4"
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
    ]
    for figure in figures:
        assert any(axis.get_xlabel() for axis in figure.axes)
        assert any(axis.get_ylabel() or axis.get_title("left") for axis in figure.axes)
        assert colors.to_hex(figure.get_facecolor(), keep_alpha=True) == "#ffffffff", "opaque, for a dark page"
        page = figure._repr_html_()
        assert page.startswith('<img alt="') and 'alt=""' not in page
    hostile = plots.pair_kinds([{"kind": '"><script>alert(1)</script>'}, {"kind": "$x^$"}])._repr_html_()
    assert "<script" not in hostile, "and what is between two $ is no mathematics"


def test_nothing_yet_is_a_figure_too():
    for figure in (plots.pair_lengths([]), plots.pair_kinds([])):
        assert figure._repr_html_()
    assert plots.token_lengths([], [], 1024)._repr_html_()


def test_pyplot_stays_out():
    """Figures kept by pyplot pile up in a kernel."""
    assert [path for path in (ROOT / "utils").rglob("*.py") if re.search(r"import .*pyplot", path.read_text())] == []


def test_a_table_is_no_mathematics_whatever_is_made_of_it():
    table = plots.Table({"a": ["$x$", "y" * 10**6]})
    for shown in (table, table.fillna(""), table.T, plots.Table.from_dict({"a": [1.5]}).round()):
        page = shown._repr_html_()
        assert 'class="dataframe tex2jax_ignore mathjax_ignore"' in page and len(page) < 5_000
        assert page.count('<div tabindex="0"') == 1, "scrolled by keyboard"
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert '"pandas.DataFrame' not in path.read_text(), "a cell that shows a table shows a `plots.Table`"
