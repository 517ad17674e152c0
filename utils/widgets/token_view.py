"""The token microscope: pairs and packed blocks token by token, with the kind of each token and why.

Without scripts: CSS shows the label of a cell below the tokens while the pointer or the keyboard focus is on it. All
text is escaped, and invisible characters are made visible.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import ipywidgets as widgets
from tokenizers import decoders
from transformers.convert_slow_tokenizer import bytes_to_unicode

from utils.config import RunConfig
from utils.errors import UserError
from utils.model import loading, packing_support
from utils.tokens import packing
from utils.tokens.dataset import TokenRows
from utils.tokens.labels import IGNORE_INDEX
from utils.tokens.packing import Block
from utils.tokens.prompts import control_tokens
from utils.widgets.html import escape, muted

# Cells per page: more would be slow, and long for the keyboard.
PAGE_CELLS = 512
FIRST, PROMPT, TEMPLATE, RESPONSE, END = "first", "prompt", "template", "response", "end"
# The name of each kind, and why it is masked or a target.
KINDS = {
    FIRST: ("first token of a pair", "Masked: there is no token before it to predict it. Positions start at 0."),
    PROMPT: ("prompt", "Masked: the model reads the prompt, but does not learn to write it."),
    TEMPLATE: ("control token in the prompt", "Masked like the rest of the prompt; only the chat template writes it."),
    RESPONSE: ("response", "Target: the model learns to predict it from the tokens before it in its pair."),
    END: ("end of the response", "Target: so the model learns to stop."),
}
MARKS = {" ": "·", "\n": "⏎", "\t": "⇥"}
HINT = "Point at a token, or press Tab to go from one to the next: its id, text, bytes and reason appear here."
STYLE = """<style>
.token-view { position: relative; padding-bottom: 7.2em; font-size: 13px; line-height: 1.4;
  color: var(--jp-content-font-color1, inherit); }
.token-view .tokens { max-height: 32em; overflow: auto; padding: 8px; border: 1px solid var(--jp-border-color1, gray);
  font-family: var(--jp-code-font-family, monospace); line-height: 2; }
.token-view .cell { white-space: pre; margin: 0 1px; padding: 1px 2px; box-decoration-break: clone;
  -webkit-box-decoration-break: clone; }
.token-view .cell[data-position]::before { content: attr(data-position); font-size: 9px; vertical-align: super;
  margin-right: 2px; color: var(--jp-content-font-color2, gray); }
.token-view .prompt, .token-view .first, .token-view .template {
  border-bottom: 2px dotted var(--jp-content-font-color3, gray); }
.token-view .first { border-left: 6px double var(--jp-brand-color1, royalblue); }
.token-view .template { border: 1px dashed var(--jp-content-font-color2, gray); font-style: italic; }
.token-view .response { border-bottom: 2px solid var(--jp-success-color1, green);
  background: color-mix(in srgb, var(--jp-success-color1, green) 20%, transparent); }
.token-view .end { border: 2px solid var(--jp-warn-color1, darkorange); font-weight: bold;
  background: color-mix(in srgb, var(--jp-warn-color1, darkorange) 25%, transparent); }
.token-view .document { font-family: var(--jp-ui-font-family, sans-serif); font-weight: bold; margin-top: 6px;
  border-top: 2px solid var(--jp-brand-color1, royalblue); }
