"""What the playground keeps: records that come back, Markdown that no answer breaks out of, pairs of one's own."""

import json
import re

import pytest
from nbconvert.filters.markdown_mistune import markdown2html_mistune as markdown2html

from support.payloads import PAYLOADS
from utils.data import pairs, reader
from utils.errors import UserError
from utils.model.prompt_modes import Question
from utils.playground import history
from utils.playground.history import Written
from utils.widgets.history_panel import HistoryPanel

PAIR = {"instruction": "Add.", "input": "", "response": "1 + 1"}


def _record(run_dir, text="print()", model="base"):
    answer = Written(text, "limit", [5, 6], 2, 0.1, 20.0).__dict__
    column = {"model": model, "name": "embedded", "prompt": "p", "note": "", "answers": [answer]}
    return history.append(run_dir, Question("Instruction", "Print.", ""), [column])


def test_records_come_back_and_a_line_cut_short_costs_only_itself(tmp_path):
    assert history.load(tmp_path) == ([], 0)
    kept = [_record(tmp_path)]
    with open(tmp_path / history.HISTORY, "a") as file:
        file.write('{"time": "20')
    assert history.load(tmp_path)[1] == 1
    kept.append(_record(tmp_path, "x = '\u2028'"))
    found, num_broken = history.load(tmp_path)
    assert num_broken == 1 and '{"time": "20\n' in (tmp_path / history.HISTORY).read_text(), "it stays in the file"
    assert [one["columns"] for one in found] == [one["columns"] for one in kept]
    assert Written(**found[0]["columns"][0]["answers"][0]) == Written("print()", "limit", [5, 6], 2, 0.1, 20.0)


def test_markdown_holds_every_text_in_a_fence_it_cannot_end(tmp_path):
    hostile = "```\n<script>alert(1)</script>\n`````\n# head"
    text = history.markdown(_record(tmp_path, hostile, model="a`b<img>"))
    assert f"``````\n{hostile}\n``````" in text
    assert "## `a'b<img>`" in text and "temperature 0" in text and "2 tokens, ended by: `limit`" in text


@pytest.mark.parametrize("text", [text for text in PAYLOADS if len(text) < 9000], ids=str.__len__)
def test_no_text_of_a_record_becomes_markup(tmp_path, text):
    record = _record(tmp_path, text, model=text)
    record["columns"][0]["note"] = record["columns"][0]["answers"][0]["reason"] = text
    record |= {"time": text, "mode": text, "instruction": text, "input": text, "text": text}
    record["settings"] |= {text: text}
    page = markdown2html(history.markdown(record))
    assert set(re.findall(r"<(\w+)", page)) <= {"h1", "h2", "p", "strong", "pre", "code", "a", "div", "span"}
    assert not re.search('(href|src)="(?!#)', page), "links are those of headings"
    path = history.save_markdown(tmp_path, record)
    assert path.parent == tmp_path and path.stat().st_size


def test_markdown_is_never_written_over(tmp_path):
    record = _record(tmp_path)
    paths = [history.save_markdown(tmp_path, record) for _ in range(3)]
    assert len(set(paths)) == 3 and all(path.read_text() == history.markdown(record) for path in paths)


def test_own_pairs_are_a_data_set_that_the_workbook_reads(tmp_path):
    path = tmp_path / "mine.jsonl"
    assert history.add_pair(path, PAIR, {"model": "base"}) == 1
    path.write_text(path.read_text().rstrip("\n"))  # as an editor leaves it
    assert history.add_pair(path, PAIR | {"response": "2 ü"}, {"model": "tuned"}) == 2
    assert [row.pair["response"] for row in reader.read(path)] == ["1 + 1", "2 ü"]
    folder, _ = pairs.prepare(str(path), tmp_path)
    assert sum(len(pairs.load(folder, split)) for split in ("train", "validation")) == 2
    origins = (tmp_path / "mine.origins.jsonl").read_text().splitlines()
    assert len(origins) == 2 and '"model": "tuned"' in origins[1]


def test_a_pair_is_one_line_whatever_is_in_it(tmp_path):
    path, pair = tmp_path / "mine.jsonl", PAIR | {"response": "a\u2028b\x85c"}
    assert history.add_pair(path, pair, {}) == 1
    with pytest.raises(UserError, match="has this pair already"):
        history.add_pair(path, pair, {})
    path.write_text(path.read_text() + "\n")
    assert history.add_pair(path, PAIR, {}) == 2
    assert [row.pair["response"] for row in reader.read(path)] == [pair["response"], PAIR["response"]]


def test_a_pair_and_its_origin_are_written_or_neither(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert history.add_pair("~/mine.jsonl", PAIR, {"settings": {"stop": "\ud800"}}) == 1
    assert (tmp_path / "mine.origins.jsonl").read_text().count("\n") == 1
    (tmp_path / "wide.jsonl").write_text('{"instruction": "a"}\n', "utf-16")
    content = (tmp_path / "wide.jsonl").read_bytes()
    refused = {tmp_path / "wide.jsonl": "is not UTF-8", "~no-such-user/mine.jsonl": "cannot be used: .* home"}
    for path, message in refused.items():
        with pytest.raises(UserError, match=message):
            history.add_pair(path, PAIR, {})
    for change, message in (({"response": "\ud800"}, "not a pair yet"), ({"response": " "}, "'response' is blank")):
        with pytest.raises(UserError, match=message):
            history.add_pair(tmp_path / "mine.jsonl", PAIR | change, {})
    with pytest.raises(UserError, match="must end in .jsonl"):
        history.add_pair(tmp_path / "mine.txt", PAIR, {})
    assert (tmp_path / "wide.jsonl").read_bytes() == content and len(list(tmp_path.iterdir())) == 3


def test_a_record_that_no_page_can_hold_is_left_out_and_long_names_are_cut(tmp_path):
    records = [_record(tmp_path), _record(tmp_path, "\ud800"), _record(tmp_path, model="m" * 10**6)]
    records.append(records[0] | {"time": "T" * 10**6, "mode": "$" * 10**6})
    (tmp_path / history.HISTORY).write_text("".join(json.dumps(record) + "\n" for record in records))
    panel = HistoryPanel(tmp_path, tmp_path, print)
    assert len(panel.records) == 3 and "1 unreadable lines" in panel.message.value
    for index in range(3):
        panel.chosen.value = index
        assert all(len(label) < 300 for label, _ in (*panel.chosen.options, *panel.answer.options))
