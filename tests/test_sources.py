"""Where raw pairs come from: what is made of the standard library, and files that are missing, wrong or unknown."""

import ast
import hashlib
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest

from utils import artifacts
from utils.config import RunConfig, resolved_pairs
from utils.data import contamination, sources, stdlib_pairs
from utils.data import pairs as pairs_module
from utils.data.reader import PAIR_FIELDS
from utils.errors import UserError

MODULE = '''
def add(first,
        second=("one",)):
    """Return the sum of both

    The values may be of any type
    that can be added.

    >>> add(1, 2)
    3
    """
    # Whatever they are.
    return first + second


class Box:
    @property
    def size(self):
        """Say how big the box is."""
        width = self.width

        # Boxes are cubes.
        return width ** 3

    def todo(self):
        """Do what is not written yet."""
        raise NotImplementedError

    def short(self):
        """Too short."""
        return 1
'''


@pytest.fixture(scope="module")
def library():
    return list(stdlib_pairs.standard_library())


def _of_kind(pairs, kind):
    return [pair for pair in pairs if pair["kind"] == kind]


def _signature(function):
    return function.name, ast.dump(function.args), [ast.dump(decorator) for decorator in function.decorator_list]


@pytest.mark.slow
def test_the_standard_library_gives_thousands_of_pairs_and_always_the_same(library, library_pairs):
    assert len(_of_kind(library, "write")) >= 1500 and len(library) >= 3000
    first = {}
    for pair in library:
        first.setdefault(tuple(pairs_module.clean(pair[name]) for name in PAIR_FIELDS), pair["origin"])
    for part in (pairs_module.TRAIN, pairs_module.VALIDATION):
        again = [tuple(row[name] for name in PAIR_FIELDS) for row in pairs_module.load(library_pairs, part)]
        assert again == [texts for texts, origin in first.items() if pairs_module.split_of(origin) == part]
    modules = {pair["origin"] for pair in library}
    assert {"json.decoder", "collections", "logging.handlers"} <= modules
    assert not [name for name in modules if set(name.split(".")) & {"test", "tests", "encodings", "pip", "torch"}]


@pytest.mark.slow
def test_a_written_function_is_the_one_asked_for(library):
    for pair in _of_kind(library, "write"):
        header = pair["instruction"].rsplit("\n\n", 1)[1]
        (asked,) = ast.parse(header + " ...").body
        (written,) = ast.parse(pair["response"]).body
        assert pair["response"].startswith(header + "\n") and _signature(asked) == _signature(written)
        assert ast.get_docstring(written) is None and written.body
        assert len(pair["response"]) <= stdlib_pairs.MAX_CHARACTERS


@pytest.mark.slow
def test_what_completes_a_function_gives_the_function_again(library):
    written = {ast.dump(ast.parse(pair["response"])) for pair in _of_kind(library, "write")}
    for pair in _of_kind(library, "complete"):
        tree = ast.parse(pair["input"] + "\n" + pair["response"])
        tree.body[0].body.pop(0)  # the docstring
        assert ast.dump(tree) in written and pair["response"].startswith((" ", "\t"))


@pytest.mark.slow
def test_an_explanation_is_prose_about_a_function_without_its_docstring(library):
    for pair in _of_kind(library, "explain"):
        assert ast.get_docstring(ast.parse(pair["input"]).body[0]) is None
        assert ">>>" not in pair["response"] and pair["response"].endswith((".", "!", "?"))


