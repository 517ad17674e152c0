"""An answer as HTML: syntax highlighting, token probabilities, and sources.

Without scripts: the label of a stretch or token is shown by CSS while the pointer or the keyboard focus is on it. All
text is escaped; invisible characters and those that affect their neighbours are shown by code point, in a frame. Not
covered: invisible letters such as the Hangul filler.
"""

import contextlib
import re
import time
from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby
from operator import itemgetter

from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String, Token

from utils.playground.attribution import Source, Span
from utils.playground.token_logprobs import TokenScore
from utils.widgets.token_view import MARKS, visible

# The CSS class of a Pygments token type, or of its nearest parent here; "" is plain text.
KINDS = {
    Token: "",
    Comment: "comment",
    Keyword: "keyword",
    Keyword.Constant: "atom",
    Name.Builtin: "builtin",
    Name.Class: "def",
    Name.Decorator: "operator",
    Name.Exception: "builtin",
    Name.Function: "def",
    Name.Tag: "keyword",
    Number: "number",
    Operator: "operator",
    Operator.Word: "keyword",
    String: "string",
}
LEXER = PythonLexer()
# Lexers take quadratic time on some texts: seconds for 4,000 lines of one space, where 8,000 characters of Python take
# 0.01. The rest stays plain.
MAX_COLOURING_SECONDS = 0.05
# Shades by probability: lower bound, CSS class, legend.
SHADES = (
    (0.5, "likely", "50 % or more"),
    (0.1, "unsure", "10 to 50 %"),
    (0.01, "unlikely", "1 to 10 %"),
    (0.0, "surprising", "under 1 %"),
)
MAX_QUOTED_CHARACTERS = 120
NOT_ASCII = re.compile(r"[^\n\t -~]")
STYLE = """<style>
.answer-html { position: relative; padding: 8px; font-size: 13px; line-height: 1.5;
  color: var(--jp-content-font-color1, inherit); }
.answer-html .text, .answer-html .quote { font-family: var(--jp-code-font-family, monospace); white-space: pre-wrap;
  overflow-wrap: anywhere; tab-size: 4; }
.answer-html .comment { color: var(--jp-content-font-color2, #666); font-style: italic; }
.answer-html .keyword { color: var(--jp-mirror-editor-keyword-color, green); font-weight: bold; }
.answer-html .atom { color: var(--jp-mirror-editor-keyword-color, green); }
.answer-html .builtin { color: var(--jp-mirror-editor-builtin-color, green); }
.answer-html .def { color: var(--jp-mirror-editor-def-color, #00f); }
.answer-html .number { color: var(--jp-mirror-editor-number-color, #080); }
.answer-html .operator { color: var(--jp-mirror-editor-operator-color, #7800c2); }
.answer-html .string { color: var(--jp-mirror-editor-string-color, #ba2121); }
.answer-html .around { opacity: 0.6; }
.answer-html .shapeless { border: 1px dashed var(--jp-error-color1, #b00020); font-style: normal; }
.answer-html .source { text-decoration: underline; text-decoration-color: var(--jp-brand-color1, royalblue);
  text-decoration-thickness: 2px; text-underline-offset: 3px; }
.answer-html .source::before { content: attr(data-number); display: inline-block; margin-right: 3px; padding: 0 3px;
  font: bold 10px/1.4 var(--jp-ui-font-family, sans-serif); vertical-align: super;
  border: 1px solid var(--jp-brand-color1, royalblue); border-radius: 3px; }
.answer-html .likely, .answer-html .unsure, .answer-html .unlikely, .answer-html .surprising { padding: 1px;
  border-left: 1px solid var(--jp-border-color2, #ccc); }
.answer-html .unsure { background: color-mix(in srgb, var(--jp-warn-color1, darkorange) 15%, transparent); }
.answer-html .unlikely { background: color-mix(in srgb, var(--jp-warn-color1, darkorange) 30%, transparent);
  border-bottom: 2px dotted currentcolor; }
.answer-html .surprising { background: color-mix(in srgb, var(--jp-warn-color1, darkorange) 50%, transparent);
  border-bottom: 3px double currentcolor; }
.answer-html .legend { margin: 0 0 8px; line-height: 2; }
.answer-html .legend ~ .text { padding-bottom: 6em; }
.answer-html .legend span { white-space: nowrap; }
.answer-html [aria-label] { scroll-margin-bottom: 9em; }
.answer-html [aria-label]:is(:hover, :focus) { outline: 2px solid var(--jp-brand-color1, royalblue); }
.answer-html [aria-label]:is(:hover, :focus)::after { content: attr(aria-label); display: block;
  position: absolute; left: 8px; right: 8px; z-index: 1; margin-top: 4px; padding: 6px 8px; max-height: 12em;
  overflow: hidden; pointer-events: none; white-space: pre-line; overflow-wrap: anywhere;
  font: 13px/1.4 var(--jp-ui-font-family, sans-serif); border: 1px solid var(--jp-border-color1, gray);
  color: var(--jp-content-font-color1, black); background: var(--jp-layout-color2, #eee); }
.answer-html [aria-label]:hover::after { z-index: 2; }
.answer-html p { margin: 0; }
.answer-html ol { margin: 8px 0 0; padding-left: 24px; }
.answer-html li { margin-bottom: 8px; overflow-wrap: anywhere; }
.answer-html summary { cursor: pointer; }
.answer-html details .quote { max-height: 14em; overflow: auto; padding: 6px 8px;
  border: 1px solid var(--jp-border-color2, #ccc); }
</style>"""


