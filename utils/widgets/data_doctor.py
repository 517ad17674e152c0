"""The data doctor's page: findings with examples, and how to apply their repairs.

Nothing is changed here: a checkbox only shows the line for the parameters cell. Text of rows is escaped.
"""

from collections.abc import Sequence

import ipywidgets as widgets

from utils.data.audit import REPAIRS
from utils.data.findings import Example, Finding
from utils.widgets.html import BORDER, LINE, PRE, escape, pre

FRAME = f"margin: 4px 0; padding: 6px; max-height: 24em; overflow-y: auto; border: {BORDER}"
# The signs of a diff carry the meaning, not the colours.
DIFF_STYLES = {
    "-": "color: var(--jp-error-color1, #b00)",
    "+": "color: var(--jp-success-color1, #080)",
    "@": "color: var(--jp-content-font-color2, #888)",
}
COLUMNS = "display: grid; grid-template-columns: repeat(auto-fit, minmax(20em, 1fr)); gap: 8px"


class Doctor(widgets.VBox):
    """The panel: `findings` with checkboxes, and how to apply the selected repairs.

    `applied` are repairs made before these pairs were examined; they stay in the proposed value.
    """

    def __init__(self, findings: Sequence[Finding], applied: Sequence[str] = ()):
        self.applied = [name for name in applied if name in REPAIRS]
        self.ticks: dict[str, widgets.Checkbox] = {}
        self.proposal = widgets.HTML()
        lines: list[widgets.Widget] = []
        for finding in findings:
            lines.append(widgets.HTML(_finding(finding)))
            if finding.repair and finding.count:
                self.ticks[finding.repair] = self._tick(finding.repair)
                lines.append(self.ticks[finding.repair])
        self._propose()
        super().__init__([*lines, self.proposal])

    @property
    def repairs(self) -> str:
        """The value of REPAIRS: the applied and the selected repairs, separated by spaces."""
        ticked = [name for name, tick in self.ticks.items() if tick.value]
        return " ".join(dict.fromkeys([*self.applied, *ticked]))

    def _tick(self, repair: str) -> widgets.Checkbox:
        description = f"Repair “{repair}”: {REPAIRS[repair]}"
        layout = widgets.Layout(width="auto", margin="0 0 8px 18px")
        tick = widgets.Checkbox(False, description=description, indent=False, layout=layout)
        tick.observe(self._propose, "value")
        return tick

    def _propose(self, _=None) -> None:
        if self.repairs == " ".join(self.applied):
            text = "No repair is selected, so nothing changes. Select one to see how to apply it."
        else:
            text = (
                f'To apply: set <code>REPAIRS = "{escape(self.repairs)}"</code> in the parameters at the top of this '
                "notebook, and run all cells again. Until then the pairs do not change."
            )
        self.proposal.value = f'<p role="status" style="{LINE}"><b>{text}</b></p>'


def table(findings: Sequence[Finding]) -> str:
    """The findings as an HTML table, for exported pages."""
    left, right = 'style="text-align: left"', 'style="text-align: right; white-space: nowrap"'
    heads = "".join(f"<th {left}>{head}</th>" for head in ("finding", "rows", "meaning", "repair"))
    body = "".join(
        f"<tr><td {left}>{escape(finding.title)}</td><td {right}>{how_many(finding)}</td>"
        f"<td {left}>{escape(finding.meaning)}</td>"
        f"<td {left}>{escape(finding.repair if finding.count else '')}</td></tr>"
        for finding in findings
    )
    return f'<table class="mathjax_ignore"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'


def how_many(finding: Finding) -> str:
    """The number of rows, or that there was no check."""
    if not finding.is_checked:
        return "not checked"
    if finding.count:
        return f"{finding.count:,} row{'s' if finding.count > 1 else ''}"
    return "details" if finding.name == "lengths" else "none"


def _finding(finding: Finding) -> str:
    head = f"<b>{escape(finding.title)}: {how_many(finding)}.</b> {escape(finding.meaning)}"
    figures = "".join(
        f'<tr style="background: none"><td style="text-align: left">{escape(name)}</td>'
        f'<td style="text-align: right; padding-left: 2em">{number:,}</td></tr>'
        for name, number in finding.counts.items()
    )
    shown = f"<p><i>{len(finding.examples)} of {finding.count:,} examples:</i></p>" if finding.examples else ""
    body = (f"<table>{figures}</table>" if figures else "") + shown + "".join(map(_example, finding.examples))
    if not body:
        return f'<div style="{LINE}margin-left: 18px">{head}</div>'
    inside = f'<div style="margin: 4px 0 8px 18px">{body}</div>'
    return f'<details style="{LINE}"><summary style="cursor: pointer">{head}</summary>{inside}</details>'


def _example(example: Example) -> str:
    """One row: the diff of a repair, or the row and the text it is compared with."""
    # A diff of two rows already shows both.
    compares = "\n@@" in example.diff
    parts = [_pre(example.diff) if example.diff else pre(example.text, FRAME)]
    if example.beside and not compares:
        parts.append(pre(example.beside, FRAME))
    head = f"row {example.row}: {escape(example.note)}"
    body = f'<div style="{COLUMNS}">{"".join(parts)}</div>'
    return f'<details style="margin-left: 8px"><summary style="cursor: pointer">{head}</summary>{body}</details>'


def _pre(diff: str) -> str:
    spans = ((DIFF_STYLES.get(line[:1], ""), escape(line)) for line in diff.split("\n"))
    body = "\n".join(f'<span style="{style}">{line}</span>' for style, line in spans)
    return f'<pre style="{PRE}{FRAME}">{body}</pre>'
