import gzip
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.artifacts import ROOT
from utils.config import PAIR_SUFFIXES
from utils.data import json_stream, reader, sources
from utils.data.faults import Fault
from utils.data.pii import is_blank
from utils.data.reader import Fields
from utils.errors import UserError

GOOD = b'{"instruction": "Add.", "input": "", "response": "a + b"}'
PAIR = {"instruction": "Add.", "input": "", "response": "a + b"}


def _row(**changes) -> bytes:
    return json.dumps({**PAIR, **changes}).encode()


def _faults(path: Path, fields: Fields = Fields()) -> list[str]:
    items = list(reader.read(path, fields))
    faults = [fault for item in items for fault in ([item] if isinstance(item, Fault) else item.faults)]
    return [str(fault) for fault in faults]


# The content of a .jsonl file, and its faults: each its place and a part of the reason.
BAD_LINES = {
    "bad UTF-8": (GOOD + b'\n{"instruction": "\xc3\xa9\xff"}\n', [(":2:19:", "not UTF-8: byte 0xFF")]),
    "an encoded surrogate": (b'{"instruction": "\xed\xa0\x80"}\n', [(":1:18:", "not UTF-8: byte 0xED")]),
    "Latin-1": ('{"instruction": "é"}'.encode("latin-1"), [(":1:18:", "save the file as UTF-8")]),
    "a byte-order mark": (b"\xef\xbb\xbf" + GOOD, [(":1:1:", "byte-order mark; save")]),
    "UTF-16": (GOOD.decode().encode("utf-16"), [(":1:1:", "not UTF-8 but UTF-16; convert it: iconv")]),
    "UTF-32": (GOOD.decode().encode("utf-32"), [(":1:1:", "UTF-32; convert it: iconv -f UTF-32 -t")]),
    "a raw NUL": (b'{"instruction": "a\0b"}\n' + GOOD, [(":1:19:", "the control character U+0000 unescaped")]),
    "a raw tab": (GOOD + b'\n{"instruction": "a\tb"}', [(":2:19:", "the control character U+0009 unescaped")]),
    "a NUL between": (GOOD + b'\n\0{"instruction": "a"}', [(":2:1:", "not JSON: expected a value")]),
    "an escaped NUL": (_row(response="a\0"), [(":1:", "'response' holds the control character U+0000 at character 2")]),
    "an escaped bell": (_row(instruction="\a"), [(":1:", "'instruction' holds the control character U+0007")]),
    "a lone surrogate": (_row(response="ab\ud800"), [(":1:", "a lone surrogate, U+D800, at character 3")]),
    "truncated in a text": (
        GOOD + b'\n{"instruction": "Ad',
        [(":2:17:", "a text without its closing quote: it seems to")],
    ),
    "truncated after a key": (b'{"instruction":', [(":1:16:", "not JSON: expected a value: it seems to be cut off")]),
    "a missing comma": (b'{"instruction": "a" "response": "b"}', [(":1:21:", "not JSON: expected a ',' delimiter")]),
    "single quotes": (b"{'instruction': 'a'}", [(":1:2:", "not JSON: expected a property name")]),
    "a bad escape": (rb'{"instruction": "\x41"}', [(":1:18:", "invalid \\escape")]),
    "two objects on a line": (GOOD + b" " + GOOD, [(":1:59:", "put each object on a line of its own")]),
    "a pretty printed object": (b'{\n"instruction": "a"\n}', [(":1:2:", ""), (":2:14:", ""), (":3:1:", "")]),
    "a comment": (b"# pairs\n" + GOOD, [(":1:1:", "not JSON: expected a value")]),
    "a list": (b'["Add.", "a + b"]', [(":1:", "expected an object with the fields of a pair, got a list")]),
    "a repeated key": (
        b'{"instruction": "a", "response": "b", "response": "c"}',
        [(":1:", "'response' occurs 2")],
    ),
    "NaN": (
        b'{"instruction": "NaN", "response": NaN}',
        [(":1:", "NaN, which JSON"), (":1:", "must be text, got NaN")],
    ),
    "Infinity": (_row(score=float("-inf")), [(":1:", "-Infinity, which JSON"), (":1:", "an unknown field 'score'")]),
    "a null": (_row(response=None), [(":1:", "'response' must be text, got null")]),
    "a number": (_row(input=5), [(":1:", "'input' must be text, got 5")]),
    "a huge number": (b'{"instruction": "a", "response": 1' + b"0" * 9000 + b"}", [(":1:", "'response' must be text")]),
    "a boolean": (_row(instruction=True), [(":1:", "'instruction' must be text, got true")]),
    "a list of texts": (_row(response=["a"]), [(":1:", "'response' must be text, got a list")]),
    "an object": (_row(response={"a": 1}), [(":1:", "'response' must be text, got an object")]),
    "a missing field": (b'{"instruction": "a"}', [(":1:", "no field 'response', only 'instruction'")]),
    "an extra field": (_row(id="7"), [(":1:", "an unknown field 'id'")]),
    "a misnamed field": (
        b'{"instruction": "a", "output": "b"}',
        [(":1:", "no field 'response'; 'output' seems to be it")],
    ),
    "an empty object": (b"{}", [(":1:", "no field 'instruction', only an empty"), (":1:", "no field 'response'")]),
    "an empty instruction": (_row(instruction=""), [(":1:", "'instruction' is empty")]),
    "a blank response": (_row(response=" \n\u2003"), [(":1:", "'response' is blank")]),
    "no visible character": (_row(response="\u200b\u3164\U000e0041"), [(":1:", "'response' is blank")]),
    "a conversation": (
        b'{"messages": [{"role": "user", "content": "Hi"}]}',
        [(":1:", "a conversation: 'messages' is a list of turns")],
    ),
    "an inner array": (b'{"data": [' + GOOD + b"]}", [(":1:", "'data' is an array of objects")]),
    "a long name": (_row(**{"k" * 10**6: 1}), [(":1:", f"an unknown field '{'k' * 60}…'")]),
    "many in one row": (_row(instruction="", response=3), [(":1:", "is empty"), (":1:", "got 3")]),
    "faults far apart": (
        b"\n".join([b"{", *[GOOD] * 99, b"}"]),
        [(":1:2:", "cut off"), (":101:1:", "not JSON: expected a value")],
    ),
    "a nesting bomb": (GOOD + b"\n" + b"[" * 200_000, [(":2:", "nested thousands deep")]),
    "an empty file": (b"", [(":1:", "an empty file")]),
    "a blank file": (b"\n \n\n", [(":1:", "an empty file")]),
}


