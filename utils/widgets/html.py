"""Text on a page: escaped and in the theme's colours, copy buttons, and visible errors."""

import asyncio
import html
import inspect
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from types import FunctionType

import anywidget
import ipywidgets as widgets
import traitlets

from utils.errors import UserError, encodable, masked

# JupyterLab's CSS variables, for its light and dark themes.
BORDER = "1px solid var(--jp-border-color1, #888)"
PRE = (
    "white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; padding: 8px; line-height: 1.4; "
    "font-family: var(--jp-code-font-family, monospace); font-size: var(--jp-code-font-size, 13px); "
    "color: var(--jp-content-font-color1, inherit); "
)
LINE = "line-height: 1.5; color: var(--jp-content-font-color1, inherit); font-size: var(--jp-ui-font-size1, 13px); "
MAX_ALERT = 10_000  # characters
FRAMED = {"border": BORDER, "overflow": "auto"}


def escape(value: object) -> str:
    """Any value, numbers too, as text for an element or attribute."""
    return html.escape(encodable(str(value)))


def pre(text: str, style: str = "") -> str:
    """Untrusted `text` as preformatted HTML, escaped; where it scrolls, also by keyboard."""
    focus = 'tabindex="0" ' if "overflow" in style else ""
    return f'<pre {focus}class="mathjax_ignore" style="{PRE}{style}">{escape(text)}</pre>'


def source(function: FunctionType) -> str:
    """The source of a function as HTML, folded below its name."""
    name = f"{function.__module__}.{function.__qualname__}"
    summary = f'<summary style="{LINE}cursor: pointer">Source of <code>{escape(name)}</code></summary>'
    return f"<details>{summary}{pre(inspect.getsource(function))}</details>"


def alert(text: str) -> str:
    """An error message as HTML, announced by screen readers; cut at `MAX_ALERT`."""
    text = text if len(text) <= MAX_ALERT else f"{text[: MAX_ALERT - 1]}…"
    return f'<p role="alert" style="{LINE}color: var(--jp-error-color1, #b00020)"><b>{escape(text)}</b></p>'


def connection_note() -> widgets.HTML:
    """A note that CSS alone shows once its panel has lost its kernel: nothing else could say it then.

    ipywidgets gives every widget without a kernel the class that is used here.
    """
    lost = ".jupyter-widgets-disconnected"
    style = f".connection-note {{ display: none; }} {lost} .connection-note {{ display: block; }}"
    style += f" .jupyter-button{lost} {{ opacity: 0.4; }}"
    text = alert("Disconnected: the kernel was restarted or has ended. Run this cell again.")
    return widgets.HTML(f'<style>{style}</style><div class="connection-note">{text}</div>')


def progress(name: str, value: int, total: int) -> str:
    """A progress bar with an accessible name, as HTML."""
    style = "width: 100%; accent-color: var(--jp-brand-color1, royalblue)"
    values = f'max="{escape(max(1, total))}" value="{escape(value)}"'
    return f'<progress aria-label="{escape(name)}" style="{style}" {values}></progress>'


def describe(error: Exception) -> str:
    """An error in words, without credentials."""
    return str(error) if isinstance(error, UserError) else masked(f"{type(error).__name__}: {error}")


def guarded(action: Callable[[], None], message: widgets.HTML) -> Callable:
    """A handler for buttons and fields that shows errors in `message`; Jupyter would drop them."""

    def handle(_=None) -> None:
        message.value = ""
        try:
            action()
        except Exception as error:
            message.value = alert(describe(error))

    return handle


@contextmanager
def muted(handler: Callable, fields: Iterable[widgets.Widget]) -> Generator[None]:
    """In the block, setting values of fields does not call `handler`, which observes them."""
    for field in fields:
        field.unobserve(handler, "value")
    try:
        yield
    finally:
        for field in fields:
            field.observe(handler, "value")


