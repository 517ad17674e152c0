"""The playground without a page: columns, modes, Stop, probabilities, sources, history, and errors that are seen."""

import asyncio
import gc
import json
import shutil
import sys
from dataclasses import replace
from threading import Event, current_thread
from types import SimpleNamespace

import nbformat
import pytest
from transformers import PreTrainedModel

from utils.artifacts import ROOT
from utils.errors import UserError
from utils.model import generation
from utils.model.generation import GenerationSettings
from utils.model.prompt_modes import CURSOR, Question
from utils.playground import history
from utils.playground.examples import EXAMPLES, SQUARE_ROOT, questions
from utils.playground.model_pool import LoadedModels
from utils.tokens.prompts import format_prompt
from utils.widgets import playground_column as columns
from utils.widgets.history_panel import OWN_PAIRS
from utils.widgets.playground import PROBABILITIES, TEXT, Playground
from utils.widgets.playground_column import OTHER


@pytest.fixture(scope="module")
def models():
    return LoadedModels()


@pytest.fixture
def run_dir(world, tmp_path):
    data_dir, config = world
    config.save(tmp_path / "config.json")
    shutil.copytree(config.model_name_or_path, tmp_path / "model")
    return tmp_path


@pytest.fixture
def panel(world, run_dir, models):
    shown = Playground(run_dir, world[0], models, instruction="Say 3 <b>times</b>.")
    shown.has_sources.value = False
    shown.sampling.numbers["max_new_tokens"].value = "8"
    return shown


def after(panel, action):
    """The panel when it has done what the action starts."""

    async def act_and_wait():
        action()
        await panel.wait()

    asyncio.run(asyncio.wait_for(act_and_wait(), 60))
    return panel


def run(panel):
    return after(panel, panel.generate_button.click)


def texts(panel):
    return {column.label: [one.text for one in column.written] for column in panel.columns}


def test_columns_answer_as_generate_does_and_alone_as_beside_another(panel, models, world):
    panel.sampling.put(GenerationSettings(max_new_tokens=8, temperature=1.0, seed=3), 2)
    together = texts(run(panel))
    assert together["base"] == together["tuned"] and len(set(together["base"])) == 2
    panel.columns[1].remove_button.click()
    assert texts(run(panel)) == {"base": together["base"]}
    network, tokenizer = models.get(world[1].model_name_or_path)
    settings = GenerationSettings(max_new_tokens=8, temperature=1.0, seed=3)
    alone = generation.generate_batch(network, tokenizer, [format_prompt("Say 3 <b>times</b>.")] * 2, settings)
    assert [one.text for one in alone] == together["base"]
    told = panel.columns[0].speed.value
    assert "tokens/s" in told and "first after" in told and "ended by: limit" in panel.columns[0].status.value
    assert "Answer 2 of 2" in panel.columns[0].page.value


def test_every_column_keeps_its_thread(panel, monkeypatch):
    threads, whole = [], generation.stream

    def stream(*arguments):
        threads.append(current_thread())
        return whole(*arguments)

    monkeypatch.setattr(columns.generation, "stream", stream)
    run(run(panel))
    assert len(threads) == 4 and len(set(threads)) == 2


def test_the_prompt_that_is_shown_is_the_one_that_is_asked(panel):
    panel.input.value = "1 < 2"
    assert "1 &lt; 2" in panel.prompt.value and "&lt;b&gt;times" in panel.prompt.value
    run(panel)
    (record,), _ = history.load(panel.run_dir)
    assert record["columns"][0]["prompt"] == format_prompt("Say 3 <b>times</b>.", "1 < 2")


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_fills_its_fields(panel, name):
    panel.example.value = name
    mode, given = EXAMPLES[name]
    assert panel.mode.value == mode and panel.question().mode == mode
    assert {field: getattr(panel, field).value for field in given} == given
    shown = {field for field in ("instruction", "input", "text") if getattr(panel, field).layout.display != "none"}
    assert shown == set(given)


