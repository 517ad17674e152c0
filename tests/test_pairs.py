"""Strict reading, cleaning, the split by origin and the books."""

import json
from pathlib import Path

import pytest

from utils import pairs, sources
from utils.artifacts import ROOT
from utils.errors import UserError

GPTEACHER_FILE = ROOT.parent / "shared" / "data" / "gpteacher" / "codegen-instruct.json"


def _row(instruction="Add two numbers.", response="a + b", **others):
    return {"instruction": instruction, "response": response} | others


def _file(folder: Path, rows: list, name="mine.jsonl") -> str:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    text = "[" + ",\n".join(lines) + "]" if name.endswith(".json") else "".join(line + "\n" for line in lines)
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def _assert_books_balance(folder: Path) -> dict:
    books, parts = pairs.load_books(folder), {part: pairs.load(folder, part) for part in pairs.PARTS}
    assert books["num_read"] == books["num_kept"] + books["num_rejected"] + books["num_duplicates"]
    assert books["num_kept"] == books["num_train"] + books["num_validation"]
    assert [len(parts[part]) for part in pairs.PARTS] == [
        books[name] for name in ("num_train", "num_validation", "num_rejected")
    ]
    assert not {row["origin"] for row in parts["train"]} & {row["origin"] for row in parts["validation"]}
    assert json.loads((folder / pairs.REPORT).read_text()) == books
    return books


BAD_ROWS = {
    "[1, 2]": "an object",
    '"text"': "an object",
    "null": "an object",
    '{"instruction": "a", "output":  "b"}': "'response'",
    '{"response": "b"}': "'instruction'",
    '{"instruction": "a", "response": null}': "null",
    '{"instruction": "a", "response": NaN}': "NaN",
    '{"instruction": ["a"], "response": "b"}': "must be text",
    '{"instruction": "a", "input": 5, "response": "b"}': "'input' must be text",
    r'{"instruction": " \n", "response": "b"}': "blank",
    '{"instruction": "a", "response": ""}': "blank",
    r'{"instruction": "a", "response": "\u0000b"}': "NUL",
    r'{"instruction": "a", "response": "b\ud800"}': "surrogate",
    r'{"\udc00": "a", "response": "b"}': "'instruction'",
}


@pytest.mark.parametrize("name", ["mine.json", "mine.jsonl"])
def test_bad_rows_are_rejected_verbatim_and_every_row_is_accounted_for(tmp_path, name):
    good = [_row(), _row(response="a - b"), _row(response="a + b \r\n"), _row(response="a + b", input=" ")]
    folder, is_kept = pairs.prepare(_file(tmp_path, [*good, *BAD_ROWS], name), tmp_path)
    books = _assert_books_balance(folder)
    assert not is_kept
    assert (books["num_kept"], books["num_duplicates"], books["num_rejected"]) == (2, 2, len(BAD_ROWS))
    rejects = pairs.load(folder, "rejects")
    assert [row["text"] for row in rejects] == list(BAD_ROWS)
    place = "row" if name == "mine.json" else "line"
    assert [row["place"] for row in rejects] == [f"{place} {number}" for number in range(5, 5 + len(BAD_ROWS))]
    for row in rejects:
        assert BAD_ROWS[row["text"]] in row["reason"]


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("mine.jsonl", b'{"instruction": "a"}\n{"instruction": "b",\n{}\n', "2:21"),
        ("mine.jsonl", b'{"a": 1}\n\n{"b": 2} {"c": 3}\n', "3:10"),
        ("mine.jsonl", b'{"a": "b"}\n{"a": "\xff"}\n', "2:8"),
        ("mine.jsonl", b'\xef\xbb\xbf{"a": 1}\n', "1:1: a byte-order mark"),
        ("mine.jsonl", '{"a": 1}\n'.encode("utf-16"), "1:1: not UTF-8"),
        ("mine.jsonl", b"[" * 100_000, "1:1: maximum recursion"),
        ("mine.json", b'[{"a": 1},\n {"b": }]', "2:8"),
        ("mine.json", b'[{"a": 1}\n {"b": 2}]', "2:2: expected ','"),
        ("mine.json", b'[{"a": 1},\n', "2:1"),
        ("mine.json", b'[{"a": 1}', "1:10"),
        ("mine.json", b'{"a": 1}\n', "1:1: expected '['"),
        ("mine.json", b"[]\n[]", "2:1: expected the end"),
        ("mine.json", b"", "1:1"),
        ("mine.json", b"[]", " none of its 0 rows"),
        ("mine.jsonl", b"\n\n", " none of its 0 rows"),
    ],
)
def test_a_malformed_file_is_told_by_line_and_column_and_changes_nothing(tmp_path, name, content, place):
    path, row = tmp_path / name, json.dumps(_row())
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        pairs.prepare(str(path), tmp_path)
    assert str(error.value).startswith(f"{path}:{place}")
    assert not (tmp_path / "pairs").exists()
    path.write_text(f"[{row}]" if name == "mine.json" else row)
    folder, _ = pairs.prepare(str(path), tmp_path)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    path.write_bytes(content)
    with pytest.raises(UserError):
        pairs.prepare(str(path), tmp_path)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert [file.name for file in folder.parent.iterdir()] == [folder.name]


