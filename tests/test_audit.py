"""The data doctor: what it finds and what it must not, what its repairs touch, and that secrets stay secret."""

import asyncio
import gzip
import html
import json
import re
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.data import audit, contamination, languages, near_duplicates, ngram_index, pairs, pii, secrets
from utils.errors import UserError
from utils.widgets import data_doctor

TEXT = ("instruction", "input", "response")
# Put together here, so that no scanner of repositories takes them for real ones.
AWS_KEY = "AKIA" + "Q7ZP2M9XK4T8WV3B"
GITHUB_TOKEN = "ghp_" + "a8Kd03LmQz71Xy5RtB29WcVn64PsJh0EfGu2"
PEM = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEowIBAAKCAQEA7v9qk2\nQz81mX0\n-----END RSA PRIVATE KEY-----"
ASSIGNED = "Zk4" + "mQ9vX2pL7sT1wR8"


def row(instruction="Say it.", response="It.", input="", **more):
    return {"instruction": instruction, "input": input, "response": response, **more}


def finding(name, rows, files=()):
    return next(found for found in audit.examine(rows, files) if found.name == name)


def left_out(name, rows, files=()):
    repaired, (record,) = audit.apply_repairs(rows, [name], files)
    assert record["num_left_out"] == len(record["reasons"]) == repaired.count(None)
    assert set(record["reasons"]) == {number for number, row in enumerate(repaired) if row is None}
    return record["reasons"]


@pytest.fixture
def benchmark(tmp_path):
    path = tmp_path / "tasks.jsonl.gz"
    prompt = (
        "def peaks(xs):\n    '''Return every number that is larger than both of the numbers beside it, in order.'''\n"
    )
    tasks = [
        {"task_id": "T/1", "prompt": prompt, "canonical_solution": "    return [x for x in xs if x]\n"},
        {
            "task_id": "T/2",
            "prompt": "def short(): ...",
            "canonical_solution": "return ''.join(\n        strings_here)",
        },
        {"task_id": "T/3", "prompt": "def tiny(): ...", "canonical_solution": "return a"},
    ]
    with gzip.open(path, "wt") as file:
        file.write("\n".join(map(json.dumps, tasks)) + "\n\n")
    return str(path)


def test_near_duplicates_name_the_first_row_and_the_true_similarity():
    rows = [
        row("Write a Python function that adds two whole numbers a and b.", "def add(a, b):\n    return a + b"),
        row("Draw a picture of a cat."),
        row("Write a Python function that adds two whole numbers, A and B!", "def plus(a, b):\n    return a + b"),
        row("Write a Python function that adds two real numbers a and b.", "def add(a, b):\n    return a + b"),
        row("Write a Java function that adds two whole numbers a and b.", "public int add(int a, int b) {}"),
        row(
            "Write a Python function that adds two whole numbers.", "def add(a, b):\n    return a + b", kind="complete"
        ),
        row("Write a Python function that adds two real numbers c and b.", "def add(c, b):\n    return c + b"),
        row("Write a Python function that adds two whole numbers a and b.", "def add(a, b): ...", kind="explain"),
    ]
    found = finding("near_duplicates", rows)
    assert found.rows == [2, 3], "fewer of the words, another language and another kind are something else"
    assert [example.note for example in found.examples] == ["like row 0: Jaccard 1.00", "like row 0: Jaccard 0.83"]
    assert "-Write a Python function that adds two real" in found.examples[1].diff
    assert set(left_out("near_duplicates", rows)) == {2, 3}


def test_the_same_instruction_on_other_inputs_is_no_near_duplicate():
    codes = ["def f(x):\n    return x + 1", "class Queue:\n    pass", "for line in open(path):\n    print(line)"]
    assert finding("near_duplicates", [row("Explain this.", "It is code.", code) for code in codes]).count == 0


words = st.lists(st.sampled_from("abcdefghijklmnop"), min_size=1, max_size=12).map(" ".join)


@settings(max_examples=30, deadline=None)
@given(st.lists(words, max_size=25))
def test_similar_says_what_comparing_all_pairs_says(texts):
    sets = [set(text.split()) for text in texts]

    def jaccard(one, two):
        return len(sets[one] & sets[two]) / len(sets[one] | sets[two])

    found = near_duplicates.similar(texts)
    stays = [number for number in range(len(texts)) if number not in found]
    for number, (first, same) in found.items():
        assert first < number and first in stays and same == jaccard(number, first) >= 0.8
    # MinHash may miss a pair, but hardly one that is not on the threshold.
    assert all(jaccard(one, two) < 0.9 for one in stays for two in stays if one < two)


