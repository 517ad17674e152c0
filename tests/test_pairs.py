"""Strict reading, cleaning, the split by origin and the row counts."""

import json
from pathlib import Path

import pytest

from utils.data import pairs, sources
from utils.data.__main__ import main
from utils.data.reader import Fields
from utils.errors import UserError


def _row(instruction="Add two numbers.", response="a + b", **others):
    return {"instruction": instruction, "response": response} | others


def _file(folder: Path, rows: list, name="mine.jsonl") -> str:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    text = "[" + ",\n".join(lines) + "]" if name.endswith(".json") else "".join(line + "\n" for line in lines)
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def _assert_counts_add_up(folder: Path) -> dict:
    counts, parts = pairs.row_counts(folder), {part: pairs.load(folder, part) for part in pairs.PARTS}
    assert counts["num_read"] == counts["num_kept"] + counts["num_rejected"] + counts["num_duplicates"]
    assert counts["num_kept"] == counts["num_train"] + counts["num_validation"]
    assert [len(parts[part]) for part in pairs.PARTS] == [
        counts[name] for name in ("num_train", "num_validation", "num_rejected")
    ]
    assert not {row["origin"] for row in parts["train"]} & {row["origin"] for row in parts["validation"]}
    assert json.loads((folder / pairs.REPORT).read_text()) == counts
    return counts


BAD_LINES = [
    b"[1, 2]",
    b'{"instruction": "a", "output": "b"}',
    b'{"instruction": "a", "response": ""}',
    b'{"instruction": "a", "response": "\xff\xed\xa0\x80"}',
    b'{"instruction": "a", "response": "b"} {}',
    rb'{"instruction": "a", "response": "b\ud800"}',
    b'{"instruction": "cut',
]


