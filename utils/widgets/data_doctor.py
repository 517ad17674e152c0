"""The data doctor's page: findings with examples, and their repairs, which a button applies.

Nothing changes before the button is pressed, and never the source of the pairs. Text of rows is escaped.
"""

import asyncio
from collections.abc import Callable, Sequence

import ipywidgets as widgets

from utils.data import pairs
from utils.data.audit import REPAIRS
from utils.data.findings import Example, Finding
from utils.widgets.html import BORDER, LINE, PRE, alert, connection_note, describe, escape, guarded, pre

FRAME = f"margin: 4px 0; padding: 6px; max-height: 24em; overflow-y: auto; border: {BORDER}"
# The signs of a diff carry the meaning, not the colours.
DIFF_STYLES = {
    "-": "color: var(--jp-error-color1, #b00)",
    "+": "color: var(--jp-success-color1, #080)",
    "@": "color: var(--jp-content-font-color2, #888)",
}
COLUMNS = "display: grid; grid-template-columns: repeat(auto-fit, minmax(20em, 1fr)); gap: 8px"


class Doctor(widgets.VBox):
    """The panel: `findings` with checkboxes for their repairs, and a button that applies those selected.

    `applied` are the repairs that these pairs already have. `prepare` is `pairs.prepare` for the same source, which
    the button calls with `repairs`.
    """

    def __init__(self, findings: Sequence[Finding], applied: Sequence[str], prepare: Callable[..., tuple]):
        self.applied, self._prepare = [name for name in REPAIRS if name in applied], prepare
        self._working: asyncio.Task | None = None
        self.ticks: dict[str, widgets.Checkbox] = {}
        self.proposal = widgets.HTML()
        self.button = widgets.Button(description="Apply", icon="check", button_style="primary")
        self.button.on_click(guarded(self._start, self.proposal))
        lines: list[widgets.Widget] = []
        for finding in findings:
            lines.append(widgets.HTML(_finding(finding)))
            if finding.repair and (finding.count or finding.repair in self.applied):
                self.ticks[finding.repair] = self._tick(finding.repair)
                lines.append(self.ticks[finding.repair])
        self._propose()
        super().__init__([connection_note(), *lines, self.button, self.proposal])

    @property
    def repairs(self) -> list[str]:
        """The selected repairs."""
        return [name for name in REPAIRS if name in self.ticks and self.ticks[name].value]

    async def wait(self) -> None:
        if self._working:
            await self._working

    def _tick(self, repair: str) -> widgets.Checkbox:
        description = f"Repair “{repair}”: {REPAIRS[repair]}"
        layout = widgets.Layout(width="auto", margin="0 0 8px 18px")
        tick = widgets.Checkbox(repair in self.applied, description=description, indent=False, layout=layout)
        tick.observe(self._propose, "value")
        return tick

    def _propose(self, _=None) -> None:
        self.button.disabled = self.repairs == self.applied
        if self.repairs == self.applied:
            text = "The selected repairs are applied." if self.applied else "No repair is selected."
        else:
            text = "Not applied yet."
        self.proposal.value = f'<p role="status" style="{LINE}"><b>{text}</b></p>'

    def _start(self) -> None:
        self.button.disabled = True
        self.proposal.value = f'<p role="status" style="{LINE}"><b>Making the pairs again…</b></p>'
        self._working = asyncio.get_running_loop().create_task(self._apply(self.repairs))

    async def _apply(self, names: list[str]) -> None:
        try:
            folder, _ = await asyncio.to_thread(self._prepare, repairs=tuple(names))
            counts = pairs.row_counts(folder)
            self.applied = names
            self._propose()
            self.proposal.value += (
                f'<p style="{LINE}">{counts["num_train"]:,} training and {counts["num_validation"]:,} validation pairs '
                "are left. Run all cells of this notebook again to see them; then notebook 02.</p>"
            )
        except Exception as error:  # in a task it would not be shown
            self.button.disabled = False
            self.proposal.value = alert(describe(error))


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
    return f'<pre tabindex="0" style="{PRE}{FRAME}">{body}</pre>'
