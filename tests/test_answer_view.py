"""The look of an answer: every letter is there, marks stand where they should, and nothing in it is ever markup."""

import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.payloads import PAYLOADS
from utils.playground.attribution import Source, Span
from utils.playground.token_logprobs import TokenScore
from utils.widgets import answer_view
from utils.widgets.answer_view import answer, probabilities, sources

ATTRIBUTES = {
    "style": set(), "div": {"class", "tabindex"}, "p": {"class"}, "ol": set(), "li": set(),
    "details": set(), "summary": set(), "span": {"class", "tabindex", "role", "data-number", "aria-label"},
}  # fmt: skip
CLASSES = set(re.findall(r"\.([a-z-]+)(?![^{]*\})", answer_view.STYLE)) | {"mathjax_ignore"}
SOURCE = Source("Python 3.11.7", "json/decoder.py, line 40", "PSF-2.0", "def f():\n    return 1\n")


class Page(HTMLParser):
    """The elements of a page as they were opened, each with its attributes and the text in it."""

    def __init__(self, html: str):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(html)
        self.close()
        assert not self.open, "an element is not closed"

    def handle_starttag(self, tag, attributes):
        assert dict(attributes).keys() <= ATTRIBUTES[tag] and len(dict(attributes)) == len(attributes)
        self.elements.append({"tag": tag, "text": "", **dict(attributes)})
        self.open.append(self.elements[-1])
        assert set(self.elements[-1].get("class", "").split()) <= CLASSES

    def handle_endtag(self, tag):
        assert self.open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def handle_comment(self, data):
        raise AssertionError(f"not the module's own: {data}")

    handle_decl = handle_pi = unknown_decl = handle_comment

    def all(self, key: str, value: str) -> list[dict[str, str]]:
        return [element for element in self.elements if element.get(key) == value]

    def text(self, key: str, value: str) -> list[str]:
        return [element["text"] for element in self.all(key, value)]


def seen(text: str) -> str:
    """What a reader must see of a text: its letters, and by its number whatever is a blank, a mark or no character."""

    def spelled(char: str) -> str:
        if char in " \n\t" or unicodedata.category(char)[0] not in "CZ":
            return char
        if unicodedata.category(char) == "Cs":
            return "".join(f"⟨{byte:02x}⟩" for byte in char.encode("utf-8", "surrogatepass"))
        return f"\\u{ord(char):04x}" if ord(char) < 2**16 else f"\\U{ord(char):08x}"

    return "".join(map(spelled, text))


def spans_of(text: str, *edges: tuple[int, int]) -> list[Span]:
    return [Span(start, end, [SOURCE]) for start, end in edges]


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_nothing_is_markup(payload):
    spelled, spans = seen(payload), [Span(0, len(payload), [Source(payload, payload, payload, payload)] * 2)]
    html = answer(payload, spans, before=payload, after=payload)
    page, place = Page(html), seen(f"{payload}, {payload}, licence {payload}")
    assert page.text("class", "source") == [spelled] and page.text("class", "around") == [spelled] * 2
    assert page.text("class", "text") == [spelled * 3]
    assert page.all("class", "source")[0]["aria-label"].endswith(f":\n{place}\n{place}")
    html.encode()  # it can be sent
    page = Page(sources(payload, spans))
    assert page.text("tag", "summary") == [place] * 2
    assert page.text("class", "quote") == [seen(payload[:120] + "…" * (len(payload) > 120)), spelled, spelled]
    html = probabilities([TokenScore(payload, 0.5, ((payload, 0.25),))])
    (cell,) = Page(html).all("role", "img")
    assert cell["text"] == seen(payload.replace("\n", "⏎\n"))
    blanks = str.maketrans({" ": "·", "\n": "⏎", "\t": "⇥"})
    shown = spelled.translate(blanks)
    # An accent that begins a token is spelled in labels; no payload begins with one.
    assert cell["aria-label"] == f"“{shown}”: 50.0 %\nLikeliest tokens: “{shown}” 25.0 %"
    html.encode()


PIECES = ["def f(x):", "\n    ", "'''", '"', "#", " \\\n", "f'{", "}", "\r\n", "<b>", "&amp;", "\u202e", "```"]