.token-view .hint, .token-view .tokens .cell:hover::after, .token-view .cell:focus::after {
  position: absolute; left: 0; right: 0; bottom: 0; height: 6.6em; box-sizing: border-box; overflow: auto;
  padding: 6px 8px; font: 13px/1.4 var(--jp-ui-font-family, sans-serif); white-space: pre-line; text-align: left;
  border: 1px solid var(--jp-border-color1, gray); color: var(--jp-content-font-color1, black);
  background: var(--jp-layout-color2, #eee); }
.token-view .tokens .cell:hover::after, .token-view .cell:focus::after { content: attr(aria-label); z-index: 1; }
.token-view .tokens .cell:hover::after { z-index: 2; }
.token-view .tokens .cell:hover, .token-view .cell:focus { outline: 2px solid var(--jp-brand-color1, royalblue); }
.token-view ul { list-style: none; margin: 4px 0; padding: 0; line-height: 1.7; }
</style>"""


@dataclass(frozen=True)
class Cell:
    """One token: its kind (of `KINDS`), its pair's row, its position in the pair, and its bytes."""

    id: int
    kind: str
    row: int
    position: int
    raw: bytes


def cells_of(block: Block, rows: list[int], tokenizer) -> list[Cell]:
    """One cell for each token of a block; `rows` are the rows of its documents."""
    raw_of, control, cells = bytes_of(tokenizer), control_tokens(tokenizer), []
    document, arrays = -1, (block.input_ids, block.position_ids, block.labels)
    for token_id, position, label in zip(*(array.tolist() for array in arrays), strict=True):
        document += position == 0
        if label != IGNORE_INDEX:
            kind = END if token_id in control else RESPONSE
        elif position == 0:
            kind = FIRST
        else:
            kind = TEMPLATE if token_id in control else PROMPT
        cells.append(Cell(token_id, kind, rows[document] if rows else -1, position, raw_of(token_id)))
    return cells


def bytes_of(tokenizer) -> Callable[[int], bytes]:
    """A function that returns the bytes of a token, which may be part of a character.

    Of tokenizers without a byte-level vocabulary, the bytes of the decoded text.
    """
    letters = {letter: byte for byte, letter in bytes_to_unicode().items()}
    is_byte_level = isinstance(tokenizer.backend_tokenizer.decoder, decoders.ByteLevel)
    added = tokenizer.added_tokens_decoder

    def raw(token_id: int) -> bytes:
        if token_id in added:
            return added[token_id].content.encode()
        if is_byte_level:
            return bytes(letters[letter] for letter in tokenizer.convert_ids_to_tokens(token_id))
        return tokenizer.decode([token_id]).encode()

    return raw


def visible(raw: bytes) -> str:
    """Bytes as visible text: `·` space, `⏎` newline, `⇥` tab, `\\u202e` other invisible or reordering characters,
    `⟨e2⟩` a byte of a character."""
    shown = []
    for place, char in enumerate(raw.decode("utf-8", "surrogateescape")):
        category = unicodedata.category(char)
        if "\udc80" <= char <= "\udcff":
            shown.append(f"⟨{ord(char) - 0xDC00:02x}⟩")
        elif char in MARKS:
            shown.append(MARKS[char])
        # A combining character at the start of a token has no base letter.
        elif category[0] in "CZ" or (category[0] == "M" and place == 0):
            shown.append(f"\\u{ord(char):04x}" if ord(char) < 2**16 else f"\\U{ord(char):08x}")
        else:
            shown.append(char)
    return "".join(shown)


def to_html(cells: list[Cell], title: str = "", page: int = 0) -> str:
    """One page of tokens with a legend, as HTML; all text is escaped."""
    first = page * PAGE_CELLS
    shown = cells[first : first + PAGE_CELLS]
    sizes, targets = Counter(cell.row for cell in cells), Counter(c.row for c in cells if c.kind in (RESPONSE, END))
    body = []
    for place, cell in enumerate(shown):
        if cell.position == 0 or place == 0:
            title_line = f"Row {cell.row}: {sizes[cell.row]} tokens, {targets[cell.row]} target tokens"
            title_line += ", continued" if cell.position else ""
            body.append(f'<div class="document">{title_line if cell.row >= 0 else "No pair for this process"}</div>')
        body.append(_cell_html(cell))
    rest = ""
    if len(cells) > PAGE_CELLS:
        rest = f"<p>Tokens {first + 1:,} to {first + len(shown):,} of {len(cells):,}.</p>"
    counts = Counter(cell.kind for cell in cells)
    legend = "".join(
        f'<li><span class="cell {kind}">{counts[kind]:,}</span> <b>{name}</b>. {why}</li>'
        for kind, (name, why) in KINDS.items()
        if counts[kind]
    )
    marks = "· space, ⏎ newline, ⇥ tab, ⟨e2⟩ one byte of a character, \\u… invisible character; small: the position."
    return (
        f'{STYLE}<div class="token-view mathjax_ignore"><p><b>{escape(title)}</b></p>{rest}'
        f"<ul>{legend}<li>{escape(marks)}</li></ul>"
        f'<div class="tokens">{"".join(body)}</div><div class="hint">{HINT}</div></div>'
    )


def _cell_html(cell: Cell) -> str:
    text, (name, why) = visible(cell.raw), KINDS[cell.kind]
    label = f"Token {cell.id}: “{text}”, bytes {cell.raw.hex(' ') or 'none'}\n"
    label += f"Row {cell.row}, position {cell.position}: {name}.\n{why}"
    position = f' data-position="{cell.position}"' if cell.position % 10 == 0 else ""
    attributes = f'class="cell {cell.kind}" tabindex="0" role="img" aria-label="{escape(label)}"{position}'
    # Lines break at newlines, also inside a token, else between tokens.
    *lines, last = [escape(visible(line)) for line in cell.raw.split(b"\n")]
    lines = [line + MARKS["\n"] for line in lines]
    shown, end = ("<br>".join([*lines, last]), "<wbr>") if last else ("<br>".join(lines), "<br>")
    return f"<span {attributes}>{shown}</span>{end}"


class TokenView(widgets.VBox):
    """The panel: training pairs by row, or the packed blocks of each update of a run.

    Rows count from 0, as in the files; updates and blocks from 1, as in the metrics. Not covered: validation pairs.
    """

    def __init__(self, rows: TokenRows, config: RunConfig, tokenizer, row: int = 0, num_ranks: int = 2):
        self.rows, self.config, self.tokenizer, self.num_ranks = rows, config, tokenizer, num_ranks
        self.chosen = packing.choose_rows(rows, config.max_length, config.max_train_samples, config.seed)
        self.can_pack = True
        with suppress(UserError):  # where the model cannot be trained, notebook 02 says so elsewhere
            self.can_pack = packing_support.training_support(loading.load_config(config), config).is_packed
        num_updates = packing.num_updates(len(self.chosen), config.train_batch_size, config.num_train_epochs)
        look = dict(layout=widgets.Layout(width="11em"), style={"description_width": "5em"})
        options = [("One pair", False), ("Packed blocks of an update", True)]
        self.is_packed = widgets.ToggleButtons(options=options, style={"button_width": "auto"})
        self.row = widgets.BoundedIntText(row, min=0, max=len(rows) - 1, description="Go to row", **look)
        self.update = widgets.BoundedIntText(1, min=1, max=num_updates, description="Update", **look)
        self.block = widgets.BoundedIntText(1, min=1, max=1, description="Block", **look)
        self.page = widgets.BoundedIntText(1, min=1, max=1, description="Page", **look)
        self.previous = widgets.Button(description="Previous", icon="arrow-left")
        self.next = widgets.Button(description="Next", icon="arrow-right")
        self.controls = widgets.HBox(layout=widgets.Layout(flex_flow="row wrap"))
        self.view = widgets.HTML()
        for button, by in ((self.previous, -1), (self.next, 1)):
            button.on_click(lambda _, by=by: self.show(**self._beside(by)))
        self.fields = (self.is_packed, self.row, self.update, self.block, self.page)
        for field in self.fields:
            field.observe(self._changed, "value")
        super().__init__([self.is_packed, self.controls, self.view])
        self.show()

    def show(self, page: int = 1, **places: int) -> None:
        """Set some fields (`row`, or `update` and `block`) and show their pair or block."""
        with muted(self._changed, self.fields):  # shown once, at the end
            if self.is_packed.value:
                blocks = self._blocks(places.get("update", self.update.value))
                self.block.max = len(blocks)
            for name, value in places.items():
                getattr(self, name).value = value
            rows = blocks[self.block.value - 1] if self.is_packed.value else [self.row.value]
            cells = cells_of(packing.build_block(self.rows, rows), rows, self.tokenizer)
            self.page.max = -(-len(cells) // PAGE_CELLS)
            self.page.value = page
            fields = [self.update, self.block] if self.is_packed.value else [self.row]
            pages = [self.page] if self.page.max > 1 else []
            self.controls.children = [self.previous, self.next, *fields, *pages]
            self.previous.disabled, self.next.disabled = not self._beside(-1), not self._beside(1)
            self.view.value = to_html(cells, self._title(len(rows), len(cells)), self.page.value - 1)

    def _title(self, num_pairs: int, num_tokens: int) -> str:
        if not self.is_packed.value:
            return f"Row {self.row.value:,} of the training rows 0 to {self.row.max:,}"
        rank = (self.block.value - 1) % self.num_ranks + 1
        return (
            f"Update {self.update.value} of {self.update.max}, block {self.block.value} of {self.block.max}, "
            f"on process {rank} of {self.num_ranks}: {num_pairs} pairs, {num_tokens:,} tokens"
        )

    def _beside(self, by: int) -> dict[str, int]:
        """The fields of the previous (-1) or next (1) pair or block; empty at the ends."""
        if not self.is_packed.value:
            row = self.row.value + by
            return {"row": row} if 0 <= row <= self.row.max else {}
        update, block = self.update.value, self.block.value + by
        if not 1 <= block <= self.block.max:
            update += by
            if not 1 <= update <= self.update.max:
                return {}
            block = 1 if by > 0 else len(self._blocks(update))
        return {"update": update, "block": block}

    def _blocks(self, update: int) -> list[list[int]]:
        """The rows in each block of an update, as training packs them."""
        config = self.config
        rows = packing.update_rows(self.chosen, config.train_batch_size, config.seed, update - 1)
        lengths = self.rows.lengths[rows]
        if self.can_pack:
            blocks = packing.pack(lengths, config.tokens_per_device, self.num_ranks)
        else:
            blocks = packing.one_per_block(lengths, self.num_ranks)
        return [[int(rows[index]) for index in block] for block in blocks]

    def _changed(self, change) -> None:
        self.show(page=self.page.value if change["owner"] is self.page else 1)
