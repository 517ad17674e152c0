"""The form for what only a person knows about a model, and the card that it makes, beside it."""

import re
from pathlib import Path

import ipywidgets as widgets
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from utils import files
from utils.release import build
from utils.release.metadata import STATEMENTS
from utils.release.run_facts import RunFacts
from utils.widgets.html import FRAMED, LINE, alert, describe, escape, pre, update

LONG = ("intended_use", "out_of_scope")  # statements of several lines
# As wide as what it is in, whatever its tables need: they scroll.
FITTED = "width: 0; min-width: 100%; box-sizing: border-box; overflow: auto; overflow-wrap: break-word"
CARD = f"{LINE}{FITTED}; padding: 0 12px"
CODE = "margin: 8px 0; background: var(--jp-layout-color2, #eee)"


def rendered(card: str) -> str:
    """A model card as HTML: its metadata as text, its Markdown rendered, HTML in it escaped, images as links."""
    match = re.match(r"---\n(.*?)\n---\n", card, re.DOTALL)
    renderer = IPythonRenderer(escape=True, allow_harmful_protocols=False, exclude_anchor_links=True)
    renderer.image = lambda text, url, title=None: renderer.link(text or url, url, title)  # an image would be loaded
    renderer.block_code = lambda code, info=None: pre(code.removesuffix("\n"), CODE)  # else in the font of the text
    body = MarkdownWithMath(renderer=renderer).render(card[match.end() :] if match else card)
    metadata = pre(match[1], CODE) if match else ""
    return f'<div tabindex="0" class="mathjax_ignore" style="{CARD}">{metadata}{body}</div>'


class ReleaseForm(widgets.HBox):
    """A field for every statement, saved with the run, and the preview of the card; missing statements are named."""

    def __init__(self, facts: RunFacts, data_dir: Path):
        self.facts, self.data_dir, said = facts, data_dir, build.statements_of(facts.run_dir)
        self.fields, self.notes = {}, {}
        for name, help in STATEMENTS.items():
            kind, height = (widgets.Textarea, "6em") if name in LONG else (widgets.Text, None)
            self.fields[name] = field = kind(
                said.get(name, ""), description=name, continuous_update=False,
                style={"description_width": "8em"}, layout=widgets.Layout(width="auto", height=height),
            )  # fmt: skip
            self.notes[name] = widgets.HTML(f'<p style="{LINE}margin: 0 0 8px 8em">{escape(help)}</p>')
            field.observe(self._changed, "value")
        self.message = widgets.HTML()
        self.preview = widgets.HTML()
        rows = [part for name in STATEMENTS for part in (self.fields[name], self.notes[name])]
        form = widgets.VBox([*rows, self.message], layout=widgets.Layout(flex="1 1 20em", min_width="0"))
        page = widgets.VBox([self.preview], layout=widgets.Layout(flex="2 1 30em", max_height="48em", **FRAMED))
        super().__init__([form, page], layout=widgets.Layout(flex_flow="row wrap", grid_gap="12px"))
        self._show()

    @property
    def statements(self) -> dict[str, str]:
        """The statements that were made."""
        return {name: field.value.strip() for name, field in self.fields.items() if field.value.strip()}

    def _changed(self, _=None) -> None:
        try:
            files.write_json(self.facts.run_dir / build.STATEMENTS, self.statements)
        except Exception as error:  # Jupyter would drop it
            update(self.message, value=alert(describe(error)))
            return
        self._show()

    def _show(self) -> None:
        card = message = ""
        try:
            card = build.preview(self.facts, self.data_dir, self.statements)
            build.check(self.facts, self.data_dir, self.statements)
        except Exception as error:
            message = alert(describe(error))
        update(self.message, value=message)
        update(self.preview, value=rendered(card) if card else self.preview.value or message)