def test_the_same_questions_are_asked_one_of_each_kind_and_plain_ones_first():
    texts = [*(f"Do {number}." for number in range(9)), "x" * 999, "Write f(a).", "No kind."]
    rows = [{"instruction": text, "input": "", "kind": "ab"[index % 2]} for index, text in enumerate(texts)]
    asked = questions(rows)
    assert {row["kind"] for row in asked} == {"a", "b"} and all(len(row["instruction"]) < 9 for row in asked)
    assert questions(rows[::-1]) == asked
    without_kinds = [{"instruction": text, "input": ""} for text in texts]
    assert len(questions(without_kinds)) == 3 and questions([]) == []
    basics = questions([row | {"source": "python-basics"} for row in rows])
    assert basics[0]["instruction"] == SQUARE_ROOT and len(basics) == 3


def test_the_answers_to_the_example_with_tests_are_judged(panel):
    panel.example.value = "A task with tests"
    run(panel)
    assert [column.runner.task.task_id for column in panel.columns] == [panel.tasks.result()[0].task_id] * 2
    panel.instruction.value += " Please."
    assert [column.runner.task for column in run(panel).columns] == [None, None]


def test_a_gap_is_put_back_together(panel):
    panel.mode.value = "Fill in the middle"
    panel.text.value = f"def f(a):\n    {CURSOR}\n\nf(1)\n"
    run(panel)
    column = panel.columns[0]
    assert column.copy.text == f"def f(a):\n    {column.written[0].text}\n\nf(1)\n"
    panel.text.value = "no gap"
    assert "needs one &lt;cursor&gt;" in run(panel).message.value and 'role="alert"' in panel.message.value
    assert column.written[0].text in column.page.value, "no model was asked, so the answers stay"


def test_a_screen_reader_hears_the_stages_and_not_every_token(panel):
    column, said, counted = run(panel).columns[0], [], []
    column.status.observe(lambda change: said.append(change["new"]), "value")
    column.speed.observe(lambda change: counted.append(change["new"]), "value")
    for number in range(3):
        column.written = [replace(column.written[0], num_tokens=number)]
        column.show()
    assert said == [] and len(counted) == 3 and "role=" in column.status.value
    assert not any("role=" in one for one in counted)


CHAT_TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}<|endoftext|>{% endfor %}assistant:"


def test_a_chat_has_a_system_text_and_turns_which_the_history_keeps(world, run_dir):
    assert Playground(run_dir, world[0]).is_continued.layout.display != "", "alpaca has neither"
    (run_dir / "model" / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    world[1].with_changes(template="chat", model_name_or_path=str(run_dir / "model")).save(run_dir / "config.json")
    panel = Playground(run_dir, world[0], instruction="One <b>.")
    panel.has_sources.value = False
    panel.sampling.numbers["max_new_tokens"].value = "8"
    panel.system.value = "Be brief."
    first = run(panel).columns[0].written[0].text
    assert panel.columns[0].prompt == "system: Be brief.<|endoftext|>user: One <b>.<|endoftext|>assistant:"
    panel.instruction.value, panel.is_continued.value = "Two.", True
    column = run(panel).columns[0]
    turn = f"user: One <b>.<|endoftext|>assistant: {first}<|endoftext|>"
    assert column.prompt == f"system: Be brief.<|endoftext|>{turn}user: Two.<|endoftext|>assistant:"
    assert "One &lt;b&gt;." in column.page.value
    again = Playground(run_dir, world[0])
    again.history.show_button.click()
    assert again.columns[0].turns == (("One <b>.", first),) and again.system.value == "Be brief."
    assert "One <b>." in history.markdown(history.load(run_dir)[0][-1])


def test_stop_keeps_the_text_and_the_panel_goes_on(panel, monkeypatch):
    is_reached, goes_on = Event(), Event()
    whole = generation.stream

    def slow(*arguments, **options):
        for number, drafts in enumerate(whole(*arguments, **options)):
            yield drafts
            if number == 2:
                is_reached.set()
                goes_on.wait(20)

    monkeypatch.setattr(columns.generation, "stream", slow)
    panel.columns[1].remove_button.click()

    async def stop_in_the_middle():
        panel.generate_button.click()
        await asyncio.to_thread(is_reached.wait, 20)
        assert (panel.generate_button.disabled, panel.stop_button.disabled) == (True, False)
        with pytest.raises(UserError, match="still generating"):
            panel.generate()
        panel.stop_button.click()
        goes_on.set()
        await panel.wait()

    asyncio.run(asyncio.wait_for(stop_in_the_middle(), 60))
    (one,) = panel.columns[0].written
    assert one.reason == "stopped" and len(one.ids) == 3
    assert (panel.generate_button.disabled, panel.stop_button.disabled) == (False, True)
    monkeypatch.undo()
    assert len(run(panel).columns[0].written[0].ids) == 8


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("temperature", "hot", "Temperature must be a number, got 'hot'"), ("top_p", "0", "top_p must be above 0"),
     ("temperature", "0,7", "got '0,7'. Write decimals with a point"),
     ("seed", "1.5", "Seed must be a whole number"), ("num_answers", "9", "num_answers must be between 1 and 8")],
)  # fmt: skip
def test_a_wrong_value_is_refused_in_words_and_nothing_starts(panel, field, value, said):
    panel.sampling.numbers[field].value = value
    run(panel)
    assert said.replace("'", "&#x27;") in panel.message.value and not panel.columns[0].written
    assert said.replace("'", "&#x27;") in panel.sampling.notes[field].value and panel.settings.selected_index == 0
    panel.sampling.put(GenerationSettings(), 1)
    assert panel.sampling.notes[field].value == ""