def test_the_name_of_the_response_is_declared_never_guessed(tmp_path):
    path = _file(tmp_path, [{"instruction": "a", "output": "b"}])
    with pytest.raises(UserError, match="unknown field 'response'.*'output'.*RESPONSE_FIELD"):
        pairs.prepare(path, tmp_path)
    with pytest.raises(UserError, match="Did you mean 'output'"):
        pairs.prepare(path, tmp_path, response_field="outptu")
    folder, _ = pairs.prepare(path, tmp_path, response_field="output")
    (row,) = pairs.load(folder, "train") + pairs.load(folder, "validation")
    assert row == {
        "instruction": "a",
        "input": "",
        "response": "b",
        "origin": "a",
        "source": "mine.jsonl",
        "license": "not stated by the user",
    }


def test_pairs_are_kept_until_something_they_were_made_from_changes(tmp_path, monkeypatch):
    path = _file(tmp_path, [_row(output="other")])
    assert [pairs.prepare(path, tmp_path)[1] for _ in range(2)] == [False, True]
    assert [pairs.prepare(path, tmp_path, response_field="output")[1] for _ in range(2)] == [False, True]
    _file(tmp_path, [_row(output="other"), _row("Subtract.", output="-")])
    folder, is_kept = pairs.prepare(path, tmp_path, response_field="output")
    assert not is_kept and pairs.load_books(folder)["num_read"] == 2
    (folder / "train.jsonl").unlink()
    assert not pairs.prepare(path, tmp_path, response_field="output")[1]
    monkeypatch.setattr(pairs.artifacts, "code_sha256", lambda *modules: "another version")
    assert not pairs.prepare(path, tmp_path, response_field="output")[1]


def test_rows_keep_their_side_when_rows_are_added(tmp_path):
    rows = [_row(f"Task {number}", f"answer {number}") for number in range(400)]
    more = [_row(f"New task {number}") for number in range(400)] + rows
    more += [
        _row(f"  TASK\n{number}.", f"another answer {number}") for number in range(400)
    ]  # the same origins as `rows`
    sides = []
    for name, some in (("few.jsonl", rows), ("more.jsonl", more)):
        folder, _ = pairs.prepare(_file(tmp_path, some, name), tmp_path)
        _assert_books_balance(folder)
        sides.append({row["response"]: part for part in pairs.PARTS[:2] for row in pairs.load(folder, part)})
    few, many = sides
    assert few.items() <= many.items()
    assert all(many[f"another {response}"] == side for response, side in few.items())
    assert 8 <= list(few.values()).count("validation") <= 36  # 20 expected, give or take four standard deviations


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("a\r\nb\rc\n\n", "a\nb\nc"),
        ("\n  \n    return 1\n  \t", "    return 1"),
        ("\tx", "\tx"),
        ("a\n\n\n  b", "a\n\n\n  b"),
        (" \n ", ""),
        ("line\u2028separator", "line\u2028separator"),
    ],
)
def test_cleaning_touches_line_ends_and_the_blank_around_a_text_only(raw, cleaned):
    assert pairs.clean(raw) == cleaned


def test_odd_characters_come_back_as_they_were(tmp_path):
    text = "é\u2028\u0085\x0c\U0001f600 <b>"
    folder, _ = pairs.prepare(_file(tmp_path, [json.dumps(_row(response=text), ensure_ascii=False)]), tmp_path)
    (row,) = pairs.load(folder, "train") + pairs.load(folder, "validation")
    assert row["response"] == text


def test_the_standard_library_is_split_by_module(tmp_path):
    folder, _ = pairs.prepare("python-stdlib", tmp_path)
    books = _assert_books_balance(folder)
    assert books["num_train"] >= 2500 and books["num_validation"] >= 50 and books["num_rejected"] == 0
    assert sum(books["kinds"].values()) == books["num_kept"]
    for row in pairs.load(folder, "validation"):
        assert row["source"] == "python-stdlib" and row["license"] == "PSF-2.0"
        assert pairs.split_of(row["origin"]) == "validation"


def test_every_row_of_gpteacher_is_accounted_for(tmp_path):
    if not GPTEACHER_FILE.exists():
        pytest.skip(f"GPTeacher's file is not at {GPTEACHER_FILE}")
    folder, _ = pairs.prepare(sources.GPTEACHER, tmp_path, gpteacher_file=str(GPTEACHER_FILE))
    books = _assert_books_balance(folder)
    assert books["num_read"] == books["num_kept"] == 4535


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(UserError, match="01_data"):
        pairs.load(tmp_path / "pairs" / "none", "train")
    with pytest.raises(UserError, match="Did you mean 'validation'"):
        pairs.load(tmp_path, "validaton")
