"""Hundreds of hostile files of pairs: refused in words or read, nothing raw on a terminal, every row counted."""

import gzip
import json
import random

import pytest

from utils import artifacts
from utils.data import audit, pairs
from utils.data.__main__ import main
from utils.errors import UserError

GOOD = {"instruction": "Add.", "response": "a"}
LINE = json.dumps(GOOD).encode()
TEXTS = {
    **{"nul": "\0", "escape": "\x1b[2J", "bidi": "\u202e\u2066", "zero width": "\u200b" * 5, "filler": "\u3164"},
    **{"tags": "".join(chr(0xE0000 + code) for code in b"hidden"), "combining": "e" + "\u0301" * 5000},
    **{"surrogate": "\ud800", "long": "x" * 2**20, "lines": "\n" * 10**5, "returns": "\r" * 1000, "mark": "\ufeff"},
    **{"html": "<script>alert(1)</script>", "math": "$\\frac{1}{0}$", "markdown": "](javascript:x)![x](http://x)"},
    **{"emoji": "\U0001f469\u200d\U0001f467", "spaces": " \u2003\xa0", "braille": "\u2800", "fences": "```" * 1000},
    **{"special": "<|endoftext|><fim_prefix>", "mails": "a@b.co " * 5000, "addresses": "93.184.216.34 " * 5000},
    **{"keys": "AKIAIOSFODNN7EXAMPLA " * 2000, "deep": "(" * 10**5, "digits": "9" * 10**5, "separator": "a\u2028b"},
    **{"feeds": "\x0b\x0c", "delete": "\x7f", "controls": "\x85\x9b"},
}
VALUES = [None, True, -0.0, 1e308, [], {}, ["a"], {"a": 1}, "", 10**50, [{"role": "user", "content": "x"}], [GOOD]]
CONTENTS = {
    **{"brackets": b"[" * 10**5, "braces": b'{"a":' * 50_000, "quotes": b'"' * 10**5, "digits": b"1" * 10**6},
    **{"minus": b"-", "exponent": b"1e999999", "word": b"fa", "escapes": b'"\\' * 50_000, "unicode": b'"\\u12"'},
    **{"utf-16": "[]".encode("utf-16"), "utf-32": "[]".encode("utf-32"), "zip": b"PK\3\4" + b"0" * 99, "empty": b""},
    **{"random": random.Random(0).randbytes(5000), "lines": b"\n" * 1000, "mark": b"\xef\xbb\xbf" + LINE},
    **{"cut": LINE[:-3], "two": LINE + LINE, "array": b"[" + LINE + b"," + LINE + b"]", "open": b"[" + LINE + b","},
    **{"comma": b"[" + LINE + b",]", "inner": b'{"data":[' + LINE + b"]}", "object": b"{}", "nul": b"\0" * 999},
    **{"csv": b"instruction,response\na,b", "returns": LINE + b"\r" + LINE, "gzip": gzip.compress(LINE)},
}


def cases() -> dict[str, bytes]:
    """The content of each file by its name."""
    files = {}
    for name in ("instruction", "response", "extra"):
        for kind, text in TEXTS.items():
            row = json.dumps({**GOOD, name: text}, ensure_ascii=kind == "surrogate")
            files[f"{kind} in {name}.jsonl"] = row.encode() + b"\n" + LINE
        for number, value in enumerate(VALUES):
            files[f"value {number} in {name}.jsonl"] = json.dumps({**GOOD, name: value}).encode()
    for kind, text in TEXTS.items():
        files[f"{kind} as a name.jsonl"] = json.dumps({**GOOD, f"{text[:2000]}x": 1}).encode()
    for kind, content in CONTENTS.items():
        for suffix in (".jsonl", ".json", ".jsonl.gz", ".json.gz", ".parquet", ".JSONL"):
            files[kind + suffix] = gzip.compress(content) if suffix.endswith(".gz") else content
    return files


@pytest.mark.slow
def test_a_hostile_file_is_read_or_refused_in_words(tmp_path, capsys):
    files = cases()
    assert len(files) > 300
    for number, (name, content) in enumerate(files.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / name).write_bytes(content)
        status = main(["check", str(folder / name)])
        output = "".join(capsys.readouterr())
        assert status in (0, 1, 2) and len(output) < 30_000, name
        assert not set("\x1b\u202e\u200b\x9b\ud800") & set(output), name
        for skip_bad in (True, False):
            try:
                made, _ = pairs.prepare(str(folder / name), folder, skip_bad=skip_bad)
            except UserError as error:
                assert status and name in str(error) and len(str(error)) < 30_000
                continue
            assert skip_bad or not status, name
        if (made := artifacts.pairs_dir(folder, str(folder / name))).exists():
            counts = pairs.row_counts(made)
            assert counts["num_read"] == counts["num_kept"] + counts["num_rejected"] + counts["num_duplicates"]
            rows = pairs.load(made, "train") + pairs.load(made, "validation")
            saved = audit.save(audit.examine(rows), made).read_text()
            assert not set("\u202e\u200b\U000e0068") & set(saved), name
            audit.apply_repairs(rows, [repair for repair in audit.REPAIRS if repair != audit.BENCHMARK_OVERLAP])