@settings(max_examples=40, deadline=None)
@given(st.lists(words, max_size=6), words)
def test_spans_are_the_runs_that_stand_in_the_rows(texts, text):
    n = 3
    spans = ngram_index.NgramIndex(texts, n).spans(text)
    for start, end, number in spans:
        assert f" {text[start:end]} " in f" {texts[number]} " and len(text[start:end].split()) >= n
    tokens, covered = text.split(), {(span.row, place) for span in spans for place in range(span.start, span.end)}
    for first in range(len(tokens) - n + 1):
        run, place = " ".join(tokens[first : first + n]), 2 * first  # words of one letter
        for number, other in enumerate(texts):
            assert (f" {run} " not in f" {other} ") or (number, place) in covered


def test_a_span_is_as_long_as_it_can_be_and_takes_no_text_for_another():
    index = ngram_index.NgramIndex(["x = 1 ; y", "", "for i in range ( 10 ) : print ( i )", "= 2 ; z"], n=4)
    text = "Try FOR i in  range(10): print(i) instead"
    (span,) = index.spans(text)
    assert (text[span.start : span.end], span.row) == ("FOR i in  range(10): print(i)", 2)
    (first, second) = index.spans("for i in range [ 10 ) : print [")
    assert (first.end, second.start) == (14, 17), "two stretches, with something else between them, are not one"
    assert index.spans("; y for i") == [], "a run from one row into the next is none"
    assert index.spans("") == ngram_index.NgramIndex([]).spans(text) == []


def test_benchmark_rows_are_shown_beside_the_task(benchmark):
    rows = [
        row("Which numbers are peaks?", "Return every number that is LARGER than both of the numbers, beside it."),
        row("Join strings.", "def f():\n    return ''.join( strings_here)".replace("( ", "(\n ")),
        row("Give a back.", "return a"),
        row("Nothing of the kind."),
    ]
    found = finding("benchmark_overlap", rows, [benchmark])
    assert found.rows == [0, 1] and found.counts["tasks found"] == 2
    assert "T/1: 13 consecutive words" in found.examples[0].note and "def peaks" in found.examples[0].beside
    assert "T/2: its whole solution" in found.examples[1].note
    assert set(left_out("benchmark_overlap", rows, [benchmark])) == {0, 1}


def test_no_benchmark_is_said_and_no_repair_of_it_is_made():
    found = finding("benchmark_overlap", [row()])
    assert not found.is_checked and "name a benchmark" in found.meaning and data_doctor.how_many(found) == "not checked"
    with pytest.raises(UserError, match="BENCHMARKS"):
        audit.apply_repairs([row()], ["benchmark_overlap"])


def test_what_is_no_task_of_a_benchmark_is_named_with_its_line(tmp_path):
    path = tmp_path / "mbpp.jsonl"
    path.write_text('{"prompt": "Add.", "canonical_solution": "return 1", "task_id": 7}\n')
    assert contamination.read([str(path)]) == [("mbpp 7", "Add.", "return 1")]
    for second, message in {
        '{"text": "a"}': "mbpp.jsonl:2: a task has the text field 'prompt'.* Rename the fields",
        '{"prompt": "a", "canonical_solution": 1}': "mbpp.jsonl:2: a task has",
        '{"prompt": ': "mbpp.jsonl:2:12: not JSON",
        "[]": "mbpp.jsonl:2: expected an object",
    }.items():
        path.write_text(f'{{"prompt": "a"}}\n{second}\n')
        with pytest.raises(UserError, match=message):
            contamination.read([str(path)])
    with pytest.raises(UserError, match="cannot be read"):
        contamination.read([str(tmp_path / "none.jsonl")])


