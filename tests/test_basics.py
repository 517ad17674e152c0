"""The pairs `python-basics`: the same in every run, nothing asked for is trained, tests tell functions apart."""

import os
import random
import re
import signal
import subprocess
import sys
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import replace

import pytest

from utils import artifacts
from utils.data import pairs as pairs_module
from utils.data.basics import arguments, examples, pairs, verification, wordings
from utils.data.basics.families import families
from utils.data.basics.functions import Function
from utils.data.basics.paraphrases import paraphrase
from utils.errors import UserError
from utils.pretraining import textbook
from utils.sandbox import guest

LIMIT_SECONDS = 0.05  # of a function that is given what it is not made for, and may never end


@pytest.fixture(scope="module")
def chosen():
    return pairs.selection()


@pytest.fixture(scope="module")
def rows():
    return list(pairs.python_basics())


def of_split(rows, split):
    return [row for row in rows if row["split"] == split]


@contextmanager
def limited():
    """Raises in a call that takes long."""

    def stop(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def passing(functions, others):
    """The names of functions that pass the test of another one of the same Python types."""
    by_types = defaultdict(list)
    for function in functions:
        by_types[arguments.types(function.kinds)].append(function)
    found = set()
    for other in others:
        for function in by_types[arguments.types(other.kinds)]:
            with limited():
                if function != other and examples.passes(function, other):
                    found.add((function.name, other.name))
    return found


@pytest.mark.slow
def test_the_pairs_and_tests_are_the_same_with_another_hash_seed(rows):
    code = (
        "from utils.artifacts import sha256_text as sha; "
        "from utils.data.basics import examples, pairs, verification as v; "
        "print(sha(repr(list(pairs.python_basics()))), sha(repr([examples.test(one) for one in v.references()])))"
    )
    other = os.environ | {"PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"}
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=artifacts.ROOT, env=other, capture_output=True, text=True, check=True)
    tests = [examples.test(function) for function in verification.references()]
    assert result.stdout.split() == [artifacts.sha256_text(repr(rows)), artifacts.sha256_text(repr(tests))]


@pytest.mark.slow
def test_there_are_thousands_of_pairs_and_no_origin_is_on_both_sides(rows):
    assert len(of_split(rows, "train")) >= 6000 and len(of_split(rows, "validation")) >= 500
    assert len({row["instruction"] for row in rows}) == len(rows)
    assert not {row["origin"] for row in of_split(rows, "train")} & {
        row["origin"] for row in of_split(rows, "validation")
    }


@pytest.mark.slow
def test_nothing_asked_for_is_trained_by_name_phrase_or_behaviour(chosen):
    trained = [*chosen.everyday, *chosen.more, *chosen.families, *chosen.trained]
    asked = [*chosen.held_out, *chosen.unseen]
    assert len({one.name for one in trained}) == len(trained)
    assert not {one.name for one in trained} & {one.name for one in asked}
    assert not {phrase for one in trained for phrase in one.phrases} & {
        phrase for one in asked for phrase in one.phrases
    }
    assert passing(trained, asked) == set()
    assert "square_root" in {one.name for one in chosen.everyday}


@pytest.mark.slow
def test_textbook_code_holds_no_function_and_no_wording_that_is_asked_for(chosen):
    text = "".join(document.text for document in textbook.documents())
    names, said = re.findall(r"^def (\w+)", text, re.M), re.findall(r'^(?:# |    """)(.+?)\.(?:"""|$)', text, re.M)
    asked = [*chosen.held_out, *chosen.unseen]
    phrases = [phrase for one in asked for phrase in one.phrases] + [one.phrases[-1] for one in chosen.everyday]
    assert len(names) == len(said) > 10_000
    assert not {*names} & {one.name for one in asked} and not {*said} & {*map(wordings.sentence, phrases)}


