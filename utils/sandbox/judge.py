"""Judges code by tests that it cannot see: candidate and tests run in two guests, and only builtin values cross.

The tester runs a task's tests against a stand-in that asks the candidate's guest; its verdict carries a nonce and
counts only with at least one call and after the last assertion. A candidate that compares equal to everything, ends its
process, or changes builtins changes nothing in the tester's guest. Not covered: whether tests are right, and whether
two values are the same object.
"""

import json
import secrets
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from os import cpu_count
from typing import Any

from utils.sandbox.guest import LIMITS, Ended, Guest, Limits, _read, kind_of

MAX_OUTPUT_BYTES = 2000  # kept of what a candidate prints


@dataclass(frozen=True)
class Task:
    """A task in HumanEval's form: `test` defines `check(candidate)`; `prompt` and solution together are a program."""

    task_id: str
    prompt: str
    entry_point: str
    test: str
    canonical_solution: str = ""


@dataclass(frozen=True)
class Verdict:
    """Whether a candidate passed, `result` in words, its `kind`, and what is known of a failed assertion.

    Kinds: passed, failed, raised, timed out, out of memory, too much output, not Python, crashed, not judged.
    """

    passed: bool
    result: str
    kind: str
    seconds: float
    facts: dict[str, str] = field(default_factory=dict)  # assertion, last_call, got, expected, traceback, output


def judge(task: Task, source: str, limits: Limits = LIMITS) -> Verdict:
    """Judge a program that defines the task's function."""
    asked = {"role": "candidate", "source": source, "entry_point": task.entry_point}
    tests = {"role": "tester", "helpers": task.prompt, "test": task.test, "entry_point": task.entry_point}
    nonce = secrets.token_hex()
    with Guest(asked, limits) as candidate, Guest(tests | {"nonce": nonce}, limits) as tester:
        verdict = _judged(candidate, tester, nonce)
    output = candidate.output[:MAX_OUTPUT_BYTES].decode("utf-8", "replace")
    return replace(verdict, facts=verdict.facts | {"output": output}) if output else verdict


def _judged(candidate: Guest, tester: Guest, nonce: str) -> Verdict:
    start = time.monotonic()
    try:
        ready = _read(candidate.ask())
        if "error" in ready:
            return _verdict(ready, start)
        line = tester.ask()
        while "call" in (message := _read(line)):
            line = tester.ask(_answer(candidate, line))
    except Ended as ended:
        return Verdict(False, ended.kind, ended.kind, time.monotonic() - start)
    if message.get("nonce") != nonce:
        return Verdict(False, "not judged: the tests gave no verdict", "not judged", time.monotonic() - start)
    return _verdict(message, start)


def _answer(candidate: Guest, line: bytes) -> bytes:
    """The candidate's answer to a call, one line of JSON."""
    return json.dumps(_read(candidate.ask(line + b"\n"))).encode() + b"\n"


def _verdict(message: dict[str, Any], start: float) -> Verdict:
    seconds = time.monotonic() - start
    facts = {
        name: str(message[name])
        for name in ("assertion", "last_call", "got", "expected", "traceback")
        if message.get(name)
    }
    if message.get("passed") is True:
        if message["num_calls"]:
            return Verdict(True, "passed", "passed", seconds)
        return Verdict(False, "not judged: the tests never call the function", "not judged", seconds)
    if "apart" in message:
        reason = f"not judged: {message['apart']} cannot be passed between guests"
        return Verdict(False, reason, "not judged", seconds, facts)
    error, text = str(message.get("error", "")), str(message.get("message", ""))
    if error == "AssertionError":
        return Verdict(False, f"failed: {facts.get('assertion') or text}", "failed", seconds, facts)
    kind = kind_of(message)
    return Verdict(False, f"{kind}: {error}: {text}", kind, seconds, facts)


def judge_all(items: Iterable[tuple[Task, str]], limits: Limits = LIMITS) -> Iterator[Verdict]:
    """The verdicts of programs in their order, as many at once as the machine has cores."""
    with ThreadPoolExecutor(cpu_count() or 1) as pool:
        yield from pool.map(lambda item: judge(*item, limits), items)
