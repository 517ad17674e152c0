"""Pushing a release: what is uploaded and what never is, and a hub that refuses, breaks off or holds something else."""

import json
import logging
import os
import subprocess
import sys
import types

import pytest
from huggingface_hub import constants
from huggingface_hub.utils import _http, disable_progress_bars, enable_progress_bars

from support import hub_server
from support.hub_server import TOKEN
from utils import artifacts
from utils.errors import UserError
from utils.release import __main__ as command
from utils.release import contents, hub

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content")  # the client's own call
REPO = "me/tiny-release"
WEIGHTS = bytes(range(256)) * 40
CONTENT = {
    "README.md": b"---\nlicense: mit\n---\n# A model\n",
    "ledger.json": b"{}",
    "LICENSE": b"MIT",
    "LICENSE-base.txt": b"OpenRAIL",
    "NOTICE": b"Made of other models.",
    "config.json": b'{"model_type": "gpt_bigcode"}',
    "generation_config.json": b"{}",
    "tokenizer.json": b'{"vocab": {"/home/jane": 1}}',
    "tokenizer_config.json": b"{}",
    "chat_template.jinja": b"{{ messages }}",
    "model-00001-of-00002.safetensors": WEIGHTS,
    "model-00002-of-00002.safetensors": WEIGHTS + b"2",
    "model.safetensors.index.json": b"{}",
    "gguf/tiny-F16.gguf": WEIGHTS + b"3",
    "Modelfile": b"FROM gguf/tiny-F16.gguf",
    "pages/03_train.html": b"<p>ok</p>",
}
LARGE = sorted(name for name, content in CONTENT.items() if len(content) > hub_server.LARGE_BYTES)


def make(folder, repository="", **changed):
    """A release folder with this content, whose card names this repository; None leaves a file out."""
    with artifacts.building(folder, {}, {"repository": repository}) as building:
        for name, content in (CONTENT | changed).items():
            if content is not None:
                (building / name).parent.mkdir(parents=True, exist_ok=True)
                (building / name).write_bytes(content)
    return folder


@pytest.fixture
def release(tmp_path):
    return make(tmp_path / "data" / "runs" / "tiny" / "release")


@pytest.fixture
def server(monkeypatch):
    """The stand-in, as the hub of a user who is logged in; the client does not wait before it tries again."""
    with hub_server.serving() as serving:
        monkeypatch.setattr(constants, "ENDPOINT", serving.url)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", "/nonexistent/token")
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr(_http, "time", types.SimpleNamespace(sleep=lambda _: None, time=lambda: 0.0))
        disable_progress_bars()
        yield serving
        enable_progress_bars()
        _http.close_session()
        assert serving.secrets_seen == []


def refused(release, match, **options):
    with pytest.raises(UserError, match=match) as caught:
        hub.push(release, REPO, **options)
    assert TOKEN not in str(caught.value)
    return str(caught.value)


def uploads(server):
    return [line for line in server.log if line.startswith("PUT")]


def test_a_push_uploads_what_was_listed_and_nothing_else_to_a_private_repository(release, server):
    listed = dict(contents.listing(release))
    url = hub.push(release, REPO)
    repository = server.repositories[REPO]
    assert url == f"{server.url}/{REPO}/commit/{repository.sha()}" and repository.private
    assert listed.keys() == CONTENT.keys() | {"manifest.json"} == repository.commits[-1].keys() - {".gitattributes"}
    assert listed == {name: (release / name).stat().st_size for name in listed}
    assert sorted(server.large.values()) == sorted(CONTENT[name] for name in LARGE)


def test_a_push_that_was_cut_off_resumes_without_sending_again_what_arrived(release, server):
    digests = [artifacts.sha256_file(release / name) for name in LARGE]
    server.faults = {f"PUT /large/{digests[-1]}": "cut"}
    assert "not sent again" in refused(release, "connection failed or broke off")
    assert server.large.keys() == set(digests[:-1]) and len(server.repositories[REPO].commits) == 1
    server.faults, before = {}, len(server.log)
    hub.push(release, REPO)
    assert [line.split()[1] for line in server.log[before:] if line.startswith("PUT")] == [f"/large/{digests[-1]}"]
    assert len(server.repositories[REPO].commits) == 2


def test_a_second_push_is_a_commit_that_deletes_what_is_no_longer_released(release, server):
    hub.push(release, REPO)
    sent = len(uploads(server))
    make(release, **{"gguf/tiny-F16.gguf": None, "README.md": b"# Better"})
    hub.push(release, REPO)
    assert list(server.repositories) == [REPO] and len(server.repositories[REPO].commits) == 3
    old, new = server.repositories[REPO].commits[1:]
    assert old.keys() - new.keys() == {"gguf/tiny-F16.gguf"} and len(uploads(server)) == sent
    hub.push(release, REPO)
    assert len(server.repositories[REPO].commits) == 3  # nothing changed