@pytest.mark.parametrize("case", BAD_LINES)
def test_every_fault_of_json_lines_is_reported_with_its_position(tmp_path, case):
    content, expected = BAD_LINES[case]
    (tmp_path / "x.jsonl").write_bytes(content)
    faults = _faults(tmp_path / "x.jsonl")
    assert len(faults) == len(expected), faults
    for fault, (place, reason) in zip(faults, expected, strict=True):
        assert fault.startswith(place) and reason in fault, fault


BAD_ARRAYS = {
    "a missing value": (b'[{"a": 1},\n {"b": }]', ":2:8: not JSON: expected a value"),
    "a missing comma": (b"[" + GOOD + b"\n " + GOOD + b"]", ":2:2: expected ',' or ']'"),
    "an open array": (b"[" + GOOD + b",\n", ":2:1: not JSON: expected a value: it seems to be cut off"),
    "an array that is not closed": (b"[" + GOOD, ":1:59: expected ',' or ']'"),
    "an element cut off": (b"[" + GOOD + b',\n{"instruction": "a', ":2:17: a text without its closing quote"),
    "no array": (GOOD + b"\n", ":1:1: expected '['"),
    "an inner array": (
        b'{"version": 1, "data": [' + GOOD + b"]}",
        ":1:1: expected '[', the start of an array of objects. The field 'data'",
    ),
    "two arrays": (b"[" + GOOD + b"]\n[]", ":2:1: expected the end of the file"),
    "bad UTF-8": (b"[" + GOOD + b',\n{"instruction": "\xff"}]', ":2:18: not UTF-8: byte 0xFF"),
    "a byte-order mark": (b"\xef\xbb\xbf[" + GOOD + b"]", ":1:1: a byte-order mark"),
    "a nesting bomb": (b"[" * 200_000, ":1:2: objects or lists nested"),
    "a field": (b"[" + GOOD + b",\n\n" + _row(response=5) + b"]", ":3: row 2: 'response' must be text, got 5"),
    "NaN in a later line": (b'[{"instruction": "a",\n"response": NaN}]', ":1: NaN, which JSON does not have"),
    "an empty file": (b"", ":1: an empty file"),
    "no rows": (b" [ ] ", ":1: an empty file"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_an_array_reports_line_and_row_and_ends_at_its_first_syntax_error(tmp_path, case):
    content, expected = BAD_ARRAYS[case]
    (tmp_path / "x.json").write_bytes(content)
    faults = [
        fault for fault in _faults(tmp_path / "x.json") if "no field" not in fault and "an unknown field" not in fault
    ]
    assert faults[0].startswith(expected), faults
    assert len(faults) <= 2


def test_an_too_long_line_costs_itself_only(tmp_path, monkeypatch):
    monkeypatch.setattr(json_stream, "MAX_ROW_BYTES", 100)
    monkeypatch.setattr(json_stream, "LOOKS", (50,))
    long = _row(input="x" * 1000)
    (tmp_path / "x.jsonl").write_bytes(b"\n".join([GOOD, long, GOOD, long]))
    faults = _faults(tmp_path / "x.jsonl")
    assert [fault[:3] for fault in faults] == [":2:", ":4:"]
    assert f"a line of {len(long) + 1:,} bytes, at most 100 are read" in faults[0]
    items = list(reader.read(tmp_path / "x.jsonl"))
    assert [item.pair is not None for item in items] == [True, False, True, False]
    assert items[1].text == long[:100]
    (tmp_path / "x.json").write_bytes(b"[" + b",".join([GOOD, long, GOOD]) + b"]")
    assert _faults(tmp_path / "x.json") == [":1:60: an element of more than 100 bytes"]
    monkeypatch.setattr(json_stream, "MAX_ARRAY_BYTES", 200)
    assert "more than 200 bytes; write one object per line" in _faults(tmp_path / "x.json")[0]


def test_a_row_full_of_faults_is_read_in_linear_time(tmp_path):
    keys = ", ".join(f'"k{index}": 1' for index in range(200_000))
    (tmp_path / "x.jsonl").write_text(f'{{{keys}, "k0": 2, "x": [{", ".join(["NaN"] * 200_000)}]}}\n')
    faults = _faults(tmp_path / "x.jsonl")
    assert "NaN, which JSON does not have" in faults[0] and "and 199,998 more repeated keys or" in faults[3]
    assert "and 199,996 more unknown fields" in faults[-1] and len(faults) == 12


def test_a_field_under_another_name_is_mapped_or_ignored_only_on_request(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"instruction": "a", "output": "b", "id": 7}\n')
    assert len(_faults(path)) == 2
    fields = Fields.parse("response=output", "id")
    (row,) = reader.read(path, fields)
    assert row.pair == {"instruction": "a", "input": "", "response": "b"} and not row.faults
    # A field that was mapped away is not read under its own name.
    path.write_bytes(b'{"instruction": "a", "output": "b", "response": "c"}\n')
    assert "an unknown field 'response'" in _faults(path, fields)[0]
    with pytest.raises(UserError, match="Did you mean 'response'"):
        Fields.parse("respons=output")
    with pytest.raises(UserError, match=r"the other way round, response=output \(our name first\)"):
        Fields.parse("output=response")
    with pytest.raises(UserError, match="OURS=THEIRS"):
        Fields.parse("response")
    for arguments, message in {
        ("response=a response=b",): "give every field of the pairs one name",
        ("instruction=x response=x",): "give every field of the pairs one name",
        ("instruction=input",): "give every field of the pairs one name",
        ("", "input"): "IGNORE holds 'input'",
        ("response=output", "output"): "IGNORE holds 'output'",
    }.items():
        with pytest.raises(UserError, match=message):
            Fields.parse(*arguments)
    assert Fields.parse("response=output", "response").ignored == ("response",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"not gzip", "not a gzip archive"),
        (gzip.compress(GOOD * 99)[:-20], "ended before"),
        (gzip.compress(GOOD + b"\n") + b"junk", "other bytes follow the archive"),
    ],
)
def test_a_damaged_archive_cannot_be_read(tmp_path, content, reason):
    (tmp_path / "x.jsonl.gz").write_bytes(content)
    with pytest.raises(UserError, match=f"cannot be read: .*{reason}"):
        list(reader.read(tmp_path / "x.jsonl.gz"))


