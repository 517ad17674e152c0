"""Before a run: its preflight checks, and its plan, with memory by part against what is free, time and disk."""

import ipywidgets as widgets

from utils.hardware import format_bytes
from utils.planning import timing
from utils.planning.planner import Plan, refusal
from utils.training.preflight import Check
from utils.widgets.html import alert, escape

# Okabe and Ito's palette; a legend names the parts in order.
COLORS = {
    "weights": "#0072b2",
    "gradients": "#56b4e9",
    "optimizer": "#009e73",
    "activations": "#e69f00",
    "logits": "#d55e00",
    "program and buffers": "#999999",
}
STYLE = """<style>
.plan-view { font: 13px/1.5 var(--jp-ui-font-family, sans-serif); color: var(--jp-content-font-color1, inherit);
  max-width: 56em; }
.plan-view p { margin: 4px 0; }
.plan-view .bar { position: relative; display: flex; height: 28px; margin: 6px 0 20px;
  border: 1px solid var(--jp-border-color1, gray); background: var(--jp-layout-color2, transparent); }
.plan-view .bar span { box-sizing: border-box; border-right: 1px solid var(--jp-layout-color1, white); }
.plan-view .bar .limit { position: absolute; top: -5px; bottom: -18px; padding-left: 4px; border: 0;
  border-left: 2px solid var(--jp-error-color1, #b00020); display: flex; align-items: flex-end; line-height: 1;
  white-space: nowrap; font-size: 12px; }
.plan-view .bar .limit.left { transform: translateX(-100%); padding: 0 4px 0 0; border-left: 0;
  border-right: 2px solid var(--jp-error-color1, #b00020); }
.plan-view ul { list-style: none; display: flex; flex-wrap: wrap; gap: 2px 18px; margin: 0; padding: 0; }
.plan-view i { display: inline-block; width: 12px; height: 12px; margin-right: 6px; vertical-align: -1px; }
.plan-view table { border-collapse: collapse; margin-top: 8px; color: inherit; font: inherit; }
.plan-view th, .plan-view td { text-align: left; vertical-align: top; padding: 3px 18px 3px 0; font-weight: normal;
  border-top: 1px solid var(--jp-border-color2, silver); overflow-wrap: anywhere; }
.plan-view th { color: var(--jp-content-font-color2, gray); white-space: nowrap; }
.plan-view .bad { color: var(--jp-error-color1, #b00020); font-weight: bold; }
</style>"""


class PlanView(widgets.HTML):
    """A plan as a stacked bar, a legend and a table; `show` replaces it, with None by why there is no plan."""

    def __init__(self, plan: Plan | None):
        super().__init__(layout=widgets.Layout(width="auto"))
        self.show(plan)

    def show(self, plan: Plan | None) -> None:
        self.value = to_html(plan) if plan else alert("No plan: a setting above is not allowed. Correct it first.")


def to_html(plan: Plan) -> str:
    """The view as HTML, all text escaped."""
    parts, free = plan.memory_bytes_per_process, plan.free_bytes_per_process
    named = {name: f"{name} {format_bytes(size)}" for name, size in parts.items()}
    scale = 100 / max(plan.memory_bytes, free, 1)
    bar = "".join(
        f'<span style="width: {size * scale:.2f}%; background: {COLORS[name]}" title="{named[name]}"></span>'
        for name, size in parts.items()
    )
    # A line marks the free memory, labelled on the side with more room.
    side = " left" if free * scale > 50 else ""
    bar += f'<span class="limit{side}" style="left: {free * scale:.2f}%">free: {format_bytes(free)}</span>'
    legend = "".join(f'<li><i style="background: {COLORS[name]}"></i>{text}</li>' for name, text in named.items())
    fits, said = _verdict(plan)
    verdict = f"<p{'' if fits else ' class=bad'}>{escape(said)}</p>"
    words = escape(f"{said} In parts: {', '.join(named.values())}.")
    rows = "".join(f'<tr><th scope="row">{escape(name)}</th><td>{escape(text)}</td></tr>' for name, text in facts(plan))
    return (
        f'{STYLE}<div class="plan-view">{verdict}<div class="bar" role="img" aria-label="{words}">{bar}</div>'
        f"<ul>{legend}</ul><table>{rows}</table></div>"
    )


def facts(plan: Plan) -> list[tuple[str, str]]:
    """The facts besides memory, each with its unit."""
    updates = "unknown" if plan.num_updates is None else f"{plan.num_updates:,}"
    time = "" if plan.seconds is None else f"about {timing.duration(plan.seconds)}: "
    disk = ", ".join(f"{name} {format_bytes(size)}" for name, size in plan.disk_bytes.items())
    program = "the program itself" if plan.devices[0].type == "cpu" else "the CUDA context (not measured)"
    buffers = "weights gathered from other processes, and a copy of the checkpoint being written"
    rows = [
        ("model", f"{plan.num_parameters:,} parameters"),
        ("updates", updates),
        ("tokens per update", f"{plan.tokens_per_update:,.0f}, {plan.tokens_basis}"),
        ("time", f"{time}{plan.seconds_basis}"),
        ("disk", f"{disk}; {format_bytes(plan.free_disk_bytes)} free"),
        ("program and buffers", f"{program}, {buffers}"),
    ]
    if plan.main_memory_bytes:
        needed, free = map(format_bytes, (plan.main_memory_bytes, plan.free_main_memory_bytes))
        rows.append(("main memory", f"{needed} for all processes; {free} free"))
    if plan.cost is not None:
        rows.append(("cost", f"about {plan.cost:,.2f}, in the currency of the price"))
    return rows


def _verdict(plan: Plan) -> tuple[bool, str]:
    """Whether the run fits into memory and on the disk, and a sentence with what to change."""
    if refused := refusal(plan):
        return False, f"It does not fit: {refused}"
    devices = f"each of {plan.num_processes} processes" if plan.num_processes > 1 else "the one process"
    needed, free = format_bytes(plan.memory_bytes), format_bytes(plan.free_bytes_per_process)
    return True, f"It fits. {plan.devices[0].name}: {devices} needs {needed} of memory; {free} are free."


def checks_table(checks: list[Check]) -> str:
    """The preflight checks as a table, with words as well as colours."""
    styles = {True: ("✓ passed", "success"), False: ("✗ FAILED", "error"), None: ("! note", "warn")}
    rows = []
    for item in checks:
        word, name = styles[item.is_good]
        found = item.found if item.is_good is not False else f"{item.found}. What to do: {item.remedy}."
        style = f"text-align: left; white-space: nowrap; border-left: 6px solid var(--jp-{name}-color1, gray)"
        cells = (f'<td style="text-align: left">{escape(text)}</td>' for text in (item.name, found))
        rows.append(f'<tr><td style="{style}"><b>{word}</b></td>{"".join(cells)}</tr>')
    return f'<table class="mathjax_ignore">{"".join(rows)}</table>'
