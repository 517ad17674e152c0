"""Stage folders: whole or not at all, up to date or said to be stale; runs are never overwritten."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from utils import artifacts
from utils.config import RunConfig
from utils.data import pairs
from utils.errors import UserError
from utils.runs import folders

CONFIG = RunConfig.from_preset("tiny")


def test_a_stage_that_fails_leaves_the_folder_as_it_was(tmp_path):
    folder = tmp_path / "stage"
    with artifacts.building(folder, {"source": "1"}, {}) as building:
        (building / "rows").write_text("old")
    with pytest.raises(RuntimeError), artifacts.building(folder, {"source": "2"}, {}) as building:
        (building / "rows").write_text("half")
        raise RuntimeError
    assert (folder / "rows").read_text() == "old"
    assert artifacts.read_manifest(folder)["inputs"] == {"source": "1"}
    assert [path.name for path in tmp_path.iterdir()] == ["stage"]


def test_two_builders_of_one_folder_take_turns_and_both_leave_it_whole(tmp_path):
    folder = tmp_path / "stage"

    def build(text):
        with artifacts.building(folder, {"by": text}, {}) as building:
            for number in range(20):
                (building / f"{number}").write_text(text)

    (tmp_path / ".stage.tmp").mkdir()
    (tmp_path / ".stage.tmp" / "left").touch()  # by a process that was killed
    for _ in range(20):
        with ThreadPoolExecutor() as threads:
            list(threads.map(build, "abc"))
        inputs = artifacts.read_manifest(folder)["inputs"]
        assert artifacts.is_current(folder, inputs) and len(list(folder.iterdir())) == 21
        assert {(folder / f"{number}").read_text() for number in range(20)} == {inputs["by"]}
    assert os.listdir(tmp_path) == ["stage"]


def test_a_changed_file_in_a_folder_of_a_stage_is_noticed(tmp_path):
    folder = tmp_path / "stage"
    with artifacts.building(folder, {}, {}) as building:
        (building / "gguf").mkdir()
        (building / "gguf" / "weights").write_text("whole")
    assert artifacts.is_current(folder, {})
    (folder / "gguf" / "weights").write_text("other")
    assert artifacts.changed_files(folder) == ["gguf/weights"]


@pytest.mark.parametrize("kind", ["notes", "file", "link", "dangling link"])
def test_what_was_not_made_here_is_not_replaced(tmp_path, kind):
    folder, other = tmp_path / "stage", tmp_path / "other"
    other.mkdir()
    {
        "notes": lambda: (folder.mkdir(), (folder / "notes").touch()),
        "file": folder.touch,
        "link": lambda: folder.symlink_to(other),
        "dangling link": lambda: folder.symlink_to("nowhere"),
    }[kind]()
    message = "was not made by this workbook. Move it away"
    with pytest.raises(UserError, match=message), artifacts.building(folder, {}, {}):
        pass
    assert other.is_dir() and (folder.is_symlink() or folder.is_file() or (folder / "notes").exists())
    assert sorted(os.listdir(tmp_path)) == ["other", "stage"]


def test_a_missing_stage_names_the_notebook_to_run_and_a_stale_one_its_inputs(tmp_path):
    folder = tmp_path / "stage"
    with pytest.raises(UserError, match="is missing, or .* Run notebook 01_data first"):
        artifacts.require(folder, "01_data")
    with artifacts.building(folder, {"source": "1", "code": "a"}, {"num_rows": 3}):
        pass
    assert artifacts.require(folder, "01_data")["facts"] == {"num_rows": 3}
    assert artifacts.stale_inputs(folder, {"source": "2", "code": "a"}) == ["source"]


def test_a_run_is_found_again_by_its_settings_and_never_shared(tmp_path):
    first = folders.choose_run(tmp_path, CONFIG)
    assert first.name == "tiny-python-stdlib"
    first.mkdir(parents=True)
    CONFIG.save(first / "config.json")
    assert folders.choose_run(tmp_path, CONFIG) == first
    assert folders.choose_run(tmp_path, CONFIG.with_changes(num_processes=2)) == first
    other = folders.choose_run(tmp_path, CONFIG.with_changes(seed=1))
    assert other.name == "tiny-python-stdlib-2" == folders.choose_run(tmp_path, CONFIG, fresh=True).name
    assert folders.find_run(tmp_path, CONFIG) == first


def test_runs_are_counted_and_not_sorted_as_text(tmp_path):
    for number in ("", "-2", "-10"):
        (tmp_path / "runs" / f"tiny-python-stdlib{number}").mkdir(parents=True)
    (tmp_path / "runs" / "tiny-python-stdlib-mine").mkdir()
    assert folders.new_run_dir(tmp_path, CONFIG).name == "tiny-python-stdlib-11"


def test_files_and_models_of_one_name_share_no_folder(tmp_path):
    configs = []
    for name in "ab":
        (tmp_path / name / "model").mkdir(parents=True)
        (tmp_path / name / "train.jsonl").write_text(json.dumps({"instruction": name, "response": name}))
        paths = dict(pairs=str(tmp_path / name / "train.jsonl"), model_name_or_path=str(tmp_path / name / "model"))
        configs.append(RunConfig.from_preset("tiny", **paths))
        pairs.prepare(configs[-1].pairs, tmp_path)
    for of in (artifacts.tokens_dir, folders.new_run_dir, lambda data, config: artifacts.pairs_dir(data, config.pairs)):
        assert of(tmp_path, configs[0]) != of(tmp_path, configs[1])
    # A run made when folders had only the name of the file is still found by its settings.
    run_dir = tmp_path / "runs" / "tiny-train"
    run_dir.mkdir(parents=True)
    configs[0].save(run_dir / "config.json")
    assert folders.find_run(tmp_path, configs[0]) == folders.choose_run(tmp_path, configs[0]) == run_dir
    assert folders.choose_run(tmp_path, configs[1]).name.startswith("tiny-train-")
    with pytest.raises(UserError, match="there is no run"):
        folders.find_run(tmp_path, configs[1])


def test_a_run_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(UserError, match="Run notebook 03_train_fsdp first"):
        folders.find_run(tmp_path, CONFIG)
    with pytest.raises(UserError, match="no run mine"):
        folders.find_run(tmp_path, CONFIG, "mine")


@pytest.mark.parametrize(
    "name, expected",
    [
        ("bigcode/starcoder", "starcoder"),
        ("some/my pairs.jsonl", "my-pairs"),
        ("../..", "unnamed"),
        ("x.json", "x"),
        ("/a/X.JSONL.gz", "X-37fe0093"),
    ],
)
def test_a_name_becomes_a_folder(name, expected):
    assert artifacts.slug(name) == expected


def test_the_hash_of_code_covers_what_is_imported_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(artifacts, "ROOT", tmp_path)
    files = {
        "utils/stage.py": "from utils import used\nfrom utils.other import n\ndef late():\n  from utils import lazy\n",
        "utils/used.py": "from utils.deep import below\n",
        "utils/deep/below.py": "import json\nfrom utils import stage\n",  # a circle ends
        "utils/other.py": "n = 1\n",
        "utils/lazy.py": "",
        "utils/apart.py": "from utils import stage\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    before = artifacts.code_sha256("utils.stage")
    for name, text in files.items():
        (tmp_path / name).write_text(text + "# changed\n")
        assert (artifacts.code_sha256("utils.stage") != before) == (name != "utils/apart.py"), name
        (tmp_path / name).write_text(text)