def test_errors_are_shown_where_they_belong(panel):
    panel.columns[1].model.value = OTHER
    panel.columns[1].other.value = "no/such/model"
    run(panel)
    assert panel.columns[0].written, "one model's failure leaves the other alone"
    assert "no model at" in panel.columns[1].status.value
    panel.instruction.value = "  "
    assert "The instruction is empty" in run(panel).message.value
    panel.instruction.value = "word " * 2000
    assert "Shorten the prompt" in run(panel).columns[0].status.value
    panel.mode.value, panel.text.value = "Completion", "word " * 2000
    assert "were cut off" in run(panel).columns[0].status.value


def test_probabilities_and_losses_under_every_model(panel):
    run(panel)
    panel.columns[1].model.value = OTHER  # chosen since; the answer stays the tuned model's
    column = after(panel, lambda: setattr(panel.view, "value", PROBABILITIES)).columns[0]
    assert len(column.scores[0]) == 8 and set(column.losses[0]) == {"base", "tuned"}
    assert column.losses[0]["base"] == pytest.approx(column.losses[0]["tuned"]), "the same model twice"
    assert f"base {column.losses[0]['base']:.2f}" in column.page.value and "Likeliest tokens" in column.page.value
    after(panel, lambda: setattr(panel.view, "value", TEXT))
    assert "Likeliest tokens" not in column.page.value


def test_where_an_answer_came_from_is_marked(panel, monkeypatch):
    asked = []

    class Index:
        def spans(self, text):
            asked.append(text)
            for column in panel.columns:  # as when another view is chosen meanwhile
                column.find_sources() if column.stage else None
            return []

    monkeypatch.setattr("utils.playground.attribution.Index.of_run", lambda *_: Index())
    panel.has_sources.value = True
    run(panel)
    assert asked == [column.written[0].text for column in panel.columns]
    assert all("Nothing found" in column.sources.value for column in panel.columns)
    assert not any("looking up" in column.status.value for column in panel.columns)


def test_what_cannot_be_found_out_is_told_and_keeps_nothing_else_back(panel, monkeypatch):
    def fail(*_):
        raise UserError("no pairs")

    monkeypatch.setattr("utils.playground.attribution.Index.of_run", fail)
    panel.has_sources.value, panel.view.value = True, PROBABILITIES
    run(panel)
    for column in panel.columns:
        assert column.scores and "looking up" not in column.status.value
    assert panel.message.value.count("no pairs") == 1, "once for both columns"
    monkeypatch.setattr("utils.playground.token_logprobs.score", lambda *_: 1 / 0)
    run(panel)
    assert "no pairs" in panel.message.value and "ZeroDivisionError" in panel.message.value