@pytest.mark.slow
def test_a_process_of_its_own_takes_hub_and_login_from_its_environment(release, server, tmp_path):
    login = tmp_path / "home" / "token"
    login.parent.mkdir()
    login.write_text(TOKEN)
    others = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    given = {"HF_ENDPOINT": server.url, "HF_HOME": str(login.parent), "HF_HUB_DISABLE_XET": "1"}
    code = f"from utils.release import hub; print(hub.push({str(release)!r}, {REPO!r}))"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=artifacts.ROOT, env=others | given, capture_output=True, text=True)
    assert result.stdout.strip() == f"{server.url}/{REPO}/commit/{server.repositories[REPO].sha()}", result.stderr
    assert TOKEN not in result.stdout + result.stderr
    holding = [path for path in tmp_path.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert holding == [login]


def test_the_command_lists_and_uploads_only_when_it_is_asked_to(release, server, capsys):
    assert command.main(["push", str(release), REPO]) == 0
    listed = capsys.readouterr().out
    sizes = dict(line.split() for line in listed.splitlines()[1 : len(CONTENT) + 2])
    assert sizes.keys() == CONTENT.keys() | {"manifest.json"} and sizes["gguf/tiny-F16.gguf"] == "10,241"
    assert "Nothing was uploaded. --yes uploads these files to the private repository me/tiny-release" in listed
    assert server.log == []
    assert command.main(["push", str(release), "tiny", "--yes"]) == 2 and server.log == []
    assert "repository must be OWNER/NAME" in capsys.readouterr().err
    assert command.main(["push", str(release), REPO, "--yes"]) == 0
    assert capsys.readouterr().out.endswith(f"{REPO}/commit/{server.repositories[REPO].sha()}\n")
    assert server.repositories[REPO].private
    assert command.main(["push", str(release), f"{REPO}-2", "--yes", "--public"]) == 0
    assert not server.repositories[f"{REPO}-2"].private


def test_a_card_that_names_another_repository_is_not_pushed(tmp_path, server):
    release = make(tmp_path / "release", "me/other")
    refused(release, "the card says that the model is 'me/other', got me/tiny-release")
    assert server.log == []
    assert hub.push(make(tmp_path / "release", REPO), REPO)


STEPS = {
    "login": "GET /api/whoami-v2",
    "create": "POST /api/repos/create",
    "upload": "PUT /large/*",
    "commit": "POST /api/models/*/commit/main",
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "fault, remedy",
    [(401, "hf auth login"), (403, "may not write"), (429, "Wait some minutes"), (500, "Wait"), ("cut", "HF_ENDPOINT")],
)
def test_a_hub_that_refuses_or_dies_is_explained(release, server, caplog, step, fault, remedy):
    server.faults, server.message = {STEPS[step]: fault}, f"no, {TOKEN}\x1b[2J"
    with caplog.at_level(logging.INFO):
        message = refused(release, remedy)
    assert fault == "cut" or f"the hub answered {fault}" in message
    assert "\x1b" not in message and TOKEN not in caplog.text
    server.faults = {}
    hub.push(release, REPO)
    assert len(server.repositories[REPO].commits) == 2


def test_a_token_of_another_form_is_in_no_message(release, server, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "a-token-of-another-form")
    server.faults, server.message = {STEPS["login"]: 403}, "no, a-token-of-another-form"
    assert "a-token-of-another-form" not in refused(release, r"\*\*\*")


def test_a_conflict_says_that_somebody_else_pushed(release, server, monkeypatch):
    server.faults, server.message = {STEPS["commit"]: 409}, "another push"
    refused(release, "409.*push again")
    preupload = hub_server.Handler.preupload

    def meanwhile(handler, name, *given):
        server.repositories[name].commits.append({"README.md": "of somebody else"})
        return preupload(handler, name, *given)

    server.faults = {}
    monkeypatch.setattr(hub_server.Handler, "preupload", meanwhile)
    refused(release, "412.*push again")
    assert server.repositories[REPO].commits[-1] == {"README.md": "of somebody else"}


def test_a_commit_whose_answer_was_lost_is_not_made_twice(release, server, monkeypatch):
    commit = hub_server.Handler.commit
    monkeypatch.setattr(hub_server.Handler, "commit", lambda *given: (502, commit(*given)[1]))
    refused(release, "502")
    monkeypatch.setattr(hub_server.Handler, "commit", commit)
    assert hub.push(release, REPO).endswith(server.repositories[REPO].sha())
    assert len(server.repositories[REPO].commits) == 2


def test_an_answer_that_is_not_the_hubs_is_explained(release, server, monkeypatch):
    monkeypatch.setattr(hub_server.Handler, "preupload", lambda *_: (200, {"files": "no"}))
    refused(release, "HF_ENDPOINT")


def test_without_a_login_nothing_is_asked(release, server, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    refused(release, "hf auth login")
    assert server.log == []


def test_nobody_listens_at_the_endpoint(release, server, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://me:password@127.0.0.1:9")
    assert "password" not in refused(release, "Check the network, and HF_ENDPOINT")


def test_a_public_repository_takes_no_private_release(release, server):
    hub.push(release, REPO, private=False)
    assert not server.repositories[REPO].private
    refused(release, "is public")
    hub.push(release, REPO, private=False)


def test_a_repository_of_something_else_is_kept(release, server):
    server.repositories[REPO] = hub_server.Repository(True, [{"README.md": "", "model.safetensors": "x"}])
    refused(release, "something else, such as 'model.safetensors'")
    assert len(server.repositories[REPO].commits) == 1
    server.repositories[REPO].commits[-1] = {"README.md": "", ".gitattributes": ""}
    hub.push(release, REPO)


def test_files_that_the_repository_ignores_are_missed(release, server):
    server.ignored = "Modelfile"
    refused(release, "lacks Modelfile: its .gitignore")


@pytest.mark.parametrize("name", ["tiny", "/tiny", "me/", "me/a/b", "https://huggingface.co/me/tiny", "me/..", "a b/c"])
def test_a_repository_is_named_with_its_owner(release, name):
    with pytest.raises(UserError, match="OWNER/NAME"):
        hub.push(release, name)


@pytest.mark.parametrize(
    "name",
    ["optimizer.safetensors", "state.json", "train.log", "rank-00000.safetensors", "gguf/x.bin", "pages/x.js", ".env",
     "pages/a/b.html", "model.bin", "readme.md\n", "hf_token", "metrics.jsonl"],
)  # fmt: skip
def test_a_file_that_no_release_has_stops_it(tmp_path, server, name):
    release = make(tmp_path / "release", **{name: b"x"})
    with pytest.raises(UserError, match="not a file that a release has"):
        contents.listing(release)
    refused(release, "nothing was uploaded")
    assert server.log == []


def test_links_stop_it(release, server, tmp_path):
    (tmp_path / "secret").write_bytes(CONTENT["config.json"])
    (release / "config.json").unlink()
    (release / "config.json").symlink_to(tmp_path / "secret")
    refused(release, "a link")
    (release / "config.json").unlink()
    (release / "config.json").write_bytes(CONTENT["config.json"])
    (release / "more").symlink_to(tmp_path)
    refused(release, "a link")
    assert server.log == []


@pytest.mark.parametrize("name", ["config.json", "gguf/tiny-F16.gguf", "model-00002-of-00002.safetensors"])
@pytest.mark.parametrize("content", [b"changed", None])
def test_a_release_that_was_changed_stops_it(release, server, name, content):
    (release / name).unlink()
    if content:
        (release / name).write_bytes(content)
    assert name in refused(release, "not as it was made")
    assert server.log == []


def test_a_file_that_was_added_stops_it(release, server):
    (release / "NOTICE-more").write_text("x")
    assert "NOTICE-more" in refused(release, "added")


def test_a_release_without_its_card_or_manifest_stops_it(tmp_path, server):
    refused(make(tmp_path / "cardless", **{"README.md": None}), "README.md")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "07_release")
    refused(tmp_path / "missing", "07_release")


KEY = "hf_" + "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA1b"
SECRETS = {
    "ledger.json": f'{{"key": "{KEY}"}}',
    "Modelfile": f"# {KEY}",
    "pages/03_train.html": f"<p><span>{KEY[:9]}</span><b>{KEY[9:]}</b></p>",
    "README.md": "api_key = 'q8Zr3Lw9Xk2Vb7Nt5Ys1'",
}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_in_a_text_stops_it(tmp_path, server, name):
    release = make(tmp_path / "release", **{name: SECRETS[name].encode()})
    message = refused(release, f"{name} has what looks like a secret")
    assert KEY not in message and server.log == []
    assert command.main(["push", str(release), REPO]) == 2  # nor is it listed as if it could be uploaded


def test_a_secret_between_escaped_quotes_of_a_page_stops_it(tmp_path, server):
    page = b"<span>api_key</span> = &#39;q8Zr3Lw9Xk2Vb7Nt5Ys1&#39;"
    refused(make(tmp_path / "release", **{"pages/03_train.html": page}), "looks like a secret")


@pytest.mark.parametrize("path", ["/home/jane/models", "/Users/jane/x", r"C:\\Users\\jane", "HOME", "DATA", "WORKBOOK"])
def test_a_path_of_a_machine_stops_it(tmp_path, server, monkeypatch, path):
    monkeypatch.setenv("HOME", "/export/people/jane")
    folder = tmp_path / "data" / "runs" / "tiny" / "release"
    own = {
        "HOME": "/export/people/jane/x",
        "DATA": f"{tmp_path}/data/tokens",
        "WORKBOOK": str(artifacts.ROOT / "utils"),
    }
    refused(make(folder, **{"config.json": json.dumps({"_name_or_path": own.get(path, path)}).encode()}), "a path of")
    assert server.log == []


@pytest.mark.parametrize("text", ["open('/home/user/x')", "/tmp/x and /usr/bin/env", "https://hub.example/home/jane"])
def test_a_path_of_an_example_is_fine(tmp_path, server, text):
    assert hub.push(make(tmp_path / "release", **{"README.md": text.encode()}), REPO)


def test_text_that_is_not_utf8_stops_it(tmp_path, server):
    refused(make(tmp_path / "release", **{"NOTICE": b"\xff\xfe"}), "NOTICE is not text")
