"""The form and the run's panel, without a page: what they refuse, keep, find again and ask before."""

import json

import pytest

from support.metric_lines import train_line
from utils import artifacts, files
from utils.advice import ADVICE
from utils.config import RunConfig
from utils.errors import UserError
from utils.planning import planner
from utils.runs import launch, metrics
from utils.widgets import plan_view, run_status, settings_form
from utils.widgets.html import alert, escape
from utils.widgets.run_panel import RunPanel
from utils.widgets.settings_form import SettingsForm


@pytest.fixture
def form(tmp_path):
    return SettingsForm(RunConfig.from_preset("tiny"), tmp_path)


def test_every_setting_has_a_field_with_its_help_and_what_the_recipe_has(form):
    assert form.config == RunConfig.from_preset("tiny")
    shown = {id(row.children[0]) for box in form.children[:-1] for row in rows_of(box)}
    assert {id(field) for field in form.inputs.values()} <= shown, "every field has its place in the form"
    assert set(ADVICE) == set(form.inputs)
    assert all(escape(advice.rpartition("`")[2]) in form.notes[name].value for name, advice in ADVICE.items())
    assert "The recipe's value: 2e-5 <i>(model card)" in form.notes["learning_rate"].value
    form.inputs["learning_rate"].value = "2e-5"
    assert "<b>Changed</b>, was 0.0003. The recipe's value <i>" in form.notes["learning_rate"].value


def rows_of(box):
    children = getattr(box, "children", ())
    if children and not hasattr(children[0], "children"):
        return [box]
    return [row for child in children for row in rows_of(child)]


@pytest.mark.parametrize(
    ("name", "typed", "message"),
    [
        ("learning_rate", "fast", "learning_rate must be a number, got 'fast'"),
        ("learning_rate", "7", "between 0.0 and 1.0, got 7.0"),
        ("learning_rate", "0,003", "write decimals with a point, and a space after each comma, got '0,003'"),
        ("learning_rate", "1e-4, fast", "learning_rate must be a number, got 'fast'"),
        ("learning_rate", "1e-4, 7", "between 0.0 and 1.0, got 7.0"),
        ("learning_rate", "1e-5 to 1e-3", "a range such as `1 to 9, 4 draws`; got '1e-5 to 1e-3'"),
        ("max_eval_samples", "64, 128", "max_eval_samples takes one value, also in a sweep; got '64, 128'"),
        ("num_train_epochs", "0", "between 0.001 and 10000.0 epochs, got 0.0"),
        ("num_train_epochs", "1e9", "between 0.001 and 10000.0 epochs, got 1000000000.0"),
        ("train_batch_size", "1.5", "must be a whole number, got 1.5"),
        ("max_length", "", "must be a whole number, got ''"),
        ("tokens_per_device", "9", "tokens_per_device must be at least max_length"),
    ],
)
def test_a_wrong_value_is_refused_beside_its_field_and_reaches_nobody(form, name, typed, message):
    told = []
    form.on_change(told.append)
    form.inputs[name].value = typed
    assert 'role="alert"' in form.notes[name].value and escape(message) in form.notes[name].value
    assert told[0].preset == "tiny" and told[1:] == [None], "the settings at the start, then that they are refused"
    is_folded = name not in settings_form.FIRST
    assert (form.sections.selected_index is not None) == is_folded, "its section is open"
    with pytest.raises(UserError):
        form.config  # noqa: B018


def test_a_refused_value_holds_back_plan_and_start_until_it_is_corrected(form, tmp_path):
    plan, panel = plan_view.PlanView(None), RunPanel(tmp_path, form.config)
    form.on_change(lambda config: plan.show(config and planner.plan(config, tmp_path)))
    form.on_change(panel.choose)
    assert "It fits" in plan.value and not panel.start_button.disabled
    form.inputs["learning_rate"].value = "7"
    assert "No plan" in plan.value and panel.start_button.disabled
    assert "A setting above is not allowed" in panel.state.value
    with pytest.raises(UserError, match="A setting above is not allowed"):
        panel.start()
    form.inputs["learning_rate"].value = "0.003"
    assert "It fits" in plan.value and not panel.start_button.disabled
    form.inputs["tokens_per_device"].value = form.inputs["max_length"].value = "5000"  # the model's limit is lower
    assert "No plan" in plan.value and panel.start_button.disabled
    note = form.notes["max_length"]
    assert "the context of the model has" in note.value and 'role="alert"' in note.value
    form.inputs["max_length"].value = "400"
    assert "It fits" in plan.value and 'role="alert"' not in note.value