def side_by_side(answers: list[dict[str, str]]) -> str:
    """Recorded answers (`instruction`, `input`, `base`, `tuned`) as an HTML table, everything escaped."""
    cell, rows = 'style="width: 50%; vertical-align: top; text-align: left; padding: 6px" ', []
    for answer in answers:
        texts = ["\n\n".join(part for part in (answer["instruction"], answer["input"]) if part)]
        texts += [answer["base"], answer["tuned"]]
        asked, base, tuned = (pre(text, f"border: {BORDER}; max-height: 26em; overflow-y: auto") for text in texts)
        rows.append(f'<td {cell} colspan="2"><b>instruction</b>{asked}</td>')
        rows.append(f"<td {cell}><b>base</b>{base}</td><td {cell}><b>tuned</b>{tuned}</td>")
    # Without JupyterLab's stripes, which would separate answers from their question.
    body = "".join(f'<tr style="background: none">{row}</tr>' for row in rows)
    return f'<table class="mathjax_ignore" style="width: 100%; table-layout: fixed">{body}</table>'


class CopyButton(anywidget.AnyWidget):
    """A button that copies `text` to the clipboard and confirms it."""

    _esm = """
    export default {
      render({ model, el }) {
        const button = document.createElement("button")
        button.className = "jupyter-button widget-button"
        button.style.width = "7em"
        const label = () => { button.textContent = model.get("description") }
        label()
        button.onclick = async () => {
          try {
            await navigator.clipboard.writeText(model.get("text")) // on this machine or over https
            button.textContent = "Copied"
          } catch { button.textContent = "Not copied: select the text" }
          setTimeout(label, 1500)
        }
        el.append(button)
      },
    }
    """
    text = traitlets.Unicode().tag(sync=True)
    description = traitlets.Unicode("Copy").tag(sync=True)


class Shortcut(anywidget.AnyWidget):
    """Presses the primary button of the panel that it is part of when Ctrl+Enter, or ⌘ Enter, is pressed there."""

    _esm = """
    export default {
      render({ el }) {
        el.style.display = "none"
        const press = (event) => {
          const panel = el.closest(".widget-vbox")  // not yet there when this is rendered
          if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !panel?.contains(event.target)) return
          event.preventDefault()
          event.stopPropagation()
          panel.querySelector("button.mod-primary")?.click()
        }
        document.addEventListener("keydown", press, true)
        return () => document.removeEventListener("keydown", press, true)
      },
    }
    """


class Headers(anywidget.AnyWidget):
    """Lets the keyboard reach and open the sections of the panel that it is part of: ipywidgets' own need a mouse."""

    _esm = """
    export default {
      render({ el }) {
        el.style.display = "none"
        const observer = new MutationObserver(() => reach())
        const headers = () => el.closest(".widget-vbox").querySelectorAll(".jupyter-widget-Collapse-header")
        const reach = () => headers().forEach((header) => {
          header.tabIndex = 0
          header.role = "button"
          header.ariaExpanded = header.parentElement.classList.contains("jupyter-widget-Collapse-open")
          header.onkeydown = (event) => {
            if (event.target !== header || !["Enter", " "].includes(event.key)) return
            event.preventDefault()
            header.click()
          }
        })
        const wait = setInterval(() => { // the panel is not yet in the page when this is rendered
          const panel = el.closest(".widget-vbox")
          if (!panel) return
          clearInterval(wait)
          observer.observe(panel, { subtree: true, childList: true, attributeFilter: ["class"] })
          reach()
        }, 100)
        return () => { clearInterval(wait); observer.disconnect() }
      },
    }
    """


async def follow(
    is_running: Callable[[], bool], show: Callable[[], None], message: widgets.HTML, poll_seconds: float
) -> None:
    """Call `show` at intervals as long as `is_running`, and once after; its errors are shown in `message`."""
    keeps_running = True
    while keeps_running:
        keeps_running = is_running()  # read first, so that what was written last is shown too
        try:
            show()
        except Exception as error:  # in a task it would not be shown
            message.value = alert(describe(error))
        if keeps_running:
            await asyncio.sleep(poll_seconds)


def update(widget: widgets.Widget, **values) -> None:
    """Assign only values that changed: every assignment is a message to the page."""
    for name, value in values.items():
        if getattr(widget, name) != value:
            setattr(widget, name, value)
