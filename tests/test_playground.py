"""The panel without a page: what its columns show, how it stops, and that nothing a model writes becomes markup."""

import asyncio
from threading import Event
from types import SimpleNamespace

import pytest
from tiny_tokenizer import chat_tokenizer

from utils.errors import UserError
from utils.generate import GenerationSettings
from utils.panels import playground
from utils.panels.playground import Playground, side_by_side
from utils.prompts import format_prompt

HOSTILE = "<img src=x onerror=alert(1)></pre><script>alert(2)</script>&amp;"


@pytest.fixture
def asked(monkeypatch):
    """Replaces decoding: a model is a list of pieces; every call's prompt and settings are kept."""
    calls = []

    def fake_stream(pieces, tokenizer, rows, settings, stop):
        calls.append((rows[0][0], settings, rows[0][1]))
        draft = SimpleNamespace(text="", reason="", num_tokens=0)
        for piece in pieces:
            if stop.is_set():
                draft.reason = "stopped"
                yield [draft]
                return
            if isinstance(piece, Exception):
                raise piece
            draft.text += piece() if callable(piece) else piece
            draft.num_tokens += 1
            yield [draft]
        draft.reason = "end-of-text"
        yield [draft]

    monkeypatch.setattr(playground, "encode_prompts", lambda prompts, _, template: [(prompts[0], template)])
    monkeypatch.setattr(playground, "stream", fake_stream)
    return calls


def panel(settings=None, notice="", **pieces):
    loaders = {name: lambda model=model: (model, None) for name, model in pieces.items()}
    return Playground(loaders, instruction="Add <b>two</b> numbers.", settings=settings, notice=notice)


def run(panel):
    async def click_and_wait():
        panel.generate_button.click()
        await panel.wait()

    asyncio.run(asyncio.wait_for(click_and_wait(), 20))
    return panel


def test_all_columns_answer_the_trained_prompt_with_the_same_settings(asked):
    settings = GenerationSettings(max_new_tokens=7, temperature=0.5, top_p=0.9, seed=3)
    shown = run(panel(settings, base=["a", "b"], tuned=["c"]))
    assert shown.answers == {"base": "ab", "tuned": "c"}
    assert asked == [(format_prompt("Add <b>two</b> numbers."), settings, "alpaca")] * 2
    assert "end-of-text · 2 tokens" in shown.columns[0].title.value
    assert (shown.generate_button.disabled, shown.stop_button.disabled) == (False, True)


def test_the_prompt_follows_the_fields():
    shown = panel()
    shown.input.value = "1 < 2"
    expected = format_prompt("Add <b>two</b> numbers.", "1 < 2")
    assert shown.prompt.value == playground.pre(expected)
    assert "Add &lt;b&gt;two" in shown.prompt.value


def test_the_prompt_is_that_of_the_runs_template(asked):
    tokenizer = chat_tokenizer()
    shown = Playground({"base": lambda: (["a"], None)}, instruction="Add.", template="chat", tokenizer=tokenizer)
    expected = format_prompt("Add.", "", "chat", tokenizer)
    assert shown.prompt.value == playground.pre(expected)
    run(shown)
    assert asked == [(expected, GenerationSettings(), "chat")]


def test_nothing_a_model_writes_is_markup(asked):
    shown = run(panel(base=[HOSTILE], tuned=[ValueError(HOSTILE)]))
    assert shown.answers["base"] == HOSTILE
    table = side_by_side([{"instruction": HOSTILE, "input": HOSTILE, "base": HOSTILE, "tuned": HOSTILE}])
    for html in (shown.columns[0].page.value, shown.columns[1].title.value, table):
        assert "&lt;img src=x" in html
        assert "<img" not in html and "<script" not in html and "&amp;amp;" in html
    assert table.count("<pre") == table.count("</pre>") == 3


def test_stop_keeps_the_text_and_the_panel_goes_on(asked):
    is_reached, goes_on = Event(), Event()

    def wait():
        is_reached.set()
        goes_on.wait(10)
        return "b"

    shown = panel(base=["a", wait, "never"])

    async def stop_in_the_middle():
        shown.generate_button.click()
        await asyncio.to_thread(is_reached.wait, 10)
        assert (shown.generate_button.disabled, shown.stop_button.disabled) == (True, False)
        with pytest.raises(UserError, match="still writing"):
            shown.generate()
        shown.stop_button.click()
        goes_on.set()
        await shown.wait()

    asyncio.run(asyncio.wait_for(stop_in_the_middle(), 20))
    assert shown.answers == {"base": "ab"}
    assert "ab</pre>" in shown.columns[0].page.value
    assert "stopped" in shown.columns[0].title.value
    shown.columns[0].model_and_tokenizer = (["again"], None)
    assert run(shown).answers == {"base": "again"}


def test_errors_are_shown_where_they_belong(asked):
    def missing():
        raise UserError("Run notebook 03_train_fsdp first.")

    shown = run(Playground({"base": lambda: (["fine"], None), "tuned": missing}, instruction="x"))
    assert shown.answers["base"] == "fine", "one model's failure leaves the other alone"
    assert "Run notebook 03_train_fsdp first." in shown.columns[1].title.value
    shown.instruction.value = "  "
    assert "The instruction is empty" in run(shown).message.value
    shown.instruction.value = "x"
    assert run(shown).message.value == ""


def test_models_load_once_when_first_used_and_one_at_a_time(asked):
    events = []

    def loader(name):
        def load():
            events.append(f"{name} begins")
            Event().wait(0.05)
            events.append(f"{name} ends")
            return [name], None

        return load

    shown = Playground({name: loader(name) for name in ("base", "tuned")}, instruction="x")
    assert events == []
    for _ in range(2):
        run(shown)
    assert len(events) == 4
    for begin, end in (events[:2], events[2:]):
        assert begin.removesuffix(" begins") == end.removesuffix(" ends")


def test_the_notice_is_always_there(asked):
    shown = panel(base=["a"], notice="It has <learned> nothing.")
    for _ in range(2):
        assert any("It has &lt;learned&gt; nothing." in getattr(child, "value", "") for child in shown.children)
        run(shown)