BROKEN = "def f(x):\n    return (x"
PYTHON_CASES = {
    "broken": (row("Write a Python function.", BROKEN), "line 2"),
    "spaces lost": (row("Write a Python function.", "deff(x):\n    return x\nprint(f(1))"), "line 1"),
    "fenced": (row("Write a Python function.", f"Here you are:\n```python\n{BROKEN}\n```\nHave fun."), "line 2"),
    "NUL": (row("Write a Python function.", "import os\nx = 1\0"), "null"),
    "sound": (row("Write a Python function.", "def f(x):\n    return x"), ""),
    "fenced and sound": (row("In Python?", "Use this:\n```\nprint(1)\n```\nIt is enough, as you see."), ""),
    "the rest of a function": (
        row("Complete this Python.", "    for x in y:\n        f(x)\n#   off\n    return 1"),
        "",
    ),
    "prose": (row("Explain this Python.", "The function takes (a number and returns it, print it or not."), ""),
    "prose with code": (row("In Python?", "You can use a function for that:\n\ndef f(x):\n    return x"), ""),
    "another language": (row("Translate this Python into C++.", "#include <list>\nint f(int x) { return x; }"), ""),
    "a session": (row("In Python?", "```python\n>>> import os\n>>> os.sep\n```"), ""),
    "too deep": (row("Python?", "import os\nx = " + "-" * 100_000 + "1"), ""),
    "an odd escape": (row("Python?", "import re\nre.match('\\d', x)"), ""),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", PYTHON_CASES)
def test_only_python_that_python_refuses_is_flagged(case):
    pair, fault = PYTHON_CASES[case]
    found = languages.python_fault(pair, languages.guess(pair))
    assert fault in found and bool(found) == bool(fault)
    assert set(left_out("unparsable", [pair])) == ({0} if fault else set())


def test_languages_are_guessed_from_fence_then_instruction_then_looks():
    code = "function f(x) {\n  return x;\n}"
    assert languages.guess(row("In Python?", f"```js\n{code}\n```")) == "JavaScript"
    assert languages.guess(row("Translate Python to JavaScript.", code)) == "JavaScript"
    assert languages.guess(row("Do it.", f"```jsx\n{code}\n```")) == "JavaScript"
    assert languages.guess(row("Write a C function.", "int f(int x) {}")) == "C"
    assert languages.guess(row("Do it.", "SELECT a FROM b;")) == "SQL"
    assert languages.guess(row("Why?", "It is said that nobody knows why it is.")) == languages.PROSE
    assert languages.guess(row("Why?", "42")) == languages.UNKNOWN


@pytest.mark.parametrize(
    ("text", "kind", "repaired"),
    [
        ("Write to ann.lee@mail.io, now", "emails", "Write to user@example.com, now"),
        ("host = '93.184.216.34'", "ip_addresses", "host = '192.0.2.1'"),
        ("http://93.184.216.34:80/", "ip_addresses", "http://192.0.2.1:80/"),
        ("[2606:4700::6810:84e5]", "ip_addresses", "[2001:db8::1]"),
        (f"key = '{AWS_KEY}'", "secrets", "key = 'REDACTED_SECRET'"),
        (f"{GITHUB_TOKEN} is it", "secrets", "REDACTED_SECRET is it"),
        (f"pem = '''{PEM}'''", "secrets", "pem = '''REDACTED_SECRET'''"),
        (f'{{"api_key": "{ASSIGNED}"}}', "secrets", '{"api_key": "REDACTED_SECRET"}'),
        ("if admin:\u202e # nothing\u2066", "hidden_characters", "if admin: # nothing"),
        ("a\u200bb \U000e0041", "hidden_characters", "ab "),
    ],
)
def test_what_is_private_is_counted_masked_and_replaced(text, kind, repaired):
    rows = [row(), row(input=text, origin=text), row()]
    found = {one.name: one for one in audit.examine(rows)}
    assert [name for name in pii.KINDS if found[name].count] == [kind] and found[kind].rows == [1]
    (changed, (record,)) = audit.apply_repairs(rows, [kind])
    assert changed == [rows[0], {**rows[1], "input": repaired}, rows[2]] and record["num_changed"] == 1
    assert audit.apply_repairs(changed, [kind])[1][0]["num_changed"] == 0


@pytest.mark.parametrize(
    "text",
    [
        "a@example.com, b@test.example, c@localhost, git@github.com:a/b.git, @app.route('/'), y = x@w.T, q = x@self.w",
        "127.0.0.1, 10.0.0.7, 192.168.1.1, 0.0.0.0, 255.255.255.0, 203.0.113.9, 2001:db8::7, ::1, 999.1.1.1, 1.2.3.4.5",
        "version 4.18.7.1, lib==2.31.4.5, lib>=2.31.4.5, v4.18.7.1, std::dec, a[::2], 12:30:45",
        "api_key = 'your_api_key_1234567890', password = 'correct-horse-battery-staple', token = os.environ['T']",
        "sk-learn, AKIA, ghp_short, task-list-of-everything-that-is-left, id = 'ab12'",
    ],
)
def test_what_looks_private_and_is_not_stays(text):
    assert pii.find(text) == []


def test_what_is_a_key_twice_over_is_counted_and_replaced_once():
    assert pii.replace(f"secret_key = '{AWS_KEY}'", "secrets") == "secret_key = 'REDACTED_SECRET'"
    assert len(pii.find(f"secret_key = '{AWS_KEY}'")) == 1


def test_nothing_private_is_shown_or_saved_whole(tmp_path):
    private = [AWS_KEY, GITHUB_TOKEN, ASSIGNED, "MIIEowIBAAKCAQEA7v9qk2", "ann.lee@mail.io", "93.184.216.34", "\u202e"]
    text = f"{AWS_KEY} {GITHUB_TOKEN}\nsecret = '{ASSIGNED}'\n{PEM}\nann.lee@mail.io 93.184.216.34\u202e"
    # In every finding with examples: twice the same, Python that does not parse, a benchmark's task.
    rows = [row(f"Write Python. {text}", f"{text}\n{BROKEN}"), row(f"Write Python. {text}", f"{text}\n{BROKEN} ")]
    (tmp_path / "tasks.jsonl").write_text(json.dumps({"prompt": text + " one two three four five six"}))
    found = audit.examine(rows, [str(tmp_path / "tasks.jsonl")])
    assert {one.name for one in found if one.examples} >= set(audit.REPAIRS)
    saved = audit.save(found, tmp_path).read_text()
    pages = [
        saved,
        *(child.value for child in data_doctor.Doctor(found, (), print).children if hasattr(child, "value")),
    ]
    for page in map(str, pages):
        for secret in private:
            assert secret not in page and secret not in html.unescape(page)


def test_repairs_change_nothing_they_do_not_name_and_are_needed_once(benchmark):
    rows = [
        row("Write Python for peaks.", BROKEN, origin="a", kind="write"),
        row("Write Python for peaks.", "def f():\n    pass", origin="a", kind="write"),
        row("Mail me.", "ann@mail.io"),
        row("Which?", "every number that is larger than both of the numbers beside it"),
        row("Untouched, with 93.184.216.34 in it."),
    ]
    before = json.dumps(rows)
    names = ["near_duplicates", "unparsable", "emails", "benchmark_overlap"]
    repaired, records = audit.apply_repairs(rows, names, [benchmark])
    assert json.dumps(rows) == before
    # The second of the first two stays: the one it is like is left out for its own reason.
    assert repaired == [None, rows[1], row("Mail me.", "user@example.com"), None, rows[4]]
    assert [record["repair"] for record in records] == ["emails", "unparsable", "benchmark_overlap", "near_duplicates"]
    again, records = audit.apply_repairs([row for row in repaired if row], names, [benchmark])
    assert again == [row for row in repaired if row]
    assert not any(record["num_changed"] or record["num_left_out"] for record in records)
    with pytest.raises(UserError, match="unknown repair 'email'. Did you mean 'emails'"):
        audit.apply_repairs(rows, ["email"])
    assert audit.apply_repairs(rows, []) == (rows, [])


def test_odd_rows_and_unstated_licences():
    rows = [row(response="It is so, as far as anybody can tell.", source="s", license="MIT") for _ in range(40)]
    rows += [row(response="Say it."), row(response="again and again\n" * 12), row(response="x " * 900)]
    rows += [row(response="```python\nprint(1)"), row(response="caf\ufffd")]
    assert finding("outliers", rows).rows == [40, 41, 42, 43, 44]
    licenses = finding("licenses", rows)
    assert licenses.rows == [40, 41, 42, 43, 44] and licenses.counts["s: MIT"] == 40


def test_the_panel_escapes_rows_and_only_proposes(tmp_path):
    hostile = "<img src=x onerror=alert(1)>"
    rows = [
        row(hostile, "ann@mail.io"),
        row(hostile, "ann@mail.io </pre><script>"),
        row(hostile, f"ann@mail.io {hostile}"),
    ]
    before = json.dumps(rows)
    tasks = tmp_path / "tasks.jsonl"
    tasks.write_text(json.dumps({"task_id": hostile, "prompt": hostile * 3, "canonical_solution": hostile}))
    panel = data_doctor.Doctor(audit.examine(rows, [str(tasks)]), ["secrets"], print)
    page = "".join(str(child.value) for child in panel.children if hasattr(child, "value"))
    assert "<img" not in page and "<script" not in page and "&lt;img" in page
    assert panel.ticks["secrets"].value
    panel.ticks["emails"].value = panel.ticks["near_duplicates"].value = True
    assert panel.repairs == ["emails", "secrets", "near_duplicates"] and "Not applied yet" in panel.proposal.value
    assert json.dumps(rows) == before
    assert set(panel.ticks) == {"emails", "near_duplicates", "benchmark_overlap", "secrets"}, (
        "no repair is offered where nothing was found or repaired"
    )


def test_repairs_are_applied_by_a_button_kept_and_taken_back(tmp_path):
    source, data_dir = tmp_path / "mine.jsonl", tmp_path / "data"
    texts = [f"Write to {name}@mail.io about {name}." for name in ("ann", "bob", "cid")]
    pairs_of_file = [{"instruction": text, "response": text[::-1]} for text in texts]
    source.write_text("".join(json.dumps(pair) + "\n" for pair in pairs_of_file))
    prepare = partial(pairs.prepare, str(source), data_dir)

    def panel():
        folder, _ = prepare(repairs=pairs.repairs_of(str(source), data_dir))
        rows = [*pairs.load(folder, "train"), *pairs.load(folder, "validation")]
        doctor = data_doctor.Doctor(audit.examine(rows), pairs.repairs_of(str(source), data_dir), prepare)
        return doctor, {row["instruction"] for row in rows}

    async def apply(doctor):
        doctor.button.click()
        assert doctor.button.disabled
        await doctor.wait()

    doctor, instructions = panel()
    assert instructions == set(texts) and doctor.button.disabled, "nothing is selected yet"
    doctor.ticks["emails"].value = True
    asyncio.run(apply(doctor))
    assert "The selected repairs are applied" in doctor.proposal.value
    doctor, instructions = panel()
    assert not any("@mail.io" in text for text in instructions) and doctor.ticks["emails"].value
    doctor.ticks["emails"].value = False
    asyncio.run(apply(doctor))
    doctor, instructions = panel()
    assert instructions == set(texts)
    doctor.ticks["emails"].value = True
    source.unlink()
    asyncio.run(apply(doctor))
    assert 'role="alert"' in doctor.proposal.value and not doctor.button.disabled


def test_nothing_to_examine_is_no_error():
    assert all(found.count == 0 for found in audit.examine([]))


@pytest.mark.slow
def test_gpteacher_beside_what_is_known_of_it(shared_data):
    """The counts in facts.md, and why those here differ."""
    rows = json.loads((shared_data / "gpteacher" / "codegen-instruct.json").read_text())
    humaneval = str(shared_data / "humaneval" / "HumanEval.jsonl.gz")
    found = {one.name: one for one in audit.examine(rows, [humaneval])}
    # 318 near-duplicate instructions: here inputs count too, and the same task in another language is another.
    assert (
        len(near_duplicates.similar([row["instruction"] for row in rows])) == 401
        and found["near_duplicates"].count == 163
    )
    # 15 tasks share a run of words with the data, two more have a solution of a few words in it.
    assert found["benchmark_overlap"].counts["tasks found"] == 17
    # 72 responses to prompts that name Python do not parse: all but these are prose or in another language.
    assert found["unparsable"].count == 13
    # 51 rows match an e-mail pattern as JSON, where `\n@app.route` does too; 34 as text; 27 have only example.com.
    pattern = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
    assert sum(bool(pattern.search(json.dumps(row))) for row in rows) == 51
    assert sum(bool(pattern.search(" ".join(row[name] for name in TEXT))) for row in rows) == 34
    assert found["emails"].count == 7


def test_keys_without_an_end_are_searched_in_linear_time():
    assert not list(secrets.find("-----BEGIN RSA " + "PRIVATE KEY-----\n-----BEGIN RSA PRIVATE KEY-----x" * 20_000))
