"""A panel without Jupyter: HTML of the state that its widgets had at the end of a notebook.

Everything a widget shows is in its state: values of fields, text, and the HTML that a panel wrote and escaped itself.
So one function is enough for all panels. Not covered: buttons, which can do nothing here, and what the JavaScript of a
widget adds to its HTML.
"""

import re
from collections.abc import Mapping
from html import escape
from typing import Any

STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
REFERENCE = "IPY_MODEL_"
SCROLLED = ("height", "max_height", "overflow")  # what is kept of a layout
STYLE = """
.panel { border-left: 3px solid var(--jp-border-color2, #ccc); padding-left: 12px; line-height: 1.5;
  color: var(--jp-content-font-color1, inherit); }
.panel .row { display: flex; flex-wrap: wrap; gap: 4px 20px; align-items: flex-start; }
.panel .row > * { flex: 1 1 16em; min-width: 0; overflow-wrap: break-word; }
.panel .row > .field { flex: 0 1 auto; }
.panel .row > .field:first-child { min-width: 18em; }
.panel .field .name { color: var(--jp-content-font-color2, gray); margin-right: 6px; }
.panel pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; }
.panel summary { cursor: pointer; font-weight: bold; }
.panel details > div { padding: 4px 0 4px 18px; }
"""


def panel(models: Mapping[str, Any], model_id: str) -> str:
    """The widget of this id as HTML without scripts, or "" when nothing of it can be shown; `models` as in a notebook.

    Text and values are escaped. HTML that a panel made is kept as it is: the page must not let it load anything.
    """
    shown = _view(models, model_id)
    return f'<div class="panel mathjax_ignore">{shown}</div>' if shown else ""


def _state(models: Mapping[str, Any], reference: object) -> Mapping[str, Any]:
    return models.get(str(reference).removeprefix(REFERENCE), {}).get("state", {})


def _view(models: Mapping[str, Any], reference: object) -> str:
    state = _state(models, reference)
    layout, kind = _state(models, state.get("layout")), state.get("_model_name", "")
    if layout.get("display") == "none" or layout.get("visibility") == "hidden":
        return ""
    if "children" in state:
        shown = _box(state, [_view(models, child) for child in state["children"]])
    elif kind in ("HTMLModel", "HTMLMathModel") or (kind == "AnyModel" and "value" in state):
        shown = f"<div>{state['value']}</div>" if state["value"] else ""
    else:
        return _field(state)
    kept = {name: str(layout[name]) for name in SCROLLED if re.fullmatch(r"[\w.% ]+", str(layout.get(name) or ""))}
    style = "; ".join(f"{name.replace('_', '-')}: {value}" for name, value in kept.items())
    return f'<div style="{style}">{shown}</div>' if shown and style else shown


def _box(state: Mapping[str, Any], children: list[str]) -> str:
    """A row, a column, or sections of which the selected one is open."""
    if "titles" in state:
        titles = [*state["titles"], *("" for _ in children)]
        opened = ["open" if number == state.get("selected_index") else "" for number in range(len(children))]
        sections = zip(opened, titles, children, strict=False)
        return "".join(
            f"<details {is_open}><summary>{escape(title) or 'More'}</summary><div>{child}</div></details>"
            for is_open, title, child in sections
            if child
        )
    body = "".join(children)
    return f'<div class="{"row" if state["_model_name"] == "HBoxModel" else "column"}">{body}</div>' if body else ""


def _field(state: Mapping[str, Any]) -> str:
    """The description and value of a form's field, escaped; "" for what has no value, such as a button."""
    if "_options_labels" in state:
        chosen, labels = state.get("index"), state["_options_labels"]
        numbers = chosen if isinstance(chosen, list | tuple) else [] if chosen is None else [chosen]
        value = ", ".join(str(labels[number]) for number in numbers)
    elif "value" in state:
        value = state["value"]
    else:
        return ""
    name = escape(str(state.get("description") or state.get("placeholder") or "").strip("\u200b"))
    if isinstance(value, bool):
        return f'<div class="field">{"☑" if value else "☐"} {name}</div>'
    if "bar_style" in state:
        limits = f'max="{escape(str(state["max"]))}" value="{escape(str(value))}"'
        return f'<div class="field"><progress aria-label="{name or "Progress"}" {limits}></progress></div>'
    is_long = state["_model_name"] == "TextareaModel"
    text = escape(str(value)) if value not in (None, "") else "–"
    shown = f"<pre>{text}</pre>" if is_long else f"<span>{text}</span>"
    return f'<div class="field"><span class="name">{name}</span>{shown}</div>' if name or value else ""
