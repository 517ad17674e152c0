"""Judges code by tests that it cannot see: candidate and tests run in two guests, and only builtin values cross.

The tester runs a task's tests against a stand-in that asks the candidate's guest; its verdict carries a nonce and
counts only with at least one call and after the last assertion. A candidate that compares equal to everything, ends its
process, or changes builtins changes nothing in the tester's guest. Not covered: whether tests are right; whether two
values are the same object, also in several calls; recursion through C code, such as `sorted(key=…)`, deeper than 50.
"""

import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any

from utils.sandbox.guest import Ended, Guest, Limits, compiled, kind_of, read
from utils.sandbox.inside import MAX_SHOWN

LIMITS = Limits(output_bytes=2**20)  # of what a candidate prints, `MAX_SHOWN` bytes are kept


@dataclass(frozen=True)
class Task:
    """A task in HumanEval's form: `test` defines `check(candidate)`; `prompt` and solution together are a program."""

    task_id: str
    prompt: str
    entry_point: str
    test: str
    canonical_solution: str = ""
    instruction: str = ""  # how a person asks for it, where the set says so


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


def judge(task: Task, source: str, limits: Limits = LIMITS, stop: Event | None = None) -> Verdict:
    """Judge a program that defines the task's function."""
    asked = {"role": "candidate", "source": source, "entry_point": task.entry_point}
    tests = {"role": "tester", "helpers": task.prompt, "test": task.test, "entry_point": task.entry_point}
    nonce = secrets.token_hex()
    with Guest(asked, limits, stop) as candidate:
        verdict = _judged(candidate, lambda: Guest(tests | {"nonce": nonce}, limits, stop), nonce)
    output = candidate.output[:MAX_SHOWN].decode("utf-8", "replace")
    return replace(verdict, facts=verdict.facts | {"output": output}) if output else verdict


def _judged(candidate: Guest, start_tester: Callable[[], Guest], nonce: str) -> Verdict:
    start = time.monotonic()
    try:
        ready = _of_candidate(candidate.ask())
        if "error" in ready:  # such as a program that is not Python; starting a guest takes longer than most tests
            return _verdict(ready, start)
        with start_tester() as tester:
            line = tester.ask()
            while "call" in (message := read(line)):
                line = tester.ask(json.dumps(_of_candidate(candidate.ask(line + b"\n"))).encode() + b"\n")
    except Ended as ended:
        return Verdict(False, ended.kind, ended.kind, time.monotonic() - start)
    if message.get("nonce") != nonce:
        return Verdict(False, "not judged: the tests gave no verdict", "not judged", time.monotonic() - start)
    return _verdict(message, start)


def _of_candidate(line: bytes) -> dict[str, Any]:
    """What a candidate may say: that it is ready, a value, or an error. Everything else in its message is dropped."""
    message = read(line)
    if "error" in message:
        kinds = message.get("kinds")
        texts = {name: str(message.get(name, ""))[:MAX_SHOWN] for name in ("error", "message", "traceback")}
        kinds = [str(kind)[:80] for kind in kinds[:20]] if isinstance(kinds, list) else []
        return texts | {"kinds": kinds, "arguments": message.get("arguments")}
    return {name: message.get(name) for name in ("value", "changed")}


def _verdict(message: dict[str, Any], start: float) -> Verdict:
    seconds = time.monotonic() - start
    facts = {
        name: str(message[name])[:MAX_SHOWN]
        for name in ("assertion", "last_call", "got", "expected", "traceback")
        if message.get(name)
    }
    if message.get("passed") is True and not message["num_calls"]:
        return Verdict(False, "not judged: the tests never call the function", "not judged", seconds)
    if message.get("passed") is True and "apart" not in message:
        return Verdict(True, "passed", "passed", seconds)
    if "apart" in message:
        return Verdict(False, f"not judged: {message['apart']}"[:MAX_SHOWN], "not judged", seconds, facts)
    error, text = (str(message.get(name, ""))[:MAX_SHOWN] for name in ("error", "message"))
    if error == "AssertionError":
        return Verdict(False, f"failed: {facts.get('assertion') or text}", "failed", seconds, facts)
    kind = kind_of(message)
    return Verdict(False, f"{kind}: {error}: {text}", kind, seconds, facts)


def judge_all(items: Iterable[tuple[Task, str]], limits: Limits = LIMITS) -> Iterator[Verdict]:
    """The verdicts of programs in their order, as many at once as this process may use cores."""
    compiled()
    stop, cores = Event(), getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0)
    pool = ThreadPoolExecutor(len(cores))
    try:
        yield from pool.map(lambda item: judge(*item, limits, stop), items)
    finally:  # also after an interrupt
        stop.set()
        pool.shutdown(cancel_futures=True)
