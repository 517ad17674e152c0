"""The choice of preset, pairs and run: made once, remembered, shown in every notebook, and never in the way."""

import datetime
import json
import shutil

import pytest

from support.releases import STATEMENTS, copied_exports, finished_run
from utils import artifacts, workbook
from utils.config import RunConfig
from utils.data import sources
from utils.errors import UserError
from utils.model import loading
from utils.playground import model_pool
from utils.release import build, ledger, reproduce
from utils.runs import folders, metrics
from utils.tokens import dataset
from utils.widgets.parts import choice as choices
from utils.widgets.parts.choice import Choice
from utils.widgets.parts.choice_panel import FILE, HUB, ChoicePanel

TINY = RunConfig.from_preset("tiny")
ROW = b'{"instruction": "a", "response": "b"}\n'


@pytest.fixture
def own(tmp_path):
    (tmp_path / "mine.jsonl").write_bytes(ROW)
    return tmp_path / "mine.jsonl"


def make_run(data_dir, name: str, model: bool = True, **changes):
    run_dir = data_dir / "runs" / name
    (run_dir / "model" if model else run_dir).mkdir(parents=True)
    TINY.with_changes(**changes).save(run_dir / "config.json")
    return run_dir


def test_a_choice_is_made_once_and_found_in_the_next_notebook(tmp_path, own):
    panel = ChoicePanel(tmp_path)
    assert panel.choice == Choice() and panel.config() == TINY
    assert "11,686 pairs · licence: Apache-2.0" in panel.about_pairs.value
    panel.source.value = FILE
    with pytest.raises(UserError, match="was refused"):
        panel.config()
    panel.path.value, panel.map.value = str(own), "response=output"
    panel.preset.value = "starcoder"
    assert "Remembered" in panel.message.value
    assert (tmp_path / choices.REMEMBERED).stat().st_mode & 0o777 == 0o600
    later = ChoicePanel(tmp_path)
    assert later.choice == Choice("starcoder", str(own), map="response=output") == panel.choice
    assert later.config('{"seed": 7}') == RunConfig.from_preset("starcoder", pairs=str(own), seed=7)
    assert (later.preset.value, later.source.value, later.path.value) == ("starcoder", FILE, str(own))
    later.source.value = ""
    assert ChoicePanel(tmp_path).choice == Choice("starcoder"), "names of fields concern a file"


def test_what_is_given_wins_and_is_not_remembered(tmp_path):
    choices.remember(Choice("starcoder", "python-stdlib"), tmp_path)
    before = (tmp_path / choices.REMEMBERED).read_text()
    for given, config in (
        (("tiny", "", ""), TINY),
        (("", "python-basics", ""), TINY),
        (("", "", "new-run"), TINY),
    ):
        panel = ChoicePanel(tmp_path, *given)
        assert panel.config() == config and panel.choice.run == given[2]
        assert all(field.disabled for field in panel.fields) and "wins" not in panel.message.value
        assert "given as a parameter or in the environment" in panel.message.value
    assert (tmp_path / choices.REMEMBERED).read_text() == before
    with pytest.raises(UserError, match="unknown preset 'tinny'"):
        ChoicePanel(tmp_path, "tinny")


def test_make_run_gives_its_notebooks_everything_that_could_be_remembered(tmp_path, own):
    choices.remember(Choice("starcoder", str(own), map="response=output"), tmp_path)
    environment = workbook.make_plan({"DATA": str(tmp_path)}).environment
    panel = ChoicePanel(tmp_path, *(environment[name] for name in ("PRESET", "PAIRS", "RUN")))
    assert panel.config() == TINY and panel.choice == Choice("tiny", "python-basics", "tiny-python-basics")


