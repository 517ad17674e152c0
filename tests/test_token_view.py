"""The token microscope: every token is there, says what it is, and nothing in a pair becomes markup."""

import re
from html import unescape

import numpy as np
import pytest

from utils import artifacts
from utils.tokens import dataset, packing
from utils.tokens.labels import IGNORE_INDEX
from utils.widgets import token_view
from utils.widgets.token_view import TokenView, cells_of, to_html, visible

PAIR = {"instruction": "Say it.", "input": "", "response": "a\tb\n c"}
HOSTILE = "<img src=x onerror=alert(1)>\"'</span><script>\x1b[2J\u202e\u0000\u200b&amp;"


@pytest.fixture
def panel(world, tokenizer):
    data_dir, config = world
    return TokenView(dataset.load(artifacts.tokens_dir(data_dir, config), "train"), config, tokenizer)


def cells(tokenizer, *pairs):
    rows = dataset.tokenize(list(pairs), tokenizer)
    return cells_of(packing.build_block(rows, list(range(len(pairs)))), list(range(len(pairs))), tokenizer)


def labels(html: str) -> list[str]:
    return [unescape(label) for label in re.findall(r'tabindex="0" role="img" aria-label="([^"]*)"', html)]


def test_kinds_are_what_the_labels_say(tokenizer):
    pairs = [PAIR, PAIR | {"response": "é🙂"}]
    rows = dataset.tokenize(pairs, tokenizer)
    block, found = packing.build_block(rows, [0, 1]), cells(tokenizer, *pairs)
    assert [cell.id for cell in found] == block.input_ids.tolist()
    is_trained = [cell.kind in ("response", "end") for cell in found]
    assert is_trained == (block.labels != IGNORE_INDEX).tolist()
    assert [cell.row for cell in found if cell.kind == "first"] == [0, 1]
    assert [cell.row for cell in found if cell.kind == "end"] == [0, 1] and found[-1].kind == "end"
    assert [cell.position for cell in found] == block.position_ids.tolist()
    texts = [b"".join(cell.raw for cell in found if cell.row == row and cell.kind == "response") for row in (0, 1)]
    assert texts == [pair["response"].encode() for pair in pairs], "the bytes of all tokens are the text"


@pytest.mark.parametrize(
    "text, shown",
    [
        (" a\n\tb", "·a⏎⇥b"), ("\r\x00\x1b", "\\u000d\\u0000\\u001b"), ("\u202ea\u200b", "\\u202ea\\u200b"),
        ("\u00a0\u2028", "\\u00a0\\u2028"), ("e\u0301", "e\u0301"), ("\u0301e", "\\u0301e"), ("中🙂", "中🙂"),
        ("\U000e0041", "\\U000e0041"),
    ],
)  # fmt: skip
def test_what_cannot_be_seen_is_made_visible(text, shown):
    assert visible(text.encode()) == shown


def test_a_part_of_a_character_is_shown_in_hex():
    assert visible("🙂".encode()[:2]) == "⟨f0⟩⟨9f⟩"
    assert visible(b"a" + "é".encode()[1:]) == "a⟨a9⟩"


def test_nothing_in_a_pair_is_markup(tokenizer):
    found = cells(tokenizer, {"instruction": HOSTILE, "input": HOSTILE, "response": HOSTILE})
    html = to_html(found, title=HOSTILE)
    body = html.replace(token_view.STYLE, "")
    names = set(re.findall(r"<(/?\w+)", body))
    paired = ("div", "p", "b", "ul", "li", "span")
    assert names == {"br", "wbr", *paired, *(f"/{name}" for name in paired)}
    assert not re.findall(r"<[^>]*\son\w+=", body)
    inside = body[body.index('class="tokens"') :]
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\u200b]", inside)
    # A single token that is hostile by itself.
    whole = token_view.Cell(7, "response", 0, 3, HOSTILE.encode())
    assert "<img" not in to_html([whole]) and "<script" not in to_html([whole])
    assert len(labels(to_html([whole]))) == 1


