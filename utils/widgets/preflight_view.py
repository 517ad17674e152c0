"""The preflight checks as a table."""

from utils.training.preflight import Check
from utils.widgets.html import escape


def to_html(checks: list[Check]) -> str:
    """The checks as a table, with words as well as colours."""
    styles = {True: ("✓ passed", "success"), False: ("✗ FAILED", "error"), None: ("! note", "warn")}
    rows = []
    for item in checks:
        word, name = styles[item.is_good]
        found = item.found if item.is_good is not False else f"{item.found}. What to do: {item.remedy}."
        style = f"text-align: left; white-space: nowrap; border-left: 6px solid var(--jp-{name}-color1, gray)"
        cells = (f'<td style="text-align: left">{escape(text)}</td>' for text in (item.name, found))
        rows.append(f'<tr><td style="{style}"><b>{word}</b></td>{"".join(cells)}</tr>')
    return f'<table class="mathjax_ignore">{"".join(rows)}</table>'