@pytest.mark.parametrize(
    ("content", "kept", "said"),
    [
        ("{", Choice(), "is not JSON"),
        ("[]", Choice(), "must be of type dict"),
        ('{"preset": 1, "pairs": "python-stdlib"}', Choice(), "must be of type str"),
        ('{"preset": "<img src=x onerror=alert(1)>"}', Choice(), "unknown preset"),
        ('{"preset": "starcoder", "pairs": "/gone/x.jsonl"}', Choice("starcoder"), "no file /gone/x.jsonl"),
        ('{"pairs": "no-such-source"}', Choice(), "unknown source"),
        ('{"pairs": "\\ud800"}', Choice(), "control characters"),
        ('{"pairs": "python-stdlib", "run": "gone"}', Choice(pairs="python-stdlib"), "no run &#x27;gone&#x27;"),
        ('{"run": "..", "start": "../../etc"}', Choice(), "name of a folder"),
        ('{"run": "a\\u0000", "start": "gone"}', Choice(), "with model"),
        (json.dumps({"run": "x" * 5000}), Choice(), "no run"),
        ('{"map": "answer"}', Choice(), "unknown field name"),
        ('{"map": "", "ignore": "response"}', Choice(), "IGNORE"),
        ('{"preset": "starcoder", "of a later version": [1]}', Choice("starcoder"), ""),
    ],
)
def test_a_damaged_hostile_or_outdated_choice_is_said_and_breaks_nothing(tmp_path, content, kept, said):
    (tmp_path / choices.REMEMBERED).write_text(content)
    panel = ChoicePanel(tmp_path)
    assert panel.choice == kept and panel.config()
    assert said in panel.message.value and ('role="alert"' in panel.message.value) == bool(said)
    assert "<img" not in panel.message.value
    assert (tmp_path / choices.REMEMBERED).read_text() == content, "left as it is until somebody chooses"
    panel.source.value = "python-stdlib"
    assert ChoicePanel(tmp_path).choice.pairs == "python-stdlib"


def test_a_refused_choice_is_neither_used_nor_remembered(tmp_path, own):
    choices.remember(Choice(pairs=str(own)), tmp_path)
    panel = ChoicePanel(tmp_path)
    for field, wrong, said in (
        (panel.path, "/gone.jsonl", "no file /gone.jsonl"),
        (panel.map, "answer", "unknown field name"),
    ):
        right = field.value
        field.value = wrong
        assert 'role="alert"' in panel.message.value and said in panel.message.value
        with pytest.raises(UserError, match="was refused"):
            panel.run_dir()
        field.value = right
        assert panel.config().pairs == str(own)
    assert choices.remembered(tmp_path) == (Choice(pairs=str(own)), [])


def upload(panel, name: str, content: bytes) -> None:
    file = {"name": name, "type": "", "size": len(content), "content": memoryview(content)}
    panel.upload.value = (file | {"last_modified": datetime.datetime.now()},)


def test_an_uploaded_file_is_kept_and_overwrites_none(tmp_path):
    panel = ChoicePanel(tmp_path)
    panel.source.value = FILE
    folder = tmp_path / "raw" / choices.UPLOADS
    for name, content, kept in (
        ("../../my pairs.jsonl", ROW, "my-pairs.jsonl"),
        ("my pairs.jsonl", ROW, "my-pairs.jsonl"),
        ("my pairs.jsonl", ROW * 2, "my-pairs-2.jsonl"),
        ("C:\\x\\.hidden.JSON.gz", ROW, "hidden.json.gz"),
    ):
        upload(panel, name, content)
        assert panel.choice.pairs == str(folder / kept) and (folder / kept).read_bytes() == content
        assert panel.upload.value == (), "a saved notebook does not hold it"
    upload(panel, "x.py", b"")
    assert "no file of pairs" in panel.message.value
    assert {path.name for path in folder.iterdir()} == {"my-pairs.jsonl", "my-pairs-2.jsonl", "hidden.json.gz"}
    assert len(panel.path.options) == 3


