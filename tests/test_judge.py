# ruff: noqa: E501
"""The sandbox and its judge: right solutions pass, wrong ones do not, and no attack reaches the host or a verdict."""

import gzip
import json
import math
import os
import re
import socket
import stat
import subprocess
import sys
from collections import Counter, OrderedDict, deque
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace

import psutil
import pytest

from support.attacks import FAKE_PASSES, ON_THE_HOST
from support.waiting import wait_until
from utils.artifacts import ROOT
from utils.errors import UserError
from utils.sandbox import guest, values
from utils.sandbox.guest import Limits
from utils.sandbox.judge import Task, judge, judge_all

PROMPT = 'def answer(n):\n    """Return n + 41."""\n'
TASK = Task(
    "t/1", PROMPT, "answer", "def check(candidate):\n    assert candidate(1) == 42\n    assert candidate(2) == 43\n"
)
SHORT = Limits(seconds=6, memory_bytes=2**27)


@pytest.mark.slow
def test_references_of_humaneval_pass(shared_data):
    """Each fourth, which takes a minute on two cores."""
    rows = gzip.decompress((shared_data / "humaneval" / "HumanEval.jsonl.gz").read_bytes()).splitlines()
    known = [Task(**json.loads(row)) for row in rows[::4]]
    verdicts = list(judge_all([(task, task.prompt + task.canonical_solution) for task in known]))
    failed = {task.task_id: verdict.result for task, verdict in zip(known, verdicts, strict=True) if not verdict.passed}
    assert len(known) == 41 and failed == {}


@pytest.mark.slow
def test_no_fake_pass():
    assert len(FAKE_PASSES) >= 40 and judge(TASK, PROMPT + "    return n + 41\n").passed
    verdicts = judge_all([(TASK, PROMPT + body) for body in FAKE_PASSES.values()], SHORT)
    passed = [name for name, verdict in zip(FAKE_PASSES, verdicts, strict=True) if verdict.passed]
    assert passed == []


@pytest.mark.slow
def test_nothing_of_the_host_is_reached(tmp_path):
    assert len(ON_THE_HOST) >= 40
    secret = tmp_path / "secret"
    secret.write_text("a secret")
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(0)
        own = {"{secret}": str(secret), "{folder}": str(tmp_path), "{port}": str(server.getsockname()[1])}

        def run(program):
            return guest.run(re.sub("|".join(own), lambda match: own[match[0]], program), SHORT).output

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            outputs = dict(zip(ON_THE_HOST, pool.map(run, ON_THE_HOST.values()), strict=True))
        assert {name: output for name, output in outputs.items() if "REACHED" in output} == {}
        with pytest.raises(BlockingIOError):
            server.accept()
    assert [path.name for path in tmp_path.iterdir()] == ["secret"] and secret.read_text() == "a secret"


def test_how_a_program_ended_is_said():
    run = guest.run("print('out')\nx = 6\nx * 7")
    assert (run.kind, run.output, run.value, run.error) == ("ended", "out\n", "42", "")
    for program, kind in {
        "1 / 0": "raised",
        "1 +": "not Python",
        "while True: pass": "timed out",
        "bytearray(10**9)": "out of memory",
        "for _ in range(10**4): print('x' * 10**4)": "too much output",
        "import os; os._exit(0)": "ended without an answer",
        "import os; os.write(1, b'[]\\n')": "wrote to its answer channel",
        "raise SystemExit": "raised",
    }.items():
        seconds = 2 if kind == "timed out" else 60  # of a busy machine
        assert guest.run(program, Limits(seconds=seconds, memory_bytes=2**27)).kind == kind, program
    assert "line 2, in f\n" in guest.run("def f():\n    1 / 0\nf()").error


VALUES = [
    None, True, 0, -1, 10**4000, 0.1, -0.0, math.inf, 1 + 2j, "é\ud800\n", b"\xff", (), (1, [2.0, {"a": (3,)}]), {1, 2},
    frozenset({"x"}), {(1, 2): [None], "k": {}}, range(1, 9, 2), Decimal("1.10"), Fraction(1, 3), deque([1, 2]),
    bytearray(b"a"),
]  # fmt: skip


def same(one, two):
    return type(one) is type(two) and repr(one) == repr(two)


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_values_cross_as_they_are(value):
    assert same(values.decode(json.loads(json.dumps(values.encode(value)))), value)


