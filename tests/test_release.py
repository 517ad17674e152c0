"""The release of a small run: card, ledger and licences, with a stand-in for the exports; and the run made again."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from support.payloads import PAYLOADS
from support.releases import STATEMENTS, copied_exports, finished_run
from utils import artifacts, files
from utils.config import RunConfig
from utils.data import secrets
from utils.errors import UserError
from utils.evaluation import measure
from utils.model import generation, loading
from utils.release import __main__ as command
from utils.release import build, card, ledger, metadata, reproduce, run_facts, tables
from utils.release.licences import required
from utils.runs import launch, metrics
from utils.tokens.prompts import encode_prompts, format_prompt
from utils.training.distributed import Ranks
from utils.training.trainer import Training
from utils.widgets.release_form import ReleaseForm, rendered


@pytest.fixture(scope="module")
def run_dir(world):
    run_dir = finished_run(world, "released")
    yield run_dir
    shutil.rmtree(run_dir)
    shutil.rmtree(world[0] / "licences")


@pytest.fixture
def copied(run_dir, tmp_path):
    """A copy of the data folder with the run, to be changed."""
    data_dir = tmp_path / "data"
    for part in ("pairs", "tokens", "licences", "runs/released"):
        ignored = shutil.ignore_patterns("release", "statements.json")
        shutil.copytree(run_dir.parents[1] / part, data_dir / part, ignore=ignored)
    return data_dir / "runs" / "released"


@pytest.fixture(scope="module")
def release(run_dir):
    with copied_exports():
        folder, was_current = build.build(run_dir, run_dir.parents[1], STATEMENTS)
    assert not was_current
    return folder


@pytest.fixture(scope="module")
def facts(run_dir):
    return run_facts.read(run_dir, run_dir.parents[1])


# The metadata of a card, after the hub's documentation (modelcard.md and model-cards.md of hub-docs): every field that
# may be there, with what it must be.
LICENSES = {"apache-2.0", "mit", "bigcode-openrail-m", "other"}
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


def texts(value) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) and item for item in value)


SCHEMA = {
    "license": lambda value: value in LICENSES,
    "license_name": lambda value: re.fullmatch(r"[a-z0-9][a-z0-9.-]*", value),
    "license_link": lambda value: value == "LICENSE" or value.startswith("https://"),
    "library_name": lambda value: value == "transformers",
    "pipeline_tag": lambda value: value == "text-generation",
    "tags": texts,
    "language": lambda value: texts(value) and all(re.fullmatch(r"[a-z]{2,3}(-\w+)*", code) for code in value),
    "datasets": lambda value: texts(value) and all(HUB_ID.fullmatch(name) for name in value),
    "base_model": lambda value: HUB_ID.fullmatch(value) and "/" in value,
    "base_model_relation": lambda value: value in {"adapter", "finetune", "merge", "quantized"},
    "base_model_revision": lambda value: re.fullmatch(r"[0-9a-f]{40}", value),
}
REQUIRED = {"license", "library_name", "pipeline_tag", "tags"}


def faults(data: dict) -> list[str]:
    wrong = [name for name, value in data.items() if name not in SCHEMA or not SCHEMA[name](value)]
    is_named = "license_name" in data
    if (data.get("license") == "other") != is_named or ("license_link" in data and not is_named):
        wrong.append("other licences alone have a name, and a link")
    return wrong + sorted(REQUIRED - data.keys())


@pytest.mark.parametrize(
    "base, source, stated, expected",
    [
        ("", "some.jsonl", {}, {"license": "mit"}),
        ("", "some.jsonl", {"base_license": "My Terms 1.0", "language": "de, en-GB"},
         {"license": "other", "license_name": "my-terms-1.0", "language": ["de", "en-GB"]}),
        ("bigcode/starcoder", "gpteacher-codegen", {"base_license": "bigcode-openrail-m"},
         {"license": "bigcode-openrail-m", "base_model": "bigcode/starcoder", "language": ["en"],
          "datasets": ["teknium1/GPTeacher-codegen"], "base_model_revision": "0" * 40}),
        ("", "a/b@" + "1" * 40, {}, {"datasets": ["a/b"]}),
    ],
)  # fmt: skip
def test_the_metadata_is_as_the_hub_documents_it(facts, base, source, stated, expected):
    pairs = facts.pairs | {"facts": facts.pairs["facts"] | {"source": source}}
    facts = replace(facts, pairs=pairs, **({"config": RunConfig(), "base_identity": "0" * 40} if base else {}))
    said = metadata.checked(STATEMENTS | stated)
    text = card.write(facts, said, required("", "not stated", said), missing=["LICENSE"])
    data = ModelCard(text).data.to_dict()
    assert "license_link" not in data and "gguf" not in data["tags"]  # there is no such file
    data = ModelCard(card.write(facts, said, required("", "not stated", said))).data.to_dict()
    assert faults(data) == [] and expected.items() <= data.items()


def test_a_release_is_whole_and_says_what_is_not_known(release, run_dir):
    names = {str(path.relative_to(release)) for path in release.rglob("*") if path.is_file()}
    assert names >= {"README.md", "ledger.json", "LICENSE", "manifest.json", "model.safetensors", "gguf/model-F16.gguf"}
    text = build.card_of(release)
    headings = re.findall(r"^##? (.+)$", text, re.MULTILINE)
    assert headings == ["released", "Model details", "Uses", "Attribution and other requirements", "Limitations",
                        "Training", "Evaluation", "Files", "Licence", "Citation"]  # fmt: skip
    last = metrics.train_lines(metrics.read(run_dir))[-1]
    losses = [line["eval_loss"] for line in metrics.eval_lines(metrics.read(run_dir))]
    for expected in (
        f"{last['total_tokens']:,}, ", f"{losses[0]:.3f} at the start, {losses[-1]:.3f} at the end",
        "38 trained on, of 40 kept of 40 read; 2 for validation", "0.01, cosine, warm-up 0.03",
        "### Intended use\n\nnot stated",
        "a@example.org", "written by me", "greedy ids: the same for 5 prompts; logits: at most 1e-3 \\| apart",
        "Its code was not judged by tests.", "\n- gguf\n",
    ):  # fmt: skip
        assert expected in text, expected
    sample = next(line for line in metrics.read(run_dir, metrics.SAMPLES) if line["step"] == last["step"])
    assert f"```\n{sample['answer']}\n```" in text and sample["prompt"] in text


def test_a_release_holds_no_path_of_this_machine_and_nothing_like_a_secret(release, world):
    for path in release.rglob("*"):
        if path.is_file() and path.suffix != ".safetensors":
            assert str(world[0].parent) not in path.read_text(), path.name
            assert [*secrets.find(path.read_text())] == [], path.name
    assert (release / "ledger.json").read_text().count(str(artifacts.ROOT)) == 0


def test_a_second_build_does_nothing_and_a_change_builds_again(copied):
    with copied_exports():

        def again(**stated):
            return build.build(copied, copied.parents[1], STATEMENTS | stated)[1]

        assert [again(), again(), again(contact="b"), again(contact="b")] == [False, True, False, True]
        (copied / "release" / "gguf" / "model-F16.gguf").write_text("damaged")
        assert not again(contact="b")


@pytest.mark.parametrize("error", [UserError("no space"), OSError(28, "No space left on device")])
def test_a_failed_build_leaves_the_release_as_it_was(copied, error):
    with copied_exports(error), pytest.raises(UserError):
        build.build(copied, copied.parents[1], STATEMENTS)
    assert not (copied / "release").exists() and not list(copied.glob(".release*"))


def test_what_cannot_be_released_is_refused_with_what_to_do(copied, new_run, world):
    data_dir = copied.parents[1]

    def refused(message, **stated):
        with copied_exports(), pytest.raises(UserError, match=message) as caught:
            build.build(copied, data_dir, STATEMENTS | stated)
        assert not (copied / "release").exists()
        return caught.value.field

    assert refused("the licence of some.jsonl is not known", data_license="") == "data_license"
    assert refused("repository must be OWNER/NAME", repository="../x") == "repository"
    assert refused("unknown statement 'contct'. Did you mean 'contact'", contct="a") == ""
    (copied / "model").rename(copied / "model.aside")
    refused("only a finished run can be released. Train it to its end")
    (copied / "model.aside").rename(copied / "model")
    pairs_dir = artifacts.pairs_dir(data_dir, world[1].pairs)
    with open(pairs_dir / "train.jsonl", "a") as file:
        file.write("\n")
    refused("changed since released was trained")
    shutil.copyfile(artifacts.pairs_dir(*[world[0], world[1].pairs]) / "train.jsonl", pairs_dir / "train.jsonl")
    manifest = files.read_json(copied / "manifest.json")
    files.write_json(copied / "manifest.json", manifest | {"base": "0" * 64})
    refused("is not the one that released began with")
    files.write_json(copied / "manifest.json", manifest | {"inputs": {}})
    refused("so what it was trained on is not known")
    files.write_json(copied / "manifest.json", manifest | {"environments": [{"code": 1}]})
    refused("environments .* must be of type|must be of type")


def test_a_run_records_every_environment_it_was_made_in(world, new_run, monkeypatch):
    run_dir = new_run("environments")
    Training(run_dir, world[1], Ranks())
    Training(run_dir, world[1], Ranks())
    (first,) = artifacts.read_manifest(run_dir)["environments"]
    assert first["num_processes"] == 1 and first["packages"]["torch"] and len(first["code"]) == 64
    monkeypatch.setattr("utils.runs.environment.versions", lambda: {"torch": "0.1"})
    Training(run_dir, world[1], Ranks())
    _, second = artifacts.read_manifest(run_dir)["environments"]
    assert second["packages"] == {"torch": "0.1"}


def test_the_ledger_compares_with_the_published_recipe(facts):
    lines = {line.what: line for line in ledger.recipe(facts)}
    assert (lines["learning_rate"].published, lines["learning_rate"].status) == ("2e-5", "stated")
    assert (lines["train_batch_size"].status, lines["train_batch_size"].verdict) == ("assumed", "different")
    assert lines["template"].verdict == lines["lr_scheduler_type"].verdict == "same"
    assert lines["number of pairs"].here == "38" and lines["training time"].published == "5 hours"
    assert {line.verdict for line in lines.values()} == {"same", "different"}
    assert all(line.meaning for line in lines.values() if line.verdict == "different" and line.what != "training time")
    assert re.fullmatch(r"\d+:\d\d:\d\d", lines["training time"].here)
    assert len(tables.recipe(list(lines.values()))) == len(lines) > 20


def test_what_an_older_run_did_not_record_is_not_known(facts):
    older = replace(
        facts, environments=[], base_identity="", train=[], config=facts.config.with_changes(num_processes=0)
    )
    verdicts = {line.what: line.verdict for line in ledger.recipe(older)}
    assert {verdicts[what] for what in ("parallelism", "hardware", "training time")} == {"not known"}
    text = card.write(older, metadata.checked(STATEMENTS), required("mit", "PSF-2.0"))
    assert "sha256 `not recorded`" in text and "**Tokens:** not recorded" in text


def test_evaluations_are_in_the_card_and_benchmarks_in_the_hubs_form(copied):
    for name, tasks in (("a", "humaneval"), ("b", "/home/somebody/mine.jsonl")):
        folder = copied / "evaluation" / name
        words = {"measure": "pass@1", "tasks": tasks, "base": "1.0 % (0.0 to 3.0)", "tuned": "12.5 % (8.0 to 17.0)"}
        files.make_folder(folder)
        files.write_json(folder / "result.json", words | {"comparison": "The tuned model is better."})
        files.write_json(folder / "settings.json", {"num_samples": 1, "temperature": 0.0})
        line = dict.fromkeys(("asked", "answer", "source", "result", "kind"), "") | {"facts": {}, "seconds": 0.1}
        sample = line | {"task_id": "t", "model": measure.TUNED, "index": 0, "passed": True}
        files.append_line(folder / "samples.jsonl", json.dumps(sample))
    files.make_folder(copied / "notebooks")
    (copied / "notebooks" / "06_evaluate.html").write_text("<p>the page")
    (copied / "notebooks" / "a page of mine.html").write_text("which no upload would take")
    with copied_exports():
        folder, _ = build.build(copied, copied.parents[1], STATEMENTS)
    (page,) = (folder / "pages").iterdir()
    assert page.name == "06_evaluate.html" and page.read_text() == "<p>the page"
    text = build.card_of(folder)
    assert "| humaneval (1) | pass@1 | 1.0 % (0.0 to 3.0) | 12.5 % (8.0 to 17.0) | The tuned model is better. |" in text
    assert "mine.jsonl (1)" in text and "somebody" not in text
    (result,) = (folder / ".eval_results").iterdir()
    assert result.name == "humaneval.yaml"
    assert "id: openai/openai_humaneval" in result.read_text() and "value: 12.5" in result.read_text()


@pytest.mark.slow
def test_the_program_in_the_card_runs_with_transformers_alone(release):
    instruction = "Number 3: say it 3 times."  # to which this model writes something
    (program,) = re.findall(r"```python\n(.*?)\n```", build.card_of(release), re.DOTALL)
    program = program.replace(repr(card.INSTRUCTION), repr(instruction))
    program += "\nimport importlib.util\nassert importlib.util.find_spec('utils') is None"
    result = subprocess.run(
        [sys.executable, "-I", "-c", program], cwd=release, capture_output=True, text=True, timeout=150
    )
    assert result.returncode == 0, result.stderr
    model, tokenizer = loading.load(str(release))
    rows = encode_prompts([format_prompt(instruction)], tokenizer)
    (ours,) = generation.generate_rows(model, tokenizer, rows, generation.GenerationSettings(max_new_tokens=128))
    assert result.stdout.strip() == ours.text.strip() != ""


@pytest.mark.parametrize("template", ["alpaca", "alpaca-newline"])
def test_the_prompt_in_the_card_is_that_of_the_training(template):
    program = re.search(r"^instruction = .*^\)$", card.program(template), re.DOTALL | re.MULTILINE)[0]
    names = {}
    exec(program, names)
    expected = format_prompt(names["instruction"], "", template)
    assert names["prompt"].format(instruction=names["instruction"]) == expected


TAGS = {"div", "pre", "code", "span", "p", "h1", "h2", "h3", "ul", "li", "strong", "em", "blockquote", "table",
        "thead", "tbody", "tr", "th", "td", "a"}  # fmt: skip


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.faults = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        hostile = [name for name, value in attrs if name.startswith("on") or "javascript:" in (value or "").lower()]
        loads = [name for name, _ in attrs if name in ("src", "srcset", "data", "srcdoc")]
        if tag not in TAGS or hostile or loads:
            self.faults.append((tag, attrs))


def test_a_hostile_run_shows_no_more_than_letters(copied):
    texts = [*PAYLOADS, "![a](http://payload.invalid/)", "[a](javascript:window.pwned=1)", "```\n<b>out</b>\n````\n<i>"]
    (*lines,) = (json.loads(line) for line in (copied / "samples.jsonl").read_text().splitlines())
    hostile = "\n".join([*texts, "hf_" + "b" * 30])
    for line in lines:
        line |= {"prompt": hostile, "answer": hostile, "reason": hostile[:500]}
    files.write_text(copied / "samples.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    said = dict.fromkeys(("title", "author", "contact", "intended_use", "out_of_scope"), hostile[:4000]) | STATEMENTS
    text = build.preview(run_facts.read(copied, copied.parents[1]), copied.parents[1], said)
    assert Page(rendered(text)).faults == [] and "b" * 30 not in text
    # Nor does a card that somebody has written by hand.
    assert Page(rendered("\n\n".join(texts))).faults == []
    assert Page("<img src=x>").faults and Page("<p onclick=x>").faults


def replaced(value, new):
    """Copies of a value from JSON, in each of which another part, at any depth, is another value."""
    yield new
    for key in value if isinstance(value, dict) else range(min(2, len(value))) if isinstance(value, list) else ():
        for part in replaced(value[key], new):
            yield {**value, key: part} if isinstance(value, dict) else [*value[:key], part, *value[key + 1 :]]


def test_any_value_in_a_runs_files_is_refused_or_shown(copied, monkeypatch):
    data_dir = copied.parents[1]
    config = RunConfig.load(copied / "config.json")
    pairs_dir, tokens_dir = artifacts.pairs_dir(data_dir, config.pairs), artifacts.tokens_dir(data_dir, config)
    monkeypatch.setattr(artifacts, "changed_files", lambda folder: [])  # which hashes, and would refuse nearly all
    fingerprint = loading.fingerprint(RunConfig.load(copied / "config.json"))
    monkeypatch.setattr(loading, "fingerprint", lambda config: fingerprint)
    lines = {}
    for name in ("metrics.jsonl", "samples.jsonl"):
        *lines[copied / name], last = (copied / name).read_text().splitlines()
        files.write_text(copied / name, last)
    shown = []
    for path in (*(folder / "manifest.json" for folder in (copied, pairs_dir, tokens_dir)),
                 copied / "model" / "config.json", *lines):  # fmt: skip
        original = path.read_text()
        for new in ("\ud800<script>|", []):
            for changed in replaced(json.loads(original), new):
                path.write_text("\n".join([*lines.get(path, []), json.dumps(changed)]) + "\n")
                try:
                    facts = run_facts.read(copied, data_dir)
                    text = build.preview(facts, data_dir, STATEMENTS)
                    json.dumps(ledger.record(facts, {})).encode()
                except UserError:
                    shown.append(False)
                    continue
                shown.append(True)
                if new:
                    table = tables.recipe(ledger.recipe(facts)).to_html()
                    assert Page(rendered(text)).faults == [] and "<script" not in table
        path.write_text(original)
    assert 0.2 < sum(shown) / len(shown) < 0.9  # neither all of them, nor none


def test_no_credential_of_a_statement_is_written(facts):
    said = STATEMENTS | {"contact": "hf_" + "a" * 30, "intended_use": "https://me:secret@example.org"}
    assert "secret" not in repr(metadata.checked(said))
    text = build.preview(facts, facts.run_dir.parents[1], said)
    assert "hf\\_\\*\\*\\*" in text and "secret" not in text


def test_the_form_saves_statements_and_names_what_is_missing(copied):
    facts = run_facts.read(copied, copied.parents[1])
    form = ReleaseForm(facts, copied.parents[1])
    assert "the licence of the base model is not known" in form.message.value
    assert "<h1>released</h1>" in form.preview.value.replace(' id="released"', "")
    for name in ("base_license", "data_license", "contact"):
        form.fields[name].value = STATEMENTS[name]
    assert form.message.value == "" and "a@example.org" in form.preview.value
    assert build.statements_of(copied)["contact"] == "a@example.org"
    assert ReleaseForm(facts, copied.parents[1]).fields["contact"].value == "a@example.org"
    form.fields["repository"].value = "no"
    assert "repository must be OWNER/NAME" in form.message.value
    files.write_json(copied / "statements.json", {"contact": 1})
    with pytest.raises(UserError, match="must be of type str"):
        build.statements_of(copied)


def test_an_attempt_says_which_statement_is_missing(copied):
    with copied_exports():
        folder, message = build.attempt(copied, copied.parents[1])
        assert folder is None and "State it as base_license" in message and len(tables.exports(folder)) == 0
        files.write_json(copied / "statements.json", STATEMENTS)
        folder, message = build.attempt(copied, copied.parents[1])
        assert message.endswith("was built") and list(tables.exports(folder).index)[0] == "model.safetensors"
    assert list(tables.upload([("README.md", 2**20), ("LICENSE", 1)])["bytes"]) == ["1,048,576", "1", "1,048,577"]


@pytest.fixture
def started(monkeypatch):
    """What is started is recorded instead."""
    runs = []
    monkeypatch.setattr(launch, "start", lambda run_dir, config: runs.append((run_dir, config)) or config.save(run_dir))
    monkeypatch.setattr(RunConfig, "save", lambda self, path: None)
    return runs


def test_the_same_run_is_started_again_from_a_release(release, world, started, tmp_path):
    _, config = world
    data_dir = tmp_path / "elsewhere"
    run_dir, differences = reproduce.reproduce(release, data_dir, config.model_name_or_path, config.pairs)
    ((started_dir, again),) = started
    assert run_dir == started_dir
    assert again == config and run_dir.parent == data_dir / "runs" and differences == []
    made, before = (artifacts.read_manifest(artifacts.tokens_dir(folder, config)) for folder in (data_dir, world[0]))
    assert made["files"] == before["files"]


def test_other_data_or_another_base_is_not_reproduced(release, world, started, tmp_path):
    _, config = world
    data_dir, model, pairs_file = tmp_path / "data", tmp_path / "model", tmp_path / "some.jsonl"

    def refused(message, base=config.model_name_or_path, pairs_file=config.pairs):
        with pytest.raises(UserError, match=message):
            reproduce.reproduce(release, data_dir, str(base), str(pairs_file))
        assert started == []

    refused("say where it is here with --pairs", pairs_file="")
    refused("say where it is here with --base", base="")
    shutil.copytree(config.model_name_or_path, model)
    with open(model / "config.json", "a") as file:
        file.write("\n")
    refused("the base model in .* is not that of the release", base=model)
    pairs_file.write_text(Path(config.pairs).read_text().replace("Number 1:", "Number one:"))
    refused("train.jsonl of the pairs in .* is not that of the release", pairs_file=pairs_file)


def test_a_hostile_ledger_names_no_folder_and_no_tracker(release, world):
    found = ledger.read(release)
    found["settings"] |= {"preset": "../../x", "report_to": "wandb", "eval_tasks": "/etc/x.jsonl"}
    config = reproduce.settings(found, world[1].model_name_or_path, world[1].pairs)
    assert (config.preset, config.report_to, config.eval_tasks) == ("x", "", "")
    found["environments"][-1]["num_processes"] = 10**6
    assert reproduce.settings(found, world[1].model_name_or_path, world[1].pairs).num_processes <= os.cpu_count()
    for name in ("../x", "/x", "~/x", "a/../b"):
        found["settings"]["model_name_or_path"] = name
        with pytest.raises(UserError, match="say where it is here with --base"):
            reproduce.settings(found, "", world[1].pairs)
    for change, message in (
        ({"hashes": {}}, "must be of type"),
        ({"version": 2}, "version 2"),
        ({"recipe": 1}, "recipe"),
    ):
        path = release.parent / "hostile"
        files.make_folder(path)
        files.write_json(path / "ledger.json", found | change)
        with pytest.raises(UserError, match=message):
            ledger.read(path)


def test_differences_of_packages_and_code_are_named(release, monkeypatch):
    found = ledger.read(release)
    assert reproduce.differences(found) == []
    found["environments"][-1] |= {"code": "0", "commit": "c" * 40, "packages": {"torch": "0.1", "nothing": "1"}}
    first, second, third = reproduce.differences(found)
    assert "check out ccc" in first and second.startswith("torch was 0.1, here 2.") and "not installed" in third
    assert "does not say" in reproduce.differences(found | {"environments": []})[0]


def test_the_commands(run_dir, release, world, started, capsys):
    data = ["--data", str(world[0])]
    with copied_exports():
        files.write_json(run_dir / "statements.json", STATEMENTS)
        assert command.main(["build", "released", *data]) == 0
        assert command.main(["build", str(run_dir), *data]) == 0
    assert capsys.readouterr().out.count("release was up to date") == 2
    with copied_exports():
        assert command.main(["build", "released", *data, "--formats"]) == 0  # without GGUF, and back
        assert command.main(["build", "released", *data, "--formats", "F16", "Q8_0"]) == 0
    assert "up to date" not in capsys.readouterr().out
    assert command.main(["build", "missing", *data]) == 2
    config = world[1]
    arguments = [*data, "--base", config.model_name_or_path, "--pairs", config.pairs]
    found = files.read_json(release / "ledger.json")
    found["environments"][-1]["packages"]["\x1b[2J"] = "\x1b]0;title\x07"
    files.write_json(release / "ledger.json", found)
    assert command.main(["reproduce", str(release), *arguments]) == 0
    assert "\\x1b[2J was " in (shown := capsys.readouterr().out) and "\x1b" not in shown
    assert command.main(["reproduce", str(run_dir), *arguments]) == 2
    assert "name the folder of a release" in capsys.readouterr().err