def test_several_values_in_fields_are_a_sweep_and_not_a_run(form, tmp_path):
    panel = RunPanel(tmp_path, form.config)
    form.on_change(lambda config: panel.choose(config, form.several))
    form.inputs["learning_rate"].value, form.inputs["seed"].value = "1e-4, 3e-4", "1 to 9, 4 draws"
    assert form.several == {"learning_rate": "1e-4, 3e-4", "seed": "1 to 9, 4 draws"}
    assert (form.config.learning_rate, form.config.seed) == (1e-4, 1)
    assert all(settings_form.SEVERAL in form.notes[name].value for name in form.several)
    assert panel.start_button.disabled and "Several values of learning_rate and seed" in panel.state.value
    form.path.value = str(tmp_path / "mine.json")
    form.save_button.click()
    assert "has one value of learning_rate and seed" in form.message.value
    again = SettingsForm(RunConfig.from_preset("tiny"), tmp_path)
    assert again.several == form.several, "also after a restart of the kernel"
    form.inputs["weight_decay"].value = "0 to 1, 5 draws"
    assert "give all of them the same number of draws" in form.message.value
    form.show(RunConfig.from_preset("tiny"))
    assert form.several == {} and not panel.start_button.disabled


def test_a_model_of_the_hub_is_asked_for_with_a_sign(form):
    seen, note = [], form.notes["model_name_or_path"]
    form.on_change(lambda config: seen.append(note.value))
    form.inputs["model_name_or_path"].value = "owner/model"
    assert seen[0] != settings_form.ASKING and seen[1:] == [settings_form.ASKING] and "<b>Changed</b>" in note.value


def test_a_text_of_digits_stays_text(form):
    form.inputs["revision"].value = "123"
    assert form.config.revision == "123"


def test_what_was_typed_comes_back_but_not_under_other_settings(form, tmp_path):
    form.inputs["seed"].value = "7"
    again = SettingsForm(RunConfig.from_preset("tiny"), tmp_path)
    assert again.config.seed == 7 and "Changed</b>, was 42." in again.notes["seed"].value
    again.reset_button.click()
    assert again.config.seed == 42
    form.inputs["seed"].value = "8"
    assert SettingsForm(RunConfig.from_preset("tiny", learning_rate=0.5), tmp_path).config.seed == 42
    assert SettingsForm(RunConfig.from_preset("tiny"), tmp_path, keep=False).config.seed == 42


def test_settings_are_loaded_and_saved_and_no_file_is_overwritten(form, tmp_path):
    form.inputs["preset"].value = "starcoder"
    assert form.config == RunConfig.from_preset("starcoder")
    form.path.value = str(tmp_path / "mine.json")
    form.save_button.click()
    form.inputs["preset"].value = "tiny"
    form.save_button.click()
    assert "exists and is not overwritten" in form.message.value
    form.load_button.click()
    assert form.config == RunConfig.from_preset("starcoder")
    (tmp_path / "mine.json").write_text('{"lerning_rate": 1}')
    form.load_button.click()
    assert "Did you mean &#x27;learning_rate&#x27;" in form.message.value


def test_the_preset_of_an_older_run_is_shown_and_kept(form, tmp_path):
    older = vars(RunConfig.from_preset("tiny")) | {"preset": "laptop", "seed": 7}
    files.write_json(tmp_path / "older.json", older)
    form.path.value = str(tmp_path / "older.json")
    form.load_button.click()
    assert "Loaded from" in form.message.value and vars(form.config) == older
    form.inputs["preset"].value = "starcoder"
    form.inputs["preset"].value = "laptop"
    assert form.config.preset == "laptop"
    draft = {"start": vars(RunConfig.from_preset("tiny")), "config": older, "several": {}}
    files.write_json(tmp_path / "runs" / "draft.json", draft)
    assert vars(SettingsForm(RunConfig.from_preset("tiny"), tmp_path).config) == older


def test_a_long_message_is_cut():
    assert len(alert("x" * 10**6)) < 11_000


def test_what_the_form_keeps_is_the_users_alone(form, tmp_path):
    tmp_path.chmod(0o755)
    form.inputs["seed"].value = "7"
    form.path.value = str(tmp_path / "mine.json")
    form.save_button.click()
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert modes == {"runs": 0o700, "draft.json": 0o600, "mine.json": 0o600}