def test_what_is_no_builtin_crosses_as_its_base_or_not_at_all():
    class Always(int):
        def __eq__(self, other):
            return True

        __hash__ = None

    assert same(values.decode(values.encode(Always(3))), 3)
    for value in (Counter("aab"), OrderedDict(b=1, a=2)):
        assert same(values.decode(values.encode(value, is_strict=True)), value)
    with pytest.raises(values.CannotCross, match="Always"):
        values.encode(Always(3), is_strict=True)
    assert math.isnan(values.decode(values.encode(math.nan)))
    assert list(values.decode(values.encode(iter([1, 2])))) == [1, 2]
    opaque = values.decode(values.encode(object()))
    assert isinstance(opaque, values.Opaque) and opaque != values.decode(values.encode(object()))
    with pytest.raises(values.CannotCross, match="function"):
        values.encode([len, same], is_strict=True)


def test_arguments_that_a_candidate_changes_are_changed_in_the_tests():
    test = (
        "def check(candidate):\n    a, b, c = [3, [1], 2], {'x': 1}, {1}\n    inner = a[1]\n"
        "    assert candidate(a, b, other=c) is None\n"
        "    assert a == [0, [1, 9]] and a[1] is inner and b == {'y': 2} and c == {1, 5}\n"
    )
    task = Task("t", "def change(a, b, other):\n    '''Change all.'''\n", "change", test)
    body = "    a[0] = 0; a[1].append(9); a.pop(); b.clear(); b['y'] = 2; other.add(5)\n"
    assert judge(task, task.prompt + body).passed and not judge(task, task.prompt + "    pass\n").passed


def test_a_failed_assertion_says_what_it_got_and_expected():
    verdict = judge(TASK, PROMPT + "    return n + 40\n")
    assert (verdict.kind, verdict.facts["last_call"]) == ("failed", "answer(1)")
    assert verdict.facts["assertion"] == "assert candidate(1) == 42"
    assert (verdict.facts["got"], verdict.facts["expected"]) == ("41", "42")
    raised = judge(TASK, PROMPT + "    return [][n]\n")
    assert (raised.kind, raised.result) == ("raised", "raised: IndexError: list index out of range")
    assert 'File "<candidate>", line 3, in answer' in raised.facts["traceback"]
    assert judge(TASK, PROMPT + "    return (\n").kind == "not Python"


def test_tests_that_prove_nothing_and_values_that_cannot_cross_are_counted_apart():
    no_call = Task("t", PROMPT, "answer", "def check(candidate):\n    pass\n")
    assert judge(no_call, PROMPT + "    return 0\n").result == "not judged: the tests never call the function"
    function = Task("t", PROMPT, "answer", "def check(candidate):\n    assert candidate(len) == 1\n")
    assert "an argument of type builtin_function_or_method" in judge(function, PROMPT + "    return 1\n").result
    value = judge(TASK, PROMPT + "    return object()\n")
    assert (value.kind, value.result) == (
        "not judged",
        "not judged: a returned value of type object that cannot be passed between guests",
    )


def test_a_helper_of_the_prompt_serves_the_tests():
    prompt = "def double(x):\n    return 2 * x\n\n\ndef half(x):\n    '''The inverse of double.'''\n"
    task = Task("t", prompt, "half", "def check(candidate):\n    assert double(candidate(8)) == 8\n")
    assert judge(task, prompt + "    return x / 2\n").passed


def test_nothing_is_left_behind():
    before = psutil.Process().num_fds(), len(psutil.Process().children(recursive=True))
    bodies = [
        "    return n + 41\n",
        "    while True: pass\n",
        "    import os; os._exit(0)\n",
        "    print('x' * 10**8)\n",
    ] * 3
    list(judge_all([(TASK, PROMPT + body) for body in bodies], Limits(seconds=1)))
    assert (psutil.Process().num_fds(), len(psutil.Process().children(recursive=True))) == before


def test_the_compiled_interpreter_lies_where_only_the_user_can_write(tmp_path, monkeypatch):
    path = guest.compiled()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / path.parent.name
    folder.mkdir(mode=0o755)
    with pytest.raises(UserError, match="only you can open"):
        guest.compiled()
    folder.chmod(0o700)
    # What others could have written, or what is not as it was made, is not run but made again.
    made, real = [], guest.subprocess.run
    monkeypatch.setattr(guest.subprocess, "run", lambda command, **_: made.append(command) or compiled_here(command))
    ours = folder / path.name
    ours.write_bytes(b"native code of somebody else")
    ours.chmod(0o666)
    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(lambda _: guest.compiled(), range(3))) == {ours}
    assert ours.read_bytes() == b"compiled here" and len(made) == 1
    for damage in (b"", b"compiled herE"):
        ours.write_bytes(damage)
        assert guest.compiled().read_bytes() == b"compiled here"
    assert len(made) == 3 and {file.name for file in folder.iterdir()} == {ours.name, ours.with_suffix(".sha256").name}
    with pytest.raises(UserError, match="the sandbox does not start here: delete"):
        guest.run("1")  # it is no code for this machine
    monkeypatch.setattr(guest.subprocess, "run", real)
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    with pytest.raises(UserError, match="the sandbox needs a folder"):
        guest.run("1")


