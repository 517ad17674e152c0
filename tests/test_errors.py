"""Messages hold no credentials, and what fails while writing ends in words and leaves nothing half-written."""

import errno
import fcntl
import logging
import os
import subprocess
import sys

import pytest

from support.metric_lines import train_line
from utils import files, pages
from utils.artifacts import ROOT
from utils.config import RunConfig
from utils.data import faults
from utils.errors import UserError, mask_logs, masked, short
from utils.model import loading
from utils.runs import launch, metrics
from utils.training import distributed
from utils.training.__main__ import main
from utils.training.distributed import report_failure
from utils.widgets.html import describe

SECRET = "s3cr3tVALUE0123456789"
HOLDING = (
    f"https://user:{SECRET}@host/x", f"https://{SECRET}@host", f"s3://a:p@{SECRET}@h/y", f"http://h/x?token={SECRET}&y=1",
    f"http://h/x?a=1&X-Amz-Signature={SECRET}", f"http://h/?a&amp;api_key={SECRET}", f"hf_{SECRET}",
    f"Authorization: Bearer {SECRET}", f"{{'authorization': 'Bearer {SECRET}'}}",
)  # fmt: skip


@pytest.mark.parametrize("text", HOLDING)
def test_no_message_log_page_or_setting_holds_credentials(text, tmp_path, capsys):
    assert SECRET not in masked(f"a {text} b") and masked(f"a {text} b").startswith("a ")
    assert SECRET not in str(UserError(text)) + describe(OSError(text))
    logger = logging.getLogger("huggingface_hub")
    for _ in range(2):
        mask_logs("huggingface_hub")
    logger.warning("failed: %s", text)
    try:
        raise RuntimeError(text)
    except RuntimeError as error:
        assert report_failure(tmp_path, error) == 1
    assert SECRET not in capsys.readouterr().err + (tmp_path / "outcome.json").read_text()
    (tmp_path / "train.log").write_text(text)
    assert SECRET not in launch.log_tail(tmp_path)
    with pytest.raises(UserError, match="model_name_or_path must not hold credentials") as error:
        RunConfig(model_name_or_path=text)
    assert SECRET not in str(error.value)
    with pytest.raises(UserError) as error:
        loading.load_tokenizer(text)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    "text", ["OWNER/NAME@0123abc", "https://huggingface.co/a@b", "a@b.c", "hf_model", "?x=1", "d/@/e"]
)
def test_what_holds_none_is_unchanged(text):
    assert masked(text) == text and RunConfig(pairs=text).pairs == text


def test_what_is_cut_is_masked_before():
    text = "x" * 60 + f"https://user:{SECRET}{'y' * 200}@host"
    assert "s3cr3t" not in short(text) + short({"a": [text]}) + faults.short(text) and "***" in short(text[50:])
    for overrides in (f'["{"x" * 150}{text}', text):
        with pytest.raises(UserError) as error:
            RunConfig.chosen("tiny", "", overrides)
        assert "s3cr3t" not in str(error.value)
    assert SECRET not in masked(f"no file /a/https:/user:{SECRET}@host/x.jsonl")


def test_a_page_of_make_run_holds_no_credentials():
    from nbformat import v4

    output = v4.new_output("stream", text=HOLDING[0])
    page = pages.to_html(v4.new_notebook(cells=[v4.new_code_cell("1", outputs=[output])]), "x")
    assert SECRET not in page and "***@host" in page


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 100_000, '{"a":' * 100_000, "1" + "0" * 5000, "null"])
def test_overrides_that_are_no_object_are_refused(text):
    with pytest.raises(UserError, match="OVERRIDES must be a JSON object"):
        RunConfig.chosen("tiny", "", text)


@pytest.mark.parametrize("name", ["self", "cls", "preset", "changes", "", "__init__"])
def test_no_name_of_an_override_is_an_argument_of_python(name):
    with pytest.raises(UserError):
        RunConfig.chosen("tiny", "", f'{{"{name}": 1}}')


@pytest.mark.parametrize(
    "value", ["[" * 400 + "]" * 400, "1" + "0" * 400, "-1" + "0" * 400, '"\\u0000"', '"\\ud800"', "{}"]
)
@pytest.mark.parametrize("field", ["learning_rate", "seed", "pairs", "reshard_after_forward"])
def test_no_value_of_an_override_is_a_traceback(field, value):
    with pytest.raises(UserError) as error:
        RunConfig.chosen("tiny", "", f'{{"{field}": {value}}}')
    assert field in str(error.value) and len(str(error.value)) < 300