def made_run(data_dir, config, name="one", outcome="stopped"):
    run_dir = data_dir / "runs" / name
    run_dir.mkdir(parents=True)
    config.save(run_dir / "config.json")
    files.write_json(run_dir / "outcome.json", {"outcome": outcome, "reason": "<b>no</b> memory"})
    files.write_json(run_dir / artifacts.MANIFEST, {"inputs": {}, "facts": {"num_updates": 10}})
    metrics.append(run_dir, train_line(1))
    sample = dict(step=0, row=3, prompt="<script>", response="b", answer="<img src=x onerror=alert(1)>", reason="limit")
    metrics.append(run_dir, sample, metrics.SAMPLES)
    return run_dir


def test_the_panel_shows_a_run_and_escapes_what_its_model_wrote(tmp_path):
    config = RunConfig.from_preset("tiny", pairs="python-stdlib", num_processes=1)
    made_run(tmp_path, config, "tiny-python-stdlib", outcome="failed")
    panel = RunPanel(tmp_path, config)
    assert "failed" in panel.state.value and "&lt;b&gt;no&lt;/b&gt; memory" in panel.state.value
    assert panel.start_button.description == "Resume" and panel.stop_button.disabled
    assert "&lt;img src=x" in panel.sample.value and "<img src=x" not in panel.sample.value
    assert "2.000 nats" in panel.numbers.value and "<img alt=" in panel.figure.value


@pytest.mark.slow
def test_a_run_is_removed_after_a_question_only(tmp_path):
    config = RunConfig.from_preset("tiny", pairs="python-stdlib", num_processes=1)
    run_dir = made_run(tmp_path, config, "tiny-python-stdlib")
    panel = RunPanel(tmp_path, config)
    panel.remove_button.click()
    assert "MiB? This cannot be undone" in panel.confirmation.question.value and run_dir.exists()
    panel.confirmation.no_button.click()
    assert panel.confirmation.layout.display == "none" and run_dir.exists()
    panel.remove_button.click()
    panel.confirmation.yes_button.click()
    assert not run_dir.exists() and "new: not started yet" in panel.state.value


@pytest.mark.slow
def test_other_settings_show_the_run_that_has_them_or_a_new_one(tmp_path):
    config = RunConfig.from_preset("tiny", pairs="python-stdlib", num_processes=1)
    made_run(tmp_path, config, "tiny-python-stdlib")
    panel = RunPanel(tmp_path, config)
    panel.choose(config.with_changes(seed=7))
    assert panel.run_dir.name == "tiny-python-stdlib-2" and panel.start_button.description == "Start training"
    assert "tiny-python-stdlib-2" in panel.command.value
    panel.choose(config)
    assert panel.run_dir.name == "tiny-python-stdlib"
    panel.list.value = str(tmp_path / "runs" / "tiny-python-stdlib-2")
    assert "not started yet" in panel.state.value
    assert RunPanel(tmp_path, config, run="by-name").run_dir.name == "by-name"


def test_a_new_run_in_the_list_does_not_take_the_place_of_the_one_that_is_shown(tmp_path):
    config = RunConfig.from_preset("tiny", pairs="python-stdlib", num_processes=1)
    panel = RunPanel(tmp_path, config)
    made_run(tmp_path, config, panel.run_dir.name)  # as Start training does
    panel._show_run()
    assert panel.run_dir.name == "tiny-python-stdlib" and "tiny-python-stdlib-2" in panel.list.options[0][0]
    assert panel.list.value == str(panel.run_dir) and "stopped" in panel.state.value


def test_what_cannot_start_says_why_in_the_panel(tmp_path):
    panel = RunPanel(tmp_path, RunConfig.from_preset("tiny", num_processes=1))
    panel.start_button.click()
    assert "Run notebook 02_alpaca_format first" in panel.message.value
    assert not panel.run_dir.exists()


def test_a_run_in_one_line(tmp_path):
    run_dir = made_run(tmp_path, RunConfig.from_preset("tiny"))
    assert run_status.status(run_dir) == "stopped · update 1 of 10 · training loss 2.000 · 100 tokens/s"
    assert json.loads((run_dir / "outcome.json").read_text())["outcome"] == launch.phase(run_dir)