@given(
    text=st.lists(st.sampled_from(PIECES) | st.text(max_size=5)).map("".join),
    cuts=st.sets(st.integers(0, 60)),
)
def test_colours_and_marks_never_change_the_text(text, cuts):
    cuts = sorted(cut for cut in cuts if cut <= len(text))
    spans = spans_of(text, *zip(cuts[::2], cuts[1::2], strict=False))
    page = Page(answer(text, spans))
    assert page.text("class", "text") == [seen(text)]
    assert page.text("class", "source") == [seen(text[span.start : span.end]) for span in spans]
    tokens = [TokenScore(text[start:end], 0.3, ()) for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert "".join(Page(probabilities(tokens)).text("class", "unsure")[1:]).replace("⏎\n", "\n") == seen(text)


def test_colours_are_those_of_the_language():
    page = Page(answer("def one():\n    return 'a' # b"))
    assert page.text("class", "keyword") == ["def", "return"]
    assert (page.text("class", "def"), page.text("class", "string")) == (["one"], ["'a'"])
    assert page.text("class", "comment") == ["# b"]


def test_what_takes_too_long_to_colour_stays_plain(monkeypatch):
    monkeypatch.setattr(answer_view, "MAX_COLOURING_SECONDS", -1)
    page = Page(answer("def one(): pass"))
    assert page.text("class", "text") == ["def one(): pass"] and not page.text("class", "keyword")


def test_a_lexer_that_fails_costs_colours_only(monkeypatch):
    class Broken:
        def get_tokens_unprocessed(self, text):
            yield 0, answer_view.Keyword, "def"
            raise RecursionError

    monkeypatch.setattr(answer_view, "LEXER", Broken())
    assert Page(answer("def one()")).text("class", "text") == ["def one()"]


def test_a_mark_cuts_a_word_and_says_where_it_stands():
    text = "x = 'a long text'"
    page = Page(answer(text, spans_of(text, (2, 8), (8, 12))))
    assert page.text("class", "source") == ["= 'a l", "ong "]
    assert page.text("class", "string") == ["'a l", "ong ", "text'"]
    first, second = page.all("class", "source")
    assert first["aria-label"] == "1. Occurs verbatim in:\nPython 3.11.7, json/decoder.py, line 40, licence PSF-2.0"
    assert (first["data-number"], second["data-number"], second["tabindex"]) == ("1", "2", "0")


def test_what_stands_around_an_answer_is_coloured_with_it():
    page = Page(answer("long text'", spans_of("long text'", (0, 4)), before="x = 'a ", after=" # b"))
    assert page.text("class", "text") == ["x = 'a long text' # b"] and page.text("class", "source") == ["long"]
    assert page.text("class", "around") == ["x = 'a ", " # b"]
    assert page.text("class", "string") == ["'a ", "long", " text'"] and page.text("class", "comment") == ["# b"]


def test_a_character_without_a_shape_is_not_taken_for_its_number():
    assert Page(answer("\\u202e")).text("class", "shapeless") == []
    assert Page(answer("\u202e")).text("class", "shapeless") == ["\\u202e"]


def test_the_list_says_how_much_is_verbatim_and_is_numbered_as_the_marks():
    text = "a" * 150 + "b" * 50
    page = Page(sources(text, spans_of(text, (0, 130), (180, 200))))
    assert page.text("tag", "p") == ["75 % of the answer's characters occur verbatim in the training data."]
    first, second = page.text("tag", "li")
    assert first.startswith("a" * 120 + "…P") and second.startswith("b" * 20 + "P") and SOURCE.text in second
    assert sources(text, []) == ""


def test_a_token_is_shaded_by_its_probability():
    values = [1.0, 0.5, 0.49, 0.1, 0.09, 0.01, 0.009, 0.0]
    cells = Page(probabilities([TokenScore("a", value, ()) for value in values])).all("role", "img")
    names = ["likely", "likely", "unsure", "unsure", "unlikely", "unlikely", "surprising", "surprising"]
    assert [cell["class"] for cell in cells] == names
    assert [cell["aria-label"].split("\n")[0] for cell in cells][-2:] == ["“a”: 0.9 %", "“a”: under 0.1 %"]
    legend = Page(probabilities([])).text("class", "legend")
    assert legend == ["Probability of a token: 50 % or more 10 to 50 % 1 to 10 % under 1 %"]