def test_a_file_with_faults_is_refused_with_all_of_them_and_nothing_changes(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_bytes(b"\n".join([json.dumps(_row()).encode(), *BAD_LINES]))
    with pytest.raises(pairs.Refused) as error:
        pairs.prepare(str(path), tmp_path)
    message = str(error.value)
    assert "SKIP_BAD=1" in message and "MAP='response=output'" in message
    for number in range(2, 2 + len(BAD_LINES)):
        assert f"{path}:{number}:" in message
    assert not (tmp_path / "pairs" / "mine").exists()
    path.write_text(json.dumps(_row()))
    folder, _ = pairs.prepare(str(path), tmp_path)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    path.write_bytes(b"".join(BAD_LINES))
    with pytest.raises(UserError):
        pairs.prepare(str(path), tmp_path)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert [file.name for file in folder.parent.iterdir()] == [folder.name]


def test_bad_rows_that_are_skipped_are_kept_byte_for_byte_and_every_row_is_accounted_for(tmp_path):
    good = [_row(), _row(response="a - b"), _row(response="a + b \r\n"), _row(response="a + b", input=" ")]
    path = tmp_path / "mine.jsonl"
    path.write_bytes(b"\n".join([*(json.dumps(row).encode() for row in good), *BAD_LINES]))
    folder, is_kept = pairs.prepare(str(path), tmp_path, skip_bad=True)
    counts = _assert_counts_add_up(folder)
    assert not is_kept
    assert (counts["num_kept"], counts["num_duplicates"], counts["num_rejected"]) == (2, 2, len(BAD_LINES))
    rejects = pairs.load(folder, "rejects")
    assert [row["text"].encode("utf-8", "surrogateescape") for row in rejects] == BAD_LINES
    assert [row["line"] for row in rejects] == [*range(5, 5 + len(BAD_LINES))]
    assert "no field 'response'" in rejects[1]["reason"]


def test_a_syntax_error_in_an_array_that_is_skipped_costs_the_rest_of_it(tmp_path):
    (tmp_path / "mine.json").write_text(f"[{json.dumps(_row())}, {json.dumps(_row('Subtract.'))}, x")
    with pytest.raises(pairs.Refused, match="mine.json:1:"):
        pairs.prepare(str(tmp_path / "mine.json"), tmp_path)
    folder, _ = pairs.prepare(str(tmp_path / "mine.json"), tmp_path, skip_bad=True)
    assert _assert_counts_add_up(folder)["num_kept"] == 2


def test_the_command_tells_every_fault_and_exits_by_what_it_found(tmp_path, capsys):
    path = tmp_path / "mine.jsonl"
    path.write_bytes(b"\n".join([json.dumps(_row()).encode()] * 2 + BAD_LINES))
    assert main(["check", str(path)]) == 1
    output = capsys.readouterr()
    for number in range(2, 3 + len(BAD_LINES)):
        assert f"{path}:{number}:" in output.out
    assert f"{path}:2: the same pair as line 1; remove one\n" in output.out
    assert "9 rows, 1 of them good" in output.err
    assert main(["prepare", str(path), "--data", str(tmp_path)]) == 1
    assert main(["prepare", str(path), "--data", str(tmp_path), "--skip-bad"]) == 0
    path.write_text(json.dumps({"instruction": "a", "output": "b", "id": 1}))
    assert main(["check", str(path), "--map", "response=output", "--ignore", "id"]) == 0
    assert capsys.readouterr().err.endswith("1 row, 1 of them good; 0 faults\n")
    assert main(["check", str(tmp_path / "none.jsonl")]) == 2
    assert main(["check", str(path), "--map", "output"]) == 2
    assert main(["check", "python-stdlib"]) == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error and "got python-stdlib; for it use prepare" in error
    assert main(["prepare", "python-stdlib", "--data", str(tmp_path), "--map", "response=output"]) == 2
    assert "concern the fields of a file; python-stdlib is none" in capsys.readouterr().err


def test_faults_of_names_are_reported_once_and_those_of_values_by_row(tmp_path, capsys):
    rows = [{"id": number, "instruction": f"Add 1 and {number}.", "output": "x"} for number in range(80)]
    path = _file(tmp_path, [*rows, {"id": 80, "instruction": "", "output": "x"}])
    with pytest.raises(pairs.Refused) as error:
        pairs.prepare(path, tmp_path)
    message = str(error.value).replace(path, "FILE").splitlines()
    assert message == [
        "FILE: none of its 81 rows can be used. Nothing was changed.",
        "FILE: 81 of 81 rows, the first in line 1: no field 'response'; 'output' seems to be it",
        "FILE: 81 of 81 rows, the first in line 1: an unknown field 'id'",
        "FILE:81: 'instruction' is empty",
        "If that is right: MAP='response=output' and IGNORE='id'.",
        "Correct the file.",
    ]
    assert main(["check", path]) == 1
    assert "If that is right: --map 'response=output' and --ignore 'id'." in capsys.readouterr().out
    with pytest.raises(pairs.Refused, match="81 rows cannot be used.*\n.*:81: .*\n.*these rows out: SKIP_BAD=1"):
        pairs.prepare(path, tmp_path, fields=Fields.parse("response=output", "id"))


def test_only_names_that_no_shell_interprets_are_advised(tmp_path, capsys):
    path = _file(tmp_path, [_row(**{"it's$(id>&2)": 1, "-x": 1, "a;b": 1, "meta.id": 1})])
    assert main(["check", path]) == 1
    assert "If that is right: --ignore 'meta.id'.\n" in capsys.readouterr().out
    path = _file(tmp_path, [_row(**{"k" * 99 + str(number): 1 for number in range(5)})])
    assert main(["check", path]) == 1
    assert f"{path}:1: an unknown field 'kkk" in capsys.readouterr().out


def test_reading_stops_where_no_row_can_be_used(tmp_path, monkeypatch):
    monkeypatch.setattr(pairs, "MAX_FAULTS", 1000)
    path = _file(tmp_path, [{}] * 5000)
    for skip_bad in (False, True):
        with pytest.raises(pairs.Refused, match="none of its 500 rows can be used; reading stopped there"):
            pairs.prepare(path, tmp_path, skip_bad=skip_bad)
    path = _file(tmp_path, [_row(), *[{}] * 5000])
    assert _assert_counts_add_up(pairs.prepare(path, tmp_path, skip_bad=True)[0])["num_rejected"] == 5000


def test_names_from_outside_cannot_act_on_the_terminal(tmp_path, capsys):
    path = tmp_path / "\x1b[31mred\udcff.jsonl"
    path.write_text(json.dumps({"\x1b]0;title\x07": "a"}))
    assert main(["check", str(path)]) == 1 and main(["check", str(path.with_name("no\x1b.jsonl"))]) == 2
    output = capsys.readouterr()
    for text in (output.out, output.err):
        assert "\x1b" not in text and "\x07" not in text and text.isascii()
    path.write_text(json.dumps(_row()))
    folder, _ = pairs.prepare(str(path), tmp_path)
    (row,) = pairs.load(folder, "train") + pairs.load(folder, "validation")
    assert folder.parent == tmp_path / "pairs" and folder.name.isascii() and "\x1b" not in row["source"]


def test_chosen_repairs_are_recorded_and_what_they_leave_out_is_kept(tmp_path):
    tasks = [f"Write a function that adds the numbers in a list of {n} integers and returns the sum." for n in "ab"]
    path = _file(tmp_path, [_row(tasks[0]), _row(tasks[1]), _row("Mail to ann@mail.org.", "ann@mail.org")])
    folder, _ = pairs.prepare(path, tmp_path, repairs=("near_duplicates", "emails"))
    counts = _assert_counts_add_up(folder)
    assert (counts["num_kept"], counts["num_rejected"]) == (2, 1)
    assert [record["repair"] for record in counts["repairs"]] == ["emails", "near_duplicates"]
    (reject,) = pairs.load(folder, "rejects")
    assert reject["reason"].startswith("near_duplicates: ") and json.loads(reject["text"])["instruction"] == tasks[1]
    kept = (folder / "train.jsonl").read_text() + (folder / "validation.jsonl").read_text()
    assert "ann" not in kept and "user@example.com" in kept
    assert pairs.prepare(path, tmp_path, repairs=("near_duplicates", "emails"))[1]
    assert not pairs.prepare(path, tmp_path)[1]


def test_a_benchmark_reaches_the_repair(tmp_path):
    task = "Write a function that adds two numbers and returns the sum of both of them."
    (tmp_path / "tasks.jsonl").write_text(json.dumps({"prompt": task, "canonical_solution": "return a + b"}))
    path = _file(tmp_path, [_row(task), _row("Subtract.", "a - b")])
    benchmarks = sources.benchmarks(str(tmp_path / "tasks.jsonl"), tmp_path)
    folder, _ = pairs.prepare(path, tmp_path, repairs=("benchmark_overlap",), benchmarks=benchmarks)
    assert (_assert_counts_add_up(folder)["num_kept"], len(pairs.load(folder, "rejects"))) == (1, 1)
    with pytest.raises(UserError, match="none.jsonl cannot be read"):
        pairs.prepare(path, tmp_path, benchmarks=sources.benchmarks("none.jsonl", tmp_path))


def test_pairs_are_kept_until_something_they_were_made_from_changes(tmp_path, monkeypatch):
    path, fields = _file(tmp_path, [_row()]), Fields.parse(ignored="output")
    assert [pairs.prepare(path, tmp_path)[1] for _ in range(2)] == [False, True]
    assert [pairs.prepare(path, tmp_path, fields=fields)[1] for _ in range(2)] == [False, True]
    _file(tmp_path, [_row(output="other"), _row("Subtract.", output="-")])
    folder, is_kept = pairs.prepare(path, tmp_path, fields=fields)
    assert not is_kept and pairs.row_counts(folder)["num_read"] == 2
    (folder / "train.jsonl").unlink()
    assert not pairs.prepare(path, tmp_path, fields=fields)[1]
    monkeypatch.setattr(pairs.artifacts, "code_sha256", lambda *modules: "another version")
    assert not pairs.prepare(path, tmp_path, fields=fields)[1]


def test_pairs_that_were_damaged_are_made_again(tmp_path):
    path = _file(tmp_path, [_row(f"Task {number}") for number in range(9)])
    folder, _ = pairs.prepare(path, tmp_path)
    whole = {file.name: file.read_bytes() for file in folder.iterdir()}
    manifest = json.loads(whole["manifest.json"])
    damages = {
        "train.jsonl": whole["train.jsonl"][:-20],
        "report.json": b"{}",
        "manifest.json": json.dumps(manifest | {"facts": {}}).encode(),
    }
    for name, damaged in damages.items():
        (folder / name).write_bytes(damaged)
        if name == "train.jsonl":
            with pytest.raises(UserError, match="damaged: .* Run notebook 01_data again"):
                pairs.load(folder, "train")
        assert not pairs.prepare(path, tmp_path)[1]
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == whole


def test_rows_keep_their_side_when_rows_are_added(tmp_path):
    rows = [_row(f"Task {number}", f"answer {number}") for number in range(400)]
    more = [_row(f"New task {number}") for number in range(400)] + rows
    more += [
        _row(f"  TASK\n{number}.", f"another answer {number}") for number in range(400)
    ]  # the same origins as `rows`
    sides = []
    for name, some in (("few.jsonl", rows), ("more.jsonl", more)):
        folder, _ = pairs.prepare(_file(tmp_path, some, name), tmp_path)
        _assert_counts_add_up(folder)
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
    row = json.dumps({"instruction": "Say it.", "output": text, "id": 7}, ensure_ascii=False)
    folder, _ = pairs.prepare(_file(tmp_path, [row]), tmp_path, fields=Fields.parse("response=output", "id"))
    (row,) = pairs.load(folder, "train") + pairs.load(folder, "validation")
    known = {"origin": "say it", "source": "mine.jsonl", "license": "not stated"}
    assert row == {"instruction": "Say it.", "input": "", "response": text} | known


def test_every_row_of_gpteacher_is_accounted_for(tmp_path, shared_data):
    path = shared_data / "gpteacher" / "codegen-instruct.json"
    folder, _ = pairs.prepare(sources.GPTEACHER, tmp_path, gpteacher_file=str(path))
    counts = _assert_counts_add_up(folder)
    assert counts["num_read"] == counts["num_kept"] == 4535


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(UserError, match="01_data"):
        pairs.load(tmp_path / "pairs" / "none", "train")
    with pytest.raises(UserError, match="Did you mean 'validation'"):
        pairs.load(tmp_path, "validaton")
