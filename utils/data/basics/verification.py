"""Executes the reference solutions of `python-basics` against the tests made of them, in the sandbox.

`python -m utils.data.basics.verification` executes all of them, and when they pass writes the digest of this package
beside this module. Where it is still the digest, only a sample is executed again. Not covered: whether a test says what
the phrases do, and tests made by another version of Python, whose values could be others.
"""

import sys
from pathlib import Path

from utils.data.basics import examples
from utils.data.basics.functions import Function
from utils.data.basics.pairs import selection, sha256
from utils.errors import UserError
from utils.sandbox import guest

VERIFIED = Path(__file__).with_name("verified.txt")
LIMITS = guest.Limits(seconds=120.0)
NUM_PER_GUEST = 400
NUM_SAMPLED = 100
PROGRAM = """
wrong = []
for name, program in {programs!r}:
    print(name)
    names = {{}}
    try:
        exec(program, names)
        names["check"](names[name])
    except BaseException as error:
        wrong.append(f"{{name}}: {{error!r}}")
", ".join(wrong) or None
"""


def references() -> list[Function]:
    """Every function that is trained or asked for."""
    chosen = selection()
    return [*chosen.everyday, *chosen.more, *chosen.held_out, *chosen.families, *chosen.unseen, *chosen.trained]


def failures(functions: list[Function]) -> str:
    """The reference solutions that do not pass their tests, with the errors; empty when all do.

    Raises `UserError` where the sandbox does not run.
    """
    found = []
    for start in range(0, len(functions), NUM_PER_GUEST):
        part = functions[start : start + NUM_PER_GUEST]
        outcome = guest.run(PROGRAM.format(programs=[(one.name, _program(one)) for one in part]), LIMITS)
        if outcome.kind != "ended":  # in the function whose name was printed last
            outcome = guest.Outcome("", "", f"{' '.join(outcome.output.split()[-1:])}: {outcome.kind} {outcome.error}")
        found.append(outcome.value)
    return ", ".join(filter(None, found))


def verify() -> str:
    """What was executed, for a report: a sample where all are known to pass, else all of them.

    Raises `UserError` for a reference solution that does not pass.
    """
    functions = references()
    is_known = VERIFIED.is_file() and VERIFIED.read_text().strip() == sha256()
    executed = functions[:: max(1, len(functions) // NUM_SAMPLED)] if is_known else functions
    try:
        wrong = failures(executed)
    except UserError as error:
        return f"not executed: {error}"
    if wrong:
        raise UserError(f"reference solutions of python-basics do not pass their tests: {wrong}.")
    return f"{len(executed):,} of {len(functions):,} reference solutions passed their tests in the sandbox"


def _program(function: Function) -> str:
    return f"{function.source()}\n\n\n{examples.test(function)}"


def main() -> int:
    """Execute all reference solutions, and write their digest when they pass."""
    functions = references()
    if wrong := failures(functions):
        print(wrong, file=sys.stderr)
        return 1
    VERIFIED.write_text(f"{sha256()}\n")
    print(f"{len(functions):,} reference solutions passed their tests.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
