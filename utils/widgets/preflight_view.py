"""The preflight checks as a table."""

from html import escape

from utils.training.preflight import Check


def to_html(checks: list[Check]) -> str:
    """The checks as a table, with words as well as colours."""
    rows = []
    for item in checks:
        word, name = ("✓ passed", "success") if item.is_good else ("✗ FAILED", "error")
        found = item.found if item.is_good else f"{item.found}. What to do: {item.remedy}."
        style = f"text-align: left; white-space: nowrap; border-left: 6px solid var(--jp-{name}-color1, gray)"
        cells = (f'<td style="text-align: left">{escape(text)}</td>' for text in (item.name, found))
        rows.append(f'<tr><td style="{style}"><b>{word}</b></td>{"".join(cells)}</tr>')
    return f"<table>{''.join(rows)}</table>"