def test_why_an_answer_broke_off_stays_in_its_column(panel, monkeypatch):
    whole = generation.stream

    def broken(*arguments):
        yield next(whole(*arguments))
        raise MemoryError("no room")

    monkeypatch.setattr(columns.generation, "stream", broken)
    monkeypatch.setattr("utils.playground.attribution.Index.of_run", lambda *_: SimpleNamespace(spans=lambda text: []))
    panel.has_sources.value = True
    for column in run(panel).columns:
        assert len(column.written) == 1 and "MemoryError: no room" in column.status.value


def test_the_history_comes_back_after_a_restart(panel, world, models):
    panel.sampling.put(GenerationSettings(max_new_tokens=5, temperature=0.7, seed=9, stop=("\n\n",)), 2)
    before = texts(run(panel))
    panel.instruction.value = "something else"
    again = Playground(panel.run_dir, world[0], models)
    assert "Say 3 &lt;b&gt;" not in again.columns[0].page.value
    again.history.show_button.click()
    assert again.instruction.value == "Say 3 <b>times</b>." and texts(again) == before
    assert again.sampling.read() == (GenerationSettings(max_new_tokens=5, temperature=0.7, seed=9, stop=("\n\n",)), 2)
    assert again.question() == Question(
        "Instruction", "Say 3 <b>times</b>.", "", "", 2, "alpaca", again.sampling.read()[0]
    )
    again.has_sources.value = False
    assert texts(run(again)) == before, "asked again, it answers the same"
    assert len(history.load(panel.run_dir)[0]) == 2


def test_an_answer_is_mended_and_made_a_pair(panel, world, tmp_path):
    keep = run(panel).history
    keep.path.value = str(tmp_path / "mine.jsonl")
    keep.take_button.click()
    assert keep.instruction.value == "Say 3 <b>times</b>."
    keep.response.value = "a better answer"
    run(panel)
    assert keep.response.value == "a better answer", "what a person wrote stays when a new answer comes"
    keep.pair_button.click()
    pair = json.loads((tmp_path / "mine.jsonl").read_text())
    assert pair == {"instruction": "Say 3 <b>times</b>.", "input": "", "response": "a better answer"}
    origin = json.loads((tmp_path / "mine.origins.jsonl").read_text())
    assert origin["is_edited"] and origin["model"] == world[1].model_name_or_path
    keep.pair_button.click()
    assert "has this pair already" in keep.pair_message.value


@pytest.mark.slow
def test_models_are_freed(panel, models, world):
    run(panel)
    name = world[1].model_name_or_path
    assert name in models.sizes() and "In memory" in panel.memory.value
    panel.columns[0].free_button.click()
    assert name not in models.sizes()
    assert run(panel).columns[0].written, "and loaded again when it is asked"


def test_columns_are_added_up_to_four_and_the_last_one_stays(panel):
    for _ in range(5):
        panel.add_button.click()
    assert len(panel.columns) == 4 and panel.add_button.disabled
    for column in list(panel.columns):
        column.remove_button.click()
        parts = ("model", "other", "copy", "free_button", "remove_button")
        names = [getattr(column, part).description for column in panel.columns for part in parts]
        assert len(set(names)) == len(names) and f"Remove column {len(panel.columns)}" in names
    assert len(panel.columns) == 1 and panel.columns[0].remove_button.disabled


def num_alive() -> int:
    return sum(issubclass(type(one), PreTrainedModel) for one in gc.get_objects())


@pytest.mark.slow
def test_the_notebook_keeps_no_model_that_is_freed_and_names_what_it_writes(world, new_run, monkeypatch):
    run_dir, (data_dir, config) = new_run("told"), world
    shutil.copytree(config.model_name_or_path, run_dir / "model")
    for name, value in {"DATA": data_dir, "PAIRS": config.pairs, "RUN": "told"}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(sys, "path", [*sys.path])
    gc.collect()
    before = num_alive()
    cells, names = nbformat.read(ROOT / "notebooks" / "05_playground.ipynb", as_version=4).cells, {}
    for cell in cells:
        if cell.cell_type == "code":
            exec(cell.source, names)
    models = names["models"]
    assert len(models.sizes()) == 2 and num_alive() > before
    for name in models.sizes():
        models.free(name)
    assert num_alive() == before
    for written in ("answers.json", "yardstick.json", history.HISTORY, "attribution/", OWN_PAIRS):
        assert written in cells[0].source