# In a process of its own: the limit is also that of what pytest prints.
UNDER_A_LIMIT = """
import resource, sys
from pathlib import Path
sys.path.insert(0, "tests")
import pytest
from support.metric_lines import train_line
from utils import files
from utils.errors import UserError
from utils import artifacts
from utils.runs import metrics

folder = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
files.write_text(folder / "file", "old")
with pytest.raises(UserError, match=r"file cannot be opened or written: .*ulimit -f"):
    files.write_text(folder / "file", "x" * 5000)
with pytest.raises(UserError, match=r"metrics.jsonl cannot be opened or written: .*ulimit -f"):
    for step in range(1, 99):
        metrics.append(folder, train_line(step))
with pytest.raises(UserError, match=r"stage cannot be opened or written: .*ulimit -f"):
    with artifacts.building(folder / "stage", {}, {}) as building, open(building / "rows", "w") as rows:
        rows.write("x" * 5000)
"""


def test_a_limit_of_file_sizes_is_named_and_leaves_whole_lines_and_files(tmp_path):
    subprocess.run([sys.executable, "-c", UNDER_A_LIMIT, str(tmp_path)], cwd=ROOT, check=True)
    assert (tmp_path / "metrics.jsonl").read_bytes().endswith(b"}\n") and len(metrics.read(tmp_path)) > 10
    assert (tmp_path / "file").read_text() == "old" and len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.ESTALE])
def test_a_failed_write_says_what_to_do_and_leaves_nothing_behind(tmp_path, monkeypatch, number):
    files.append_line(tmp_path / "lines", "1")

    def failing(*_):
        raise OSError(number, os.strerror(number), str(tmp_path / "file"))

    monkeypatch.setattr("os.replace", failing)
    with pytest.raises(UserError, match="and try again"):
        files.write_text(tmp_path / "file", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["lines"]
    error = RuntimeError(f"I/O error: (os error {number})")
    assert "try again" in str(files.explained(error, tmp_path)), "of safetensors"
    assert files.explained(OSError(errno.EIO, "I/O"), tmp_path) is None, "a launcher may start again"


def test_storage_without_locks_is_named_where_a_run_is_started_or_trains(new_run, monkeypatch):
    run_dir = new_run("unlocked")

    def unsupported(*_):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    assert launch.state(run_dir) == "failed"
    for start in (main, lambda run_dir: launch.start(run_dir, RunConfig.load(run_dir / "config.json"))):
        with pytest.raises(UserError, match="cannot be locked .*a local disk"):
            start(run_dir)


@pytest.mark.parametrize("name", ["STOP", "outcome.json", "train.log", "start.lock", "config.json"])
def test_a_folder_in_the_place_of_a_file_is_named_at_the_start(tmp_path, name, monkeypatch):
    run_dir = tmp_path / "runs" / "a"
    (run_dir / name).mkdir(parents=True)
    monkeypatch.setattr(launch, "command", lambda *_: [sys.executable, "-c", ""])
    with pytest.raises(UserError, match=f"{name} is a folder"):
        launch.start(run_dir, RunConfig(num_processes=1))
    assert (run_dir / name).is_dir()


def test_training_names_a_stop_that_is_a_folder(new_run):
    run_dir = new_run("stopped-for-ever")
    (run_dir / "STOP").mkdir()
    with pytest.raises(UserError, match="STOP is a folder"):
        main(run_dir)
    with pytest.raises(UserError, match="STOP is a folder"):
        launch.stop(run_dir)


def test_a_run_removed_while_it_trains_ends_in_words_and_does_not_come_back(tmp_path, monkeypatch, capfd):
    run_dir, ended = tmp_path / "gone", []
    monkeypatch.setattr(distributed, "_end_launcher", lambda: ended.append(True))
    try:
        metrics.append(run_dir, train_line(1))
    except UserError as error:
        assert report_failure(run_dir, error) == 2
    assert ended and "its folder is gone" in capfd.readouterr().err and not run_dir.exists()
    assert "is gone" in launch.failure(run_dir)


def test_a_damaged_manifest_does_not_set_checkpoints_aside(new_run):
    run_dir = new_run("damaged")
    (run_dir / "checkpoints" / "step-00000001").mkdir(parents=True)
    (run_dir / "manifest.json").write_text("[]")
    with pytest.raises(UserError, match="manifest.json is missing or damaged"):
        main(run_dir)
    assert (run_dir / "checkpoints" / "step-00000001").is_dir()


@pytest.mark.slow
def test_no_library_speaks_while_the_trainer_is_imported():
    command = [sys.executable, "-c", "from utils import errors; import utils.training.trainer, torchao.optim"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=170)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_command_ends_without_a_traceback():
    program = "from utils.errors import run_command\ndef main():\n  {}\n  return 3\nrun_command(main)"
    for body, code in (("print('é')", 3), ("raise KeyboardInterrupt", 130), ("raise BrokenPipeError", 141)):
        command = [sys.executable, "-c", program.format(body)]
        environment = os.environ | {"PYTHONIOENCODING": "ascii"}
        result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert result.returncode == code and "Traceback" not in result.stderr
