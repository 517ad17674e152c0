"""The data doctor: what is wrong with pairs, shown by examples, and repairs that are made only where they are chosen.

Every finding is made by a rule that can be told in a sentence. What is private is masked in everything shown or saved.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from utils import files
from utils.data import contamination as bench
from utils.data import near_duplicates, pii
from utils.data.findings import MAX_EXAMPLES, Example, Finding, cut, diff, shown, some
from utils.data.languages import PYTHON, UNKNOWN, guess, python_fault
from utils.data.reader import PAIR_FIELDS
from utils.errors import UserError, unknown

NEAR_DUPLICATES, BENCHMARK_OVERLAP, UNPARSABLE = "near_duplicates", "benchmark_overlap", "unparsable"
# The repairs in the order they are made: what is replaced first, so that nothing is compared that changes later; the
# near-duplicates last, so that no row stays only to be left out for another reason.
REPAIRS = {
    pii.EMAILS: "every e-mail address becomes user@example.com",
    pii.IP_ADDRESSES: "every IP address becomes 192.0.2.1 or 2001:db8::1",
    pii.SECRETS: "every key becomes REDACTED_SECRET",
    UNPARSABLE: "these rows are left out",
    BENCHMARK_OVERLAP: "these rows are left out",
    NEAR_DUPLICATES: "the first row of its like stays, the others are left out",
}
SIMILAR = 0.8
FINDINGS = "findings.json"
NO_BENCHMARKS = "Not checked: name a benchmark's file in BENCHMARKS."


def examine(rows: Sequence[dict[str, str]], benchmarks: Sequence[str] = ()) -> list[Finding]:
    """All findings on these pairs; `benchmarks` are files as `utils.data.contamination.read` takes them.

    Changes nothing. Raises `UserError` for a benchmark that cannot be read. Not covered: whether answers are right.
    """
    guesses = [guess(row) for row in rows]
    languages = [language for language, _ in guesses]
    return [
        _near_duplicates(rows, languages),
        _benchmark_overlap(rows, benchmarks),
        _unparsable(rows, languages),
        *_private(rows),
        _outliers(rows),
        _licenses(rows),
        _languages(guesses),
        _lengths(rows),
    ]


def apply_repairs(
    rows: Sequence[dict[str, str]], names: Iterable[str], benchmarks: Sequence[str] = ()
) -> tuple[list[dict[str, str] | None], list[dict]]:
    """Every row as the named repairs leave it, None where it is left out, and one record for each repair.

    A record is {"repair", "num_changed", "num_left_out", "reasons": {number of the row: why it is left out}}. Repairs
    are made in the order of `REPAIRS`, whatever the order of `names`; repaired rows need no repair any more. Raises
    `UserError` for an unknown name, and for `benchmark_overlap` without a benchmark. Rows given are not changed.
    """
    names = list(names)
    for name in names:
        if name not in REPAIRS:
            raise unknown("repair", name, REPAIRS)
    if BENCHMARK_OVERLAP in names and not benchmarks:
        raise UserError(f"the repair {BENCHMARK_OVERLAP!r} needs a benchmark: name its file in BENCHMARKS.")
    repaired: list[dict[str, str] | None] = list(rows)
    records = []
    for name in (name for name in REPAIRS if name in names):
        kept = {number: row for number, row in enumerate(repaired) if row is not None}
        num_changed, reasons = 0, {}
        if name in pii.KINDS:
            for number, row in kept.items():
                repaired[number] = _replaced(row, name)
                num_changed += repaired[number] != row
        else:
            reasons = _left_out(name, list(kept.values()), list(kept), benchmarks)
            for number in reasons:
                repaired[number] = None
        records.append({"repair": name, "num_changed": num_changed, "num_left_out": len(reasons), "reasons": reasons})
    return repaired, records


def save(findings: Sequence[Finding], folder: Path) -> Path:
    """Write the findings beside the pairs, as findings.json, and return its path; nothing private is in it whole."""
    path = Path(folder) / FINDINGS
    report = {"rows": "numbered from 0 as they were examined", "findings": [asdict(finding) for finding in findings]}
    files.write_json(path, report)
    return path


def _left_out(name: str, rows: list[dict], numbers: list[int], benchmarks: Sequence[str]) -> dict[int, str]:
    """The rows one repair leaves out and why, under the numbers they have among all rows."""
    if name == BENCHMARK_OVERLAP:
        overlaps = bench.overlaps(rows, bench.read(benchmarks)).items()
        found = {row: pii.mask(first.note) for row, (first, *_) in overlaps}
    else:
        languages = [guess(row)[0] for row in rows]
        if name == UNPARSABLE:
            found = {row: f"its Python does not parse: {fault}" for row, fault in _faults(rows, languages).items()}
        else:
            found = {
                row: f"asks the same as row {numbers[first]} (Jaccard {same:.2f})"
                for row, (first, same) in _similar(rows, languages).items()
            }
    return {numbers[row]: reason for row, reason in found.items()}


def _similar(rows: Sequence[dict], languages: list[str]) -> dict[int, tuple[int, float]]:
    # The same task in another language is another task, and so is explaining what another row asks to write.
    groups = [f"{language} {row.get('kind', '')}" for row, language in zip(rows, languages, strict=True)]
    return near_duplicates.similar([f"{row['instruction']}\n{row['input']}" for row in rows], groups, SIMILAR)


def _near_duplicates(rows: Sequence[dict], languages: list[str]) -> Finding:
    found = _similar(rows, languages)
    examples = [
        Example(
            row,
            f"like row {first}: Jaccard {same:.2f}",
            shown(rows[row]),
            shown(rows[first]),
            diff(rows[row], rows[first], f"row {row}, left out", f"row {first}, which stays"),
        )
        for row, (first, same) in some(found.items())
    ]
    num_same = sum(same == 1 for _, same in found.values())
    meaning = (
        "Instruction and input are made of nearly the same words as an earlier row's in the same language "
        f"(Jaccard {SIMILAR} or more of their words): it counts double, and may flatter the validation."
    )
    counts = {"the very same words": num_same, "nearly the same": len(found) - num_same}
    counts["different rows they are like"] = len({first for first, _ in found.values()})
    return Finding(
        NEAR_DUPLICATES, "Near-duplicates", meaning, len(found), examples, counts, NEAR_DUPLICATES, sorted(found)
    )


def _benchmark_overlap(rows: Sequence[dict], benchmarks: Sequence[str]) -> Finding:
    title = "Overlap with benchmarks"
    if not benchmarks:
        return Finding(BENCHMARK_OVERLAP, title, NO_BENCHMARKS, 0, is_checked=False)
    tasks = bench.read(benchmarks)
    found = bench.overlaps(rows, tasks)
    examples = [
        Example(
            row,
            pii.mask("; ".join(overlap.note for overlap in overlaps)),
            shown(rows[row]),
            cut(pii.mask(f"[{overlaps[0].task.name}]\n{overlaps[0].task.text}")),
            diff(rows[row], {}, f"row {row}", "left out"),
        )
        for row, overlaps in some(found.items())
    ]
    every = [overlap for overlaps in found.values() for overlap in overlaps]
    counts = {"tasks looked for": len(tasks), "tasks found": len({overlap.task.name for overlap in every})}
    counts["tasks whose whole solution is in a row"] = len({one.task.name for one in every if one.has_solution})
    meaning = (
        f"A run of {bench.NUM_WORDS} words, or a whole solution, is also in a benchmark: a score on these tasks "
        "would measure memory. Short runs can be chance: look at them."
    )
    return Finding(BENCHMARK_OVERLAP, title, meaning, len(found), examples, counts, BENCHMARK_OVERLAP, sorted(found))


def _faults(rows: Sequence[dict], languages: list[str]) -> dict[int, str]:
    pairs = enumerate(zip(rows, languages, strict=True))
    return {number: fault for number, (row, language) in pairs if (fault := python_fault(row, language))}


def _unparsable(rows: Sequence[dict], languages: list[str]) -> Finding:
    found = _faults(rows, languages)
    examples = [
        Example(row, fault, shown(rows[row]), "", diff(rows[row], {}, f"row {row}", "left out"))
        for row, fault in some(found.items())
    ]
    meaning = (
        "The response is Python and Python's own parser refuses it, so the model would learn to write broken code. "
        "Prose and other languages are not judged."
    )
    counts = {"responses in Python": languages.count(PYTHON)}
    title = "Python that does not parse"
    return Finding(UNPARSABLE, title, meaning, len(found), examples, counts, UNPARSABLE, sorted(found))


PRIVATE = {
    pii.EMAILS: ("E-mail addresses", "Somebody may read mail there; example.com and its like do not count."),
    pii.IP_ADDRESSES: ("IP addresses", "Somebody's machine; private, loopback and example ones do not count."),
    pii.SECRETS: ("Keys and passwords", "What looks like a real key: a model can repeat it to anybody."),
}


def _private(rows: Sequence[dict]) -> list[Finding]:
    """One finding for each kind of private data."""
    found: dict[str, dict[int, list[str]]] = {kind: {} for kind in pii.KINDS}
    for number, row in enumerate(rows):
        for name in PAIR_FIELDS:
            for one in pii.find(row[name]):
                found[one.kind].setdefault(number, []).append(f"{one.mask} in {name}")
    return [
        Finding(
            kind,
            *PRIVATE[kind],
            len(places),
            [
                Example(
                    row,
                    "; ".join(dict.fromkeys(notes)),
                    shown(rows[row]),
                    diff=diff(rows[row], _replaced(rows[row], kind), f"row {row}", "repaired"),
                )
                for row, notes in some(places.items())
            ],
            {"places": sum(map(len, places.values()))},
            kind,
            sorted(places),
        )
        for kind, places in found.items()
    ]


def _replaced(row: dict[str, str], kind: str) -> dict[str, str]:
    return {**row, **{name: pii.replace(row[name], kind) for name in PAIR_FIELDS}}


def _outliers(rows: Sequence[dict]) -> Finding:
    usual = np.percentile([len(row["response"]) for row in rows] or [0], 95)
    found = {number: why for number, row in enumerate(rows) if (why := _odd(row, 10 * usual))}
    examples = [Example(row, why, shown(rows[row])) for row, why in some(found.items())]
    meaning = "Seldom what one wants to teach: copies of the question, lines over and over, far too long or cut off."
    counts = dict(Counter(found.values()).most_common())
    return Finding("outliers", "Odd ones out", meaning, len(found), examples, counts, rows=sorted(found))


def _odd(row: dict[str, str], max_characters: float) -> str:
    """What is odd about a row; empty when nothing is."""
    response = row["response"].strip()
    lines = Counter(line.strip() for line in response.split("\n") if line.strip())
    line, num_times = lines.most_common(1)[0] if lines else ("", 0)
    if response in (row["instruction"].strip(), row["input"].strip()):
        return "the response is the instruction or the input again"
    if len(response) > max_characters:
        return "the response is over ten times as long as 95 of 100 are"
    if num_times >= 10 and len(line) >= 8 and num_times > lines.total() / 2:
        return "one line over and over"
    if response.count("```") % 2:
        return "a code fence that is not closed"
    return "a character that was lost (U+FFFD)" if any("\ufffd" in row[name] for name in PAIR_FIELDS) else ""


def _licenses(rows: Sequence[dict]) -> Finding:
    stated = [(row.get("source") or "no source", row.get("license") or "not stated") for row in rows]
    unstated = [number for number, (_, license) in enumerate(stated) if license.startswith("not stated")]
    counts = {f"{source}: {license}": count for (source, license), count in Counter(stated).most_common(MAX_EXAMPLES)}
    meaning = "Nobody has said that you may use such rows. Sources and licences are counted inside."
    return Finding("licenses", "Licence not stated", meaning, len(unstated), [], counts, rows=unstated)


def _languages(guesses: list[tuple[str, str]]) -> Finding:
    counts = Counter(language for language, _ in guesses)
    hows = Counter(f"how it is known: {how}" for _, how in guesses)
    unknown_rows = [number for number, (language, _) in enumerate(guesses) if language == UNKNOWN]
    meaning = "The language of a response is guessed; how many there are of each, and how they are known, is inside."
    counts = dict([*counts.most_common(), *hows.most_common()])
    return Finding("languages", "Language not known", meaning, len(unknown_rows), [], counts, rows=unknown_rows)


def _lengths(rows: Sequence[dict]) -> Finding:
    prompts = [len(row["instruction"]) + len(row["input"]) for row in rows] or [0]
    responses = [len(row["response"]) for row in rows] or [0]
    counts = {
        f"{name}: {what}": int(np.percentile(values, share))
        for name, values in (("instruction and input", prompts), ("response", responses))
        for what, share in (("half are up to", 50), ("95 of 100 are up to", 95), ("the longest", 100))
    }
    meaning = "How long prompts and responses are, in characters. The next notebook counts tokens."
    return Finding("lengths", "Lengths", meaning, 0, [], counts)