def answer(text: str, spans: Sequence[Span] = (), before: str = "", after: str = "") -> str:
    """An answer highlighted as Python, its `spans` marked.

    The text `before` and `after` it, in completion and fill in the middle, is paler. The spans are those of
    `attribution.Index.spans`: in order, without overlaps. Highlighting never fails or changes text; what takes too long
    stays plain.
    """
    whole, parts, place = _kinds(before + text + after), [], 0
    kinds = whole[len(before) :]
    for number, span in enumerate(spans, start=1):
        label = f"{number}. Occurs verbatim in:\n" + "\n".join(map(_named, span.sources))
        attributes = f'tabindex="0" role="group" data-number="{number}" aria-label="{escape(_seen(label))}"'
        inside = _coloured(text[span.start : span.end], kinds[span.start :])
        parts += [
            _coloured(text[place : span.start], kinds[place:]),
            f'<span class="source" {attributes}>{inside}</span>',
        ]
        place = span.end
    parts.append(_coloured(text[place:], kinds[place:]))
    around = [(before, whole), (after, kinds[len(text) :])]
    first, last = (f'<span class="around">{_coloured(*one)}</span>' if one[0] else "" for one in around)
    return _page(f'<div class="text">{first}{"".join(parts)}{last}</div>')


def probabilities(scores: Iterable[TokenScore]) -> str:
    """An answer token by token, shaded by probability; labels give the probability and the likeliest alternatives.

    Under 10 % a token also has a dotted line, under 1 % a double one. `⏎` marks a newline. Not covered: pages; 256
    tokens are 0.1 MB of HTML.
    """
    legend = " ".join(f'<span class="{name}">{label}</span>' for _, name, label in SHADES)
    cells = "".join(map(_cell, scores))
    return _page(f'<p class="legend">Probability of a token: {legend}</p><div class="text">{cells}</div>')


def sources(text: str, spans: Sequence[Span]) -> str:
    """The share of an answer that occurs verbatim in training data, and its sources; "" without spans.

    Numbered like the marks in `answer`.
    """
    if not spans:
        return ""
    share = sum(span.end - span.start for span in spans) / len(text)
    items = "".join(_item(text[span.start : span.end], span.sources) for span in spans)
    return _page(
        f"<p>{100 * share:.0f} % of the answer's characters occur verbatim in the training data.</p><ol>{items}</ol>"
    )


def _page(body: str) -> str:
    # JupyterLab's MathJax, which turns `\href` into links, ignores this class.
    return f'{STYLE}<div class="answer-html mathjax_ignore">{body}</div>'


def _kinds(text: str) -> list[str]:
    """The CSS class of each character."""
    kinds = [""] * len(text)
    # A failing lexer only costs colours. `get_tokens` would change line ends.
    with contextlib.suppress(Exception):
        start = time.thread_time()
        for place, token, value in LEXER.get_tokens_unprocessed(text):
            if time.thread_time() - start > MAX_COLOURING_SECONDS:
                break
            while token not in KINDS:
                token = token.parent
            kinds[place : place + len(value)] = [KINDS[token]] * len(value)
    return kinds


def _coloured(text: str, kinds: Sequence[str]) -> str:
    parts = []
    for kind, run in groupby(zip(kinds, text, strict=False), key=itemgetter(0)):
        shown = _shown("".join(char for _, char in run))
        parts.append(f'<span class="{kind}">{shown}</span>' if kind else shown)
    return "".join(parts)


def _seen(text: str, form: str = "{}") -> str:
    """`text` with invisible and reordering characters spelled by `visible`; spaces and newlines are kept."""

    def spelled(found: re.Match) -> str:
        char = found[0]
        return char if char.isprintable() else form.format(visible(char.encode("utf-8", "surrogatepass")))

    return NOT_ASCII.sub(spelled, text)


def _shown(text: str) -> str:
    return _seen(escape(text), '<span class="shapeless">{}</span>')


def _cell(score: TokenScore) -> str:
    name = next((name for least, name, _ in SHADES if score.probability >= least), SHADES[-1][1])
    likeliest = ", ".join(f"{_quoted(text)} {_percent(probability)}" for text, probability in score.alternatives)
    label = f"{_quoted(score.text)}: {_percent(score.probability)}\nLikeliest tokens: {likeliest}"
    shown = _shown(score.text.replace("\n", MARKS["\n"] + "\n"))
    return f'<span class="{name}" tabindex="0" role="img" aria-label="{escape(label)}">{shown}</span>'


def _item(stretch: str, places: Sequence[Source]) -> str:
    quote = stretch[:MAX_QUOTED_CHARACTERS] + "…" * (len(stretch) > MAX_QUOTED_CHARACTERS)
    texts = "".join(
        f"<details><summary>{_shown(_named(source))}</summary>"
        f'<div class="quote" tabindex="0">{_shown(source.text)}</div></details>'
        for source in places
    )
    return f'<li><span class="quote">{_shown(quote)}</span>{texts}</li>'


def _named(source: Source) -> str:
    return f"{source.name}, {source.where}, licence {source.license}"


def _quoted(text: str) -> str:
    return f"“{visible(text.encode('utf-8', 'surrogatepass'))}”"


def _percent(probability: float) -> str:
    return "under 0.1 %" if probability < 0.001 else f"{100 * probability:.1f} %"