# Equal where both are defined: they are the same function of values of different types.
ALIKE = (
    {"group_sizes", "value_lengths"},
    {"longest_group", "key_of_longest_value"},
    {"flip_horizontally", "swap_pairs"},
    {"flip_vertically", "reverse_list"},
    {"flatten_matrix", "flatten"},
    {"row_sums", "sum_each"},
    {"price_per_item", "average_speed", "safe_divide"},
    {"count_true", "sum_numbers", "sum_of_squares", "sum_positive"},
)


@pytest.mark.slow
def test_the_tests_of_everyday_functions_tell_them_apart(chosen):
    functions = [*chosen.everyday, *chosen.held_out]
    assert [found for found in passing(functions, functions) if not any(set(found) <= alike for alike in ALIKE)] == []


@pytest.mark.slow
def test_the_last_phrase_of_an_everyday_function_is_never_trained(chosen, rows):
    text = "\n".join(row["instruction"].lower() for row in of_split(rows, "train"))
    for function in chosen.everyday:
        for phrase in (function.phrases[-1], wordings.third_person(function.phrases[-1])):
            assert not re.search(rf"{re.escape(phrase.lower())}(?=[.?:\n])", text), phrase


@pytest.mark.slow
def test_an_instruction_with_a_signature_names_the_function_of_its_response(rows):
    signatures = {row["instruction"]: re.search(r"^def (.*):$", row["response"], re.MULTILINE)[1] for row in rows}
    named = [(asked, signature) for asked, signature in signatures.items() if re.search(r"\w\w\([a-z]|`|def ", asked)]
    assert len(named) > 1500
    assert [asked for asked, signature in named if signature.split("(")[0] + "(" not in asked] == []


@pytest.mark.slow
def test_every_test_has_several_assertions_and_refuses_what_is_wrong(chosen):
    for function in (*chosen.everyday, *chosen.held_out, *chosen.unseen):
        assert examples.test(function).count("assert ") >= 5, function.name
        for body in (f"return {function.parameters[0][0]}", "return None", "return True", "return False", "return []"):
            assert not examples.passes(replace(function, body=body), function), (function.name, body)


def test_sets_and_floats_are_written_the_same_in_every_run():
    assert examples.text_of({"b", "a", "c"}) == "{'a', 'b', 'c'}" and examples.text_of(set()) == "set()"
    assert examples.text_of(0.1 + 0.2) == "0.3" and examples.text_of(KeyError("x")) == "KeyError"


def test_calls_show_each_value_before_they_repeat_one():
    function = Function("is_ten", (("n", "Natural"),), ("check a number", "test a number"), "return n == 10")
    values = [value for _, value in examples.calls(function)]
    assert values[:2] == [False, True] and len({given for given, _ in examples.calls(function)}) == len(values)
    assert not examples.calls(replace(function, body="return 1 / 0"))
    assert not examples.calls(replace(function, body="return [n + 1 / 3]"))  # floats that == cannot compare


@pytest.mark.parametrize(
    ("phrase", "third"),
    [
        ("count the words", "counts the words"),
        ("multiply a by b", "multiplies a by b"),
        ("display a text", "displays a text"),
        ("search a list", "searches a list"),
        ("compress a text", "compresses a text"),
        ("do nothing", "does nothing"),
    ],
)
def test_the_first_verb_is_conjugated(phrase, third):
    assert wordings.third_person(phrase) == third


@pytest.mark.parametrize(
    ("phrase", "others"),
    [
        ("check if a text is empty", {"tell whether a string is empty", "determine if a given text is empty"}),
        ("return the largest of two lists", {"get the biggest of two given lists", "find the maximum of two lists"}),
        ("find the greatest common divisor of two numbers", {"find the greatest common divisor of two numbers"}),
    ],
)
def test_a_paraphrase_exchanges_words_of_one_meaning(phrase, others):
    draw = random.Random(0)
    said = {paraphrase(phrase, draw) for _ in range(500)}
    assert others <= said and (len(said) > 10 or said == others)