def test_an_unreadable_file_is_reported(tmp_path):
    for path in (tmp_path / "none.jsonl", tmp_path / "none.parquet"):
        with pytest.raises(UserError, match="cannot be read"):
            list(reader.read(path))
    (tmp_path / "x.parquet").write_bytes(b"no parquet")
    with pytest.raises(UserError, match="cannot be read"):
        list(reader.read(tmp_path / "x.parquet"))
    with pytest.raises(UserError, match="ending in"):
        list(reader.read(tmp_path / "x.csv"))


def _parquet(path: Path, **columns) -> Path:
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def test_parquet_is_held_to_the_same_checks(tmp_path):
    columns = {"instruction": ["a", None, "c"], "input": ["", None, None], "response": ["b", "b", " "], "id": [1, 2, 3]}
    path = _parquet(tmp_path / "x.parquet", **columns)
    assert _faults(path, Fields.parse(ignored="id")) == [
        ": row 2: 'instruction' must be text, got null",
        ": row 3: 'response' is blank",
    ]
    assert len(_faults(path)) == 5


def test_one_changed_byte_of_a_parquet_file_does_not_end_the_process(tmp_path):
    path = _parquet(tmp_path / "x.parquet", instruction=["a", "b"], response=["c", "d"])
    content = path.read_bytes()
    for position in range(len(content) * 2 // 3, len(content)):  # where the description of the columns is
        changed = bytes([content[position] ^ 1])
        (tmp_path / f"{position}.parquet").write_bytes(content[:position] + changed + content[position + 1 :])
    program = """if True:
        import sys
        from pathlib import Path
        from utils.data import reader
        from utils.errors import UserError
        for path in Path(sys.argv[1]).glob("*.parquet"):
            try:
                list(reader.read(path))
            except UserError:
                pass"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, check=True)


def test_a_file_without_rows_is_a_fault_and_its_kind_is_its_last_suffix(tmp_path):
    assert _faults(_parquet(tmp_path / "x.parquet", instruction=[], response=[])) == [
        ":1: an empty file: it has no rows"
    ]
    (tmp_path / "x.jsonl.json").write_bytes(b"[" + GOOD + b"]")
    assert _faults(tmp_path / "x.jsonl.json") == []


def test_any_parquet_column_is_read_or_refused(tmp_path):
    import pyarrow

    offsets = pyarrow.array([b"\xff", b"b"], pyarrow.binary()).buffers()
    texts = pyarrow.StringArray.from_buffers(2, *offsets[1:])  # not UTF-8
    # Where a name is taken for a pattern, the neighbour is read.
    path, _ = (
        _parquet(tmp_path / "x[1].parquet", instruction=texts, response=["a", "b"]),
        _parquet(tmp_path / "x1.parquet"),
    )
    assert _faults(path) == [": row 1: 'instruction' is not UTF-8: byte 0xFF"]
    encoded = pyarrow.array(["a"]).dictionary_encode()
    others = {  # of no use to a pair, and no Python value for some
        "when": pyarrow.array([2**62], pyarrow.timestamp("us")),
        "map": pyarrow.array([[("a", 1)]], pyarrow.map_(pyarrow.string(), pyarrow.int32())),
        "bytes": pyarrow.array([b"\xff"]),
    }
    path = _parquet(
        tmp_path / "y.parquet", instruction=encoded, response=pyarrow.array(["b"], pyarrow.large_string()), **others
    )
    (row,) = reader.read(path, Fields.parse(ignored=" ".join(others)))
    assert row.pair == {"instruction": "a", "input": "", "response": "b"}
    path = _parquet(tmp_path / "z.parquet", instruction=[1], response=["b"])
    assert _faults(path) == [": row 1: 'instruction' must be text, got a column of int64"]
    path = _parquet(tmp_path / "chat.parquet", messages=[[{"role": "user", "content": "Hi"}]])
    assert "a conversation: 'messages'" in _faults(path)[0]


def test_the_size_of_a_parquet_file_unpacked_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "MAX_ROW_BYTES", 100)
    path = _parquet(tmp_path / "x.parquet", instruction=["a"] * 3, response=["b", "c" * 1000, "d"])
    assert _faults(path) == [": row 2: 'response' has 1,000 bytes, at most 100 are read"]
    monkeypatch.setattr(reader, "MAX_GROUP_BYTES", 200)
    with pytest.raises(UserError, match="at most 200 are read; write the file again with smaller row groups"):
        list(reader.read(path))


@pytest.mark.slow
def test_the_memory_of_every_reader_is_bounded(tmp_path):
    """Small files that are huge unpacked, each read in a process of at most 2 GiB."""
    table = {"instruction": ["a"] * 100, "response": ["x" * 10**7] * 100}
    _parquet(tmp_path / "bomb.parquet", **table)
    bombs = {
        "digits.json": b"[" + b"1" * 2**27 + b"]",
        "lists.json": b"[" + b"[]," * 2**25 + b"1]",
        "open.json": b"[" + b'"' * 2**28,
        "line.jsonl": b"[" * 2**28,
        "empty.jsonl": b"{}\n" * 2**24,
    }
    for name, content in bombs.items():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content, 1))
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31));"
        "from utils.data.__main__ import main; sys.exit(main(['check', sys.argv[1]]))"
    )

    def check(path):
        return subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, cwd=ROOT)

    paths = sorted(tmp_path.iterdir())
    with ThreadPoolExecutor(2) as pool:
        for path, done in zip(paths, pool.map(check, paths), strict=True):
            assert done.returncode in (1, 2) and "Traceback" not in done.stderr, (path.name, done.stderr[-500:])
            assert len(done.stdout) < 200_000, path.name


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "link to a device"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, kind, capsys):
    path = tmp_path / "x.jsonl"
    make = {
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "device": lambda: path.symlink_to("/dev/zero"),
        "link to a device": lambda: ((tmp_path / "y").symlink_to("/dev/zero"), path.symlink_to(tmp_path / "y")),
    }
    make[kind]()
    with pytest.raises(UserError, match="expected a file"):
        list(reader.read(path))
    with pytest.raises(UserError, match="no regular file"):
        sources.find(str(path), tmp_path)


def test_a_data_set_of_the_hub_is_held_to_the_same_checks(tmp_path, monkeypatch):
    rows = [json.loads(GOOD), {**PAIR, "response": " ", "input": None}, json.loads(GOOD)]
    called = {}
    monkeypatch.setattr("datasets.load_dataset", lambda *names, **options: called.update(options, names=names) or rows)
    good, blank, _ = reader.hub_rows("owner/name", "0" * 40)
    assert good.pair == PAIR and [str(fault) for fault in blank.faults] == [": row 2: 'response' is blank"]
    assert called == {"names": ("hf://datasets/owner/name",), "revision": "0" * 40, "split": "train", "streaming": True}


def test_nothing_local_stands_in_for_a_data_set_of_the_hub(tmp_path, monkeypatch):
    for module in ("huggingface_hub.constants", "datasets.config"):
        monkeypatch.setattr(f"{module}.HF_HUB_OFFLINE", True)
    (tmp_path / "owner" / "name").mkdir(parents=True)
    (tmp_path / "owner" / "name" / "train.jsonl").write_bytes(GOOD)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="owner/name@0000.* cannot be read"):
        list(reader.hub_rows("owner/name", "0" * 40))
    for name in ("../..", "./name", "owner/.."):
        with pytest.raises(UserError, match="unknown source of pairs"):
            sources.find(f"{name}@{'0' * 40}", tmp_path)


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(lambda text: not is_blank(text))
PAIRS = st.lists(
    st.fixed_dictionaries({"instruction": TEXTS, "input": st.text("x\n\t é\U0001f600"), "response": TEXTS})
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One for all examples: making a new one looks through all that there are."""
    return tmp_path_factory.mktemp("examples")


@settings(deadline=None, max_examples=60)
@given(
    pairs=PAIRS,
    is_ascii=st.booleans(),
    name=st.sampled_from(PAIR_SUFFIXES[:4]),
)
def test_good_pairs_come_back_as_they_were(folder, pairs, is_ascii, name):
    path = folder / f"x{name}"
    lines = [json.dumps(pair, ensure_ascii=is_ascii) for pair in pairs]
    text = "\r\n".join(lines) if ".jsonl" in name else f"[{' , '.join(lines)}\n]"
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    items = list(reader.read(path))
    if not pairs:
        assert ["an empty file" in str(item) for item in items] == [True]
        return
    assert [item.pair for item in items] == pairs
    assert [item.text.rstrip(b"\r").decode() for item in items] == lines