def test_pairs_of_a_small_library(tmp_path, monkeypatch):
    for name in ("shapes/cubes.py", "shapes/test/extra.py", "site-packages/other.py", "two-words.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(MODULE)
    monkeypatch.setattr(stdlib_pairs, "sysconfig", SimpleNamespace(get_paths=lambda: {"stdlib": str(tmp_path)}))
    pairs = list(stdlib_pairs.standard_library())
    assert {pair["origin"] for pair in pairs} == {"shapes.cubes"}
    add, size = _of_kind(pairs, "write")
    assert add["instruction"] == (
        "Write this Python function. Return the sum of both.\n\nThe values may be of any type that can be added.\n\n"
        "def add(first, second=('one',)):"
    )
    assert add["response"] == ("def add(first, second=('one',)):\n    # Whatever they are.\n    return first + second")
    assert size["instruction"] == (
        "Write this method of the Python class `Box`. Say how big the box is.\n\n@property\ndef size(self):"
    )
    before = sources.find("python-stdlib", tmp_path).sha256
    (tmp_path / "shapes/cubes.py").write_text(MODULE + "\n# Changed.\n")
    assert sources.find("python-stdlib", tmp_path).sha256 != before


UNUSABLE = ("~nosuchuser/x.jsonl", "loop.jsonl", "loop/x.jsonl", "n" * 300 + ".jsonl", "a\0b/x.jsonl", "denied/x.jsonl")


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_path_that_cannot_be_used_is_refused_wherever_it_is_given(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for link in ("loop", "loop.jsonl"):
        (tmp_path / link).symlink_to(link)
    is_file = Path.is_file

    def denied(path):
        if "denied" in str(path):  # tests may run as root
            raise PermissionError(13, "Permission denied", str(path))
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", denied)
    calls = [
        lambda: sources.find(name, tmp_path),
        lambda: pairs_module.prepare(name, tmp_path),
        lambda: contamination.read([name]),
        lambda: RunConfig.chosen("tiny", name) and sources.find(name, tmp_path),
        lambda: sources.find("gpteacher-codegen", tmp_path, name),
    ]
    for call in calls:
        with pytest.raises(UserError):
            call()


def test_a_data_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="DATA must be a folder"):
        artifacts.data_dir(str(tmp_path / "file"))
    for name in ("~nosuchuser", "a\0b"):
        with pytest.raises(UserError, match="cannot be used"):
            artifacts.data_dir(name)


def test_a_link_keeps_its_name_and_a_name_with_a_space_may_be_quoted(tmp_path):
    folder = tmp_path / "my tasks"
    folder.mkdir()
    (folder / "blob").write_text('{"prompt": "a"}')
    (folder / "x.jsonl").symlink_to("blob")
    path = str(folder / "x.jsonl")
    assert resolved_pairs(path) == path == str(sources.find(path, tmp_path).path)
    assert sources.benchmarks(f"'{path}' y.jsonl", tmp_path) == (path, "y.jsonl")
    (task,) = contamination.read([path])
    assert task.name == "x 1"
    with pytest.raises(UserError, match="Quote names with spaces"):
        sources.benchmarks("it's.jsonl", tmp_path)


def test_pairs_that_the_workbook_makes_have_its_licence(tmp_path):
    source = sources.find("python-basics", tmp_path)
    assert source.is_made_here and source.license == "Apache-2.0"


def test_an_unknown_source_names_the_nearest(tmp_path):
    with pytest.raises(UserError, match=r"Did you mean 'gpteacher-codegen'.*'python-basics', 'python-stdlib'.*\.jsonl"):
        sources.find("gpteacher-codgen", tmp_path)
    with pytest.raises(UserError, match=r"no file /.*mine\.jsonl"):
        sources.find("mine.jsonl", tmp_path)
    with pytest.raises(UserError, match="unknown benchmark 'humanevil'. Did you mean 'humaneval'"):
        sources.benchmarks("humanevil", tmp_path)


@pytest.fixture
def remote(tmp_path, monkeypatch):
    """GPTeacher's file on a server of the test's own."""
    path = tmp_path / "remote" / "codegen-instruct.json"
    path.parent.mkdir()
    path.write_text("[]")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=path.parent))
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(sources, "GPTEACHER_URL", f"http://127.0.0.1:{server.server_port}/{path.name}")
    monkeypatch.setattr(sources, "GPTEACHER_SHA256", hashlib.sha256(b"[]").hexdigest())
    yield path
    server.shutdown()
    server.server_close()


def test_gpteacher_is_downloaded_once_and_verified_every_time(tmp_path, remote):
    found = sources.find("gpteacher-codegen", tmp_path)
    assert found.path == tmp_path / "raw" / "gpteacher-codegen" / "codegen-instruct.json"
    remote.unlink()
    assert sources.find("gpteacher-codegen", tmp_path) == found
    found.path.write_text("[ ]")
    with pytest.raises(UserError, match="that this workbook pins: its sha256 is"):
        sources.find("gpteacher-codegen", tmp_path)


def test_a_download_with_another_checksum_leaves_nothing(tmp_path, remote):
    remote.write_text("[{}]")
    with pytest.raises(UserError, match="sha256"):
        sources.find("gpteacher-codegen", tmp_path)
    assert not [path for path in (tmp_path / "raw").rglob("*") if path.is_file()]


def test_an_unreachable_file_is_reported_with_a_workaround(tmp_path, remote):
    copy = remote.rename(tmp_path / "copy.json")
    with pytest.raises(UserError, match="GPTEACHER_FILE"):
        sources.find("gpteacher-codegen", tmp_path)
    assert sources.find("gpteacher-codegen", tmp_path, gpteacher_file=str(copy)).path == copy