def test_a_data_set_of_the_hub_is_fixed_at_its_newest_commit(tmp_path, monkeypatch):
    panel, commit = ChoicePanel(tmp_path), "0123456789" * 4
    monkeypatch.setattr(sources, "newest", lambda name: f"{name}@{commit}")
    panel.source.value = HUB
    panel.hub.value = "owner/pairs"
    assert panel.choice.pairs == panel.hub.value == f"owner/pairs@{commit}"
    assert ChoicePanel(tmp_path).source.value == HUB
    monkeypatch.undo()
    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", lambda *_, **__: 1 / 0)
    panel.hub.value = "owner/other"
    assert "cannot be looked up (ZeroDivisionError)" in panel.message.value


def test_a_run_brings_its_preset_and_pairs_and_the_newest_finished_one_is_found(tmp_path, own):
    make_run(tmp_path, "old")
    make_run(tmp_path, "unfinished", model=False)
    other = make_run(tmp_path, "other", pairs=str(own))
    panel = ChoicePanel(tmp_path)
    assert panel.run_dir(is_finished=True).name == "old"
    panel.run.value = "other"
    assert panel.choice == Choice(pairs=str(own), run="other") and panel.run_dir() == other
    panel.source.value = ""
    assert panel.choice == Choice(), "another choice of pairs asks for their newest run"
    panel.run.value = panel.start.value = "other"
    (other / "config.json").write_text("{")
    assert ChoicePanel(tmp_path).choice == Choice(pairs=str(own)), "its settings cannot be read"
    shutil.rmtree(other)
    assert ChoicePanel(tmp_path).choice == Choice(pairs=str(own))


def test_a_tuned_model_is_trained_further(world, tmp_path):
    _, config = world
    run_dir = make_run(tmp_path, "first", template="alpaca-newline", model=False)
    shutil.copytree(config.model_name_or_path, run_dir / "model")
    panel = ChoicePanel(tmp_path)
    panel.start.value = "first"
    later = ChoicePanel(tmp_path).config('{"seed": 7}')
    assert later.model_name_or_path == str(run_dir / "model") and later.seed == 7
    assert later.template == "alpaca-newline", "a model answers to the prompt that it was trained with"
    assert ChoicePanel(tmp_path).config('{"template": "chat"}').template == "chat"
    assert artifacts.tokens_dir(tmp_path, later) != artifacts.tokens_dir(tmp_path, TINY)
    further = make_run(tmp_path, "second", **{**vars(later), "preset": "tiny"})
    assert model_pool.choices(further)["base"] == str(run_dir / "model")
    assert folders.continuing(tmp_path, run_dir) == ["second"] and folders.continuing(tmp_path, further) == []


@pytest.mark.slow
def test_a_release_says_that_its_base_is_the_tuned_model_of_a_run(world, tokenizer):
    data_dir, config = world
    first = finished_run(world, "first", num_train_epochs=0.5)
    further = config.with_changes(model_name_or_path=str(first / "model"))
    dataset.prepare(data_dir, further, tokenizer)
    run_dir = finished_run(world, "second", model_name_or_path=further.model_name_or_path, num_train_epochs=0.5)
    with copied_exports():
        folder, message = build.attempt(run_dir, data_dir)
        assert folder is None and "State it as base_license" in message, "the pairs of the first run count as well"
        folder, _ = build.build(run_dir, data_dir, STATEMENTS)
    assert "the tuned model of the run first" in build.card_of(folder)
    ends, starts = (metrics.eval_lines(metrics.read(path)) for path in (first, run_dir))
    assert starts[0]["eval_loss"] == pytest.approx(ends[-1]["eval_loss"], abs=1e-6)
    found = ledger.read(folder)
    assert found["hashes"]["base"] == loading.identity(further) and str(data_dir) not in json.dumps(found)
    with pytest.raises(UserError, match="made from 'the tuned model of the run first' of another machine.*--base"):
        reproduce.settings(found, pairs_file=config.pairs)
    for path in (first, run_dir):
        shutil.rmtree(path)