def test_a_number_of_times_stays_a_number():
    draw = random.Random(0)
    said = {paraphrase("repeat a text a given number of times", draw) for _ in range(50)}
    assert all(one.endswith(" a given number of times") for one in said) and len(said) > 3


def test_every_slot_of_a_family_is_filled():
    functions = families()
    names, phrases = [one.name for one in functions], [phrase for one in functions for phrase in one.phrases]
    assert len(functions) > 1300 and len({*names}) == len(names) and all(map(str.isidentifier, names))
    assert not [phrase for phrase in phrases if re.search(r"[{}@|]|  |/", phrase.replace("dashes /", ""))]
    increased = next(one for one in functions if one.name == "add_2_each")
    assert "increase all values of a list by 2" in increased.phrases


def test_arguments_depend_on_the_seed_alone():
    def drawn(seed):
        return list(arguments.drawn(("Numbers", "Number"), 20, seed))

    assert drawn("a") == drawn("a") != drawn("b")


def add(body):
    return Function("add", (("a", "Number"), ("b", "Number")), ("add", "sum"), body)


@pytest.fixture
def sandbox(needs):
    try:
        guest.compiled()
    except UserError as error:
        needs(False, str(error))


@pytest.mark.slow
def test_a_wrong_reference_solution_is_found_and_named(sandbox, monkeypatch):
    """In the sandbox sums are wrong here, or never end."""
    good, program = add("return a + b"), verification._program
    double = Function("double", (("number", "Number"),), ("double a number", "double"), "return number * 2")
    assert verification.failures([good, double]) == ""
    monkeypatch.setattr(verification, "_program", lambda one: program(one).replace("a + b", "a - b"))
    assert re.search(r"add: AssertionError", verification.failures([double, good]))
    monkeypatch.setattr(verification, "LIMITS", guest.Limits(seconds=3.0))
    monkeypatch.setattr(verification, "_program", lambda one: program(one).replace("return a", "while True: a"))
    assert verification.failures([double, good]).startswith("add: timed out")


def test_pairs_can_be_made_where_there_is_no_sandbox(monkeypatch, tmp_path):
    def run(*_):
        raise UserError("no sandbox here")

    monkeypatch.setattr(verification, "references", lambda: [add("return a + b")])
    monkeypatch.setattr(pairs_module, "sort_rows", lambda *_: {})
    with monkeypatch.context() as patch:
        patch.setattr(guest, "run", run)
        folder, _ = pairs_module.prepare("python-basics", tmp_path)
        assert pairs_module.prepare("python-basics", tmp_path) == (folder, True)
    assert pairs_module.row_counts(folder)["verified"] == "not executed: no sandbox here"
    monkeypatch.setattr(verification, "failures", lambda functions: "")
    assert pairs_module.prepare("python-basics", tmp_path) == (folder, False), "there is one now"
    assert pairs_module.row_counts(folder)["verified"].startswith("1 of 1")


@pytest.mark.parametrize("is_known", [True, False])
def test_a_sample_is_executed_where_all_are_known_to_pass(monkeypatch, tmp_path, is_known):
    functions, executed = [add("return a + b")] * 300, []
    monkeypatch.setattr(verification, "references", lambda: functions)
    monkeypatch.setattr(verification, "VERIFIED", tmp_path / "verified.txt")
    monkeypatch.setattr(verification, "failures", lambda part: executed.extend(part) or "")
    (tmp_path / "verified.txt").write_text(pairs.sha256() if is_known else "another")
    assert verification.verify().startswith(f"{len(executed)} of 300 reference solutions")
    assert len(executed) == (100 if is_known else 300)
    monkeypatch.setattr(verification, "failures", lambda part: "add: wrong")
    with pytest.raises(UserError, match="add: wrong"):
        verification.verify()


def test_the_committed_digest_is_of_this_package():
    assert verification.VERIFIED.read_text().strip() == pairs.sha256()


@pytest.mark.slow
def test_every_reference_solution_passes_its_test(sandbox):
    assert verification.failures(verification.references()) == ""