def test_a_cell_tells_its_id_text_bytes_place_and_reason(tokenizer):
    found = cells(tokenizer, PAIR)
    told = labels(to_html(found))
    assert len(told) == len(found)
    tab = next(index for index, cell in enumerate(found) if cell.raw == b"\t")
    assert told[tab].startswith(f"Token {found[tab].id}: “⇥”, bytes 09\nRow 0, position {tab}: response.\nTarget")
    assert "position 0: first token of a pair.\nMasked: there is no token before it" in told[0]
    assert "prompt.\nMasked" in told[1] and "end of the response.\nTarget" in told[-1]


def test_long_blocks_come_in_pages_that_leave_nothing_out(tokenizer, monkeypatch):
    monkeypatch.setattr(token_view, "PAGE_CELLS", 40)
    found = cells(tokenizer, PAIR, PAIR)
    pages = [to_html(found, page=page) for page in range(-(-len(found) // 40))]
    assert len(pages) > 2 and [len(labels(page)) for page in pages[:-1]] == [40] * (len(pages) - 1)
    assert sum((labels(page) for page in pages), []) == [label for cell in found for label in labels(to_html([cell]))]
    assert "Tokens 41 to 80" in pages[1] and "continued" in pages[1]


def test_the_panel_steps_through_pairs(panel):
    assert panel.previous.disabled and "Row 0 of" in panel.view.value
    panel.next.click()
    assert panel.row.value == 1 and "Row 1 of" in panel.view.value and "Row 1:" in panel.view.value
    panel.row.value = len(panel.rows) - 1
    assert panel.next.disabled and f"Row {len(panel.rows) - 1}:" in panel.view.value
    panel.previous.click()
    assert panel.row.value == len(panel.rows) - 2


def test_the_panel_steps_through_the_blocks_that_training_takes(panel):
    """Forwards over all updates every pair of each epoch is met once, in the blocks of `blocks_of`; and back again."""
    panel.is_packed.value = True
    config, places, met = panel.config, [], []
    while True:
        places.append((panel.update.value, panel.block.value, panel.view.value))
        met += [int(row) for row in re.findall(r'"document">Row (\d+): \d+ tokens, \d+ target tokens<', places[-1][2])]
        # More than a page: the rest of the block.
        for page in range(2, panel.page.max + 1):
            panel.page.value = page
            met += [
                int(row) for row in re.findall(r'"document">Row (\d+): [^,]*, [^,]* target tokens<', panel.view.value)
            ]
        if panel.next.disabled:
            break
        panel.next.click()
    assert sorted(met) == sorted(panel.chosen.tolist() * int(config.num_train_epochs))
    rows = packing.update_rows(panel.chosen, config.train_batch_size, config.seed, 1)
    blocks = packing.blocks_of(panel.rows, rows, config.tokens_per_device, 2)
    assert [block for update, block, _ in places if update == 2] == list(range(1, len(blocks) + 1))
    for place in reversed(places):
        assert (panel.update.value, panel.block.value) == place[:2]
        panel.previous.click()
    assert panel.previous.disabled


def test_an_empty_block_is_shown_as_one(tokenizer):
    rows = dataset.tokenize([PAIR], tokenizer)
    found = cells_of(packing.build_block(rows, []), [], tokenizer)
    assert np.array([cell.kind for cell in found]).tolist() == ["first"]
    assert "No pair for this process" in to_html(found)


@pytest.mark.parametrize(
    "text, shown",
    [("\n", "⏎</span><br>"), ("a\n  b", "a⏎<br>··b</span><wbr>"), ("x", "x</span><wbr>"), ("a⏎b", "a⏎b</span><wbr>")],
)
def test_lines_end_where_the_text_does(text, shown):
    assert to_html([token_view.Cell(7, "response", 0, 3, text.encode())]).count(f">{shown}") == 1