def compiled_here(command):
    os.close(os.open(command[-1], os.O_CREAT | os.O_WRONLY, 0o600))
    with open(command[-1], "wb") as file:
        file.write(b"compiled here")
    return SimpleNamespace(returncode=0)


RIGHT = {  # each solves TASK in a way that a process of its own takes for granted
    "memoised recursion": (
        "    return f(300) - 300 + n + 41\n\n\nimport functools\n\n\n@functools.lru_cache(None)\ndef f(n):\n"
        "    return n and 1 + f(n - 1)\n"
    ),
    "a dataclass": "    return D(n).n + 41\nfrom dataclasses import dataclass\n@dataclass\nclass D:\n    n: 'int'\n",
    "an own error": "    try: raise E\n    except ValueError: return n + 41\nclass E(ValueError): pass\n",
    "many prints": "    print('x' * 500_000)\n    return n + 41\n",
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_passes(name):
    assert judge(TASK, PROMPT + RIGHT[name]).result == "passed"


@pytest.mark.parametrize(
    "body, test, result",
    [
        ("    return 7 ** n", "assert candidate(20_000) == 7 ** 20_000", "passed"),
        ("    raise E('x')\nclass E(ValueError): pass", "try:\n        candidate(1)\n    except ValueError as error:\n        assert str(error) == 'x'", "passed"),
        ("    {}['x']", "try:\n        candidate(1)\n    except KeyError as error:\n        assert error.args == ('x',)", "passed"),
        ("    return collections.Counter(n)\nimport collections", "assert candidate('aab').most_common(1) == [('a', 2)]", "passed"),
        ("    n.update(a=1)", "from collections import OrderedDict\n    d = OrderedDict(b=2)\n    candidate(d)\n    assert d == OrderedDict(b=2, a=1)", "passed"),
        ("    for _ in range(10**5): n = [n]\n    return n", "assert candidate(1)", "not judged: a returned value of type a value nested too deep that cannot be passed between guests"),
        ("    return range(10**9).__iter__()", "assert sum(candidate(1))", "not judged: a returned value of type a very long iterator that cannot be passed between guests"),
        ("    return [object()]", "assert candidate(1)", "not judged: a returned value of type list, with parts that cannot be passed between guests"),
        ("    return n", "print('x' * 10**6)\n    assert candidate(1) == 1", "passed"),
        ("    return n", "assert all(map(candidate, [2, 4])) and undefined", "raised: NameError: name 'undefined' is not defined"),
    ],
)  # fmt: skip
def test_values_errors_and_prints_are_those_of_one_process(body, test, result):
    task = Task("t", "def f(n):\n", "f", f"def check(candidate):\n    {test}\n")
    assert judge(task, f"{task.prompt}{body}\n").result == result


def test_faults_of_a_task_are_not_those_of_the_candidate():
    broken = Task("t", PROMPT, "answer", "import nothing_of_this_name\ndef check(candidate): pass\n")
    assert judge(broken, PROMPT + "    return 0\n").result.startswith(
        "not judged: the task's own code raises No module"
    )


def test_what_only_waits_ends_too_also_without_its_parent(tmp_path):
    assert guest.run("import time; time.sleep(1000)", Limits(seconds=1)).kind == "timed out"
    program = "from utils.sandbox.guest import *; run('import time; time.sleep(1000)', Limits(seconds=2))"
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT)
    wait_until(lambda: psutil.Process(parent.pid).children())
    (child,) = psutil.Process(parent.pid).children()
    parent.kill()
    parent.wait()
    psutil.wait_procs([child], timeout=30)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_an_interrupt_ends_what_is_being_judged():
    before = set(psutil.Process().children())
    verdicts = judge_all(
        [(TASK, PROMPT + "    return n + 41\n"), *[(TASK, PROMPT + "    while True: pass\n")] * 9],
        Limits(seconds=1000),  # far more than the test would wait
    )
    assert next(verdicts).passed
    verdicts.close()
    assert set(psutil.Process().children()) <= before
