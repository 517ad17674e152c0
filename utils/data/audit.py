"""The data doctor: findings about pairs, with examples, and repairs that are made only on request.

Private data is masked in everything shown or saved.
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
# In the order they are made: replacements first, since they change what is compared; near-duplicates last, so that the
# row kept of each group is not left out for another reason.
REPAIRS = {
    pii.EMAILS: "every e-mail address becomes user@example.com",
    pii.IP_ADDRESSES: "every IP address becomes 192.0.2.1 or 2001:db8::1",
    pii.SECRETS: "every key becomes REDACTED_SECRET",
    pii.HIDDEN: "these characters are removed",
    UNPARSABLE: "these rows are left out",
    BENCHMARK_OVERLAP: "these rows are left out",
    NEAR_DUPLICATES: "of similar rows the first is kept, the others are left out",
}
SIMILAR = 0.8
FINDINGS = "findings.json"
NO_BENCHMARKS = "Not checked: name a benchmark's file in BENCHMARKS."


def examine(rows: Sequence[dict[str, str]], benchmarks: Sequence[str] = ()) -> list[Finding]:
    """All findings on these pairs; `benchmarks` are files as `utils.data.contamination.read` takes them.

    Changes nothing. Raises `UserError` for a benchmark that cannot be read. Not covered: whether answers are right.
    """
    languages = [guess(row) for row in rows]
    return [
        _near_duplicates(rows, languages),
        _benchmark_overlap(rows, benchmarks),
        _unparsable(rows, languages),
        *_private(rows),
        _outliers(rows),
        _licenses(rows),
        _languages(languages),
        _lengths(rows),
    ]


def apply_repairs(
    rows: Sequence[dict[str, str]], names: Iterable[str], benchmarks: Sequence[str] = ()
) -> tuple[list[dict[str, str] | None], list[dict]]:
    """Every row after the named repairs, None where it is left out, and one record per repair.

    A record is {"repair", "num_changed", "num_left_out", "reasons": {number of the row: why it is left out}}. Repairs
    are made in the order of `REPAIRS`. Raises `UserError` as `check_repairs` does. The argument `rows` is not changed.
    """
    names = list(names)
    check_repairs(names, benchmarks)
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


def check_repairs(names: Sequence[str], benchmarks: Sequence[str]) -> None:
    """Raise `UserError` for an unknown name, and for `benchmark_overlap` without a benchmark."""
    for name in names:
        if name not in REPAIRS:
            raise unknown("repair", name, REPAIRS)
    if BENCHMARK_OVERLAP in names and not benchmarks:
        raise UserError(f"the repair {BENCHMARK_OVERLAP!r} needs a benchmark: name its file in BENCHMARKS.")


def save(findings: Sequence[Finding], folder: Path) -> Path:
    """Write findings.json beside the pairs, private data masked, and return its path."""
    path = Path(folder) / FINDINGS
    report = {"rows": "numbered from 0 as they were examined", "findings": [asdict(finding) for finding in findings]}
    files.write_json(path, report)
    return path


def _left_out(name: str, rows: list[dict], numbers: list[int], benchmarks: Sequence[str]) -> dict[int, str]:
    """The numbers of the rows that one repair leaves out, and why."""
    if name == BENCHMARK_OVERLAP:
        overlaps = bench.overlaps(rows, bench.read(benchmarks)).items()
        found = {row: pii.mask(first.note) for row, (first, *_) in overlaps}
    else:
        languages = [guess(row) for row in rows]
        if name == UNPARSABLE:
            found = {row: f"its Python does not parse: {fault}" for row, fault in _faults(rows, languages).items()}
        else:
            found = {
                row: f"asks the same as row {numbers[first]} (Jaccard {same:.2f})"
                for row, (first, same) in _similar(rows, languages).items()
            }
    return {numbers[row]: reason for row, reason in found.items()}


def _similar(rows: Sequence[dict], languages: list[str]) -> dict[int, tuple[int, float]]:
    # The same task in another language is another task, and so is explaining code instead of writing it.
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
            diff(rows[row], rows[first], f"row {row}, left out", f"row {first}, kept"),
        )
        for row, (first, same) in some(found.items())
    ]
    num_same = sum(same == 1 for _, same in found.values())
    meaning = (
        "Rows whose instruction and input have nearly the same words as an earlier row in the same language "
        f"(Jaccard index {SIMILAR} or more). They count double, and may make the validation loss look too good."
    )
    counts = {"same words": num_same, "nearly the same words": len(found) - num_same}
    counts["distinct originals"] = len({first for first, _ in found.values()})
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
        )
        for row, overlaps in some(found.items())
    ]
    every = [overlap for overlaps in found.values() for overlap in overlaps]
    counts = {"tasks checked": len(tasks), "tasks found": len({overlap.task.name for overlap in every})}
    meaning = (
        f"Rows that share {bench.NUM_WORDS} consecutive words, or a whole solution, with a benchmark. A score on these "
        "tasks would measure memorization. Short matches can be coincidence: look at them."
    )
    return Finding(BENCHMARK_OVERLAP, title, meaning, len(found), examples, counts, BENCHMARK_OVERLAP, sorted(found))


def _faults(rows: Sequence[dict], languages: list[str]) -> dict[int, str]:
    pairs = enumerate(zip(rows, languages, strict=True))
    return {number: fault for number, (row, language) in pairs if (fault := python_fault(row, language))}


def _unparsable(rows: Sequence[dict], languages: list[str]) -> Finding:
    found = _faults(rows, languages)
    examples = [Example(row, fault, shown(rows[row])) for row, fault in some(found.items())]
    meaning = (
        "Responses in Python that Python's parser rejects: the model would learn to write broken code. "
        "Prose and other languages are not checked."
    )
    counts = {"responses in Python": languages.count(PYTHON)}
    title = "Python that does not parse"
    return Finding(UNPARSABLE, title, meaning, len(found), examples, counts, UNPARSABLE, sorted(found))


PRIVATE = {
    pii.EMAILS: ("E-mail addresses", "Possibly real mailboxes; example.com and similar names do not count."),
    pii.IP_ADDRESSES: ("IP addresses", "Possibly real machines; private, loopback and example addresses do not count."),
    pii.SECRETS: ("Keys and passwords", "What looks like a real key: a model can repeat it to anyone."),
    pii.HIDDEN: (
        "Hidden characters",
        "Invisible characters such as bidirectional controls: code with them can do something else than it "
        "seems to (Trojan Source). Joiners in scripts and emoji do not count.",
    ),
}


def _private(rows: Sequence[dict]) -> list[Finding]:
    """One finding per kind of private data."""
    found: dict[str, dict[int, list[str]]] = {kind: {} for kind in pii.KINDS}
    for number, row in enumerate(rows):
        for name in PAIR_FIELDS:
            for match in pii.find(row[name]):
                found[match.kind].setdefault(number, []).append(f"{match.mask} in {name}")
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
    found = {number: why for number, row in enumerate(rows) if (why := _outlier_reason(row, 10 * usual))}
    examples = [Example(row, why, shown(rows[row])) for row, why in some(found.items())]
    meaning = "Rows rarely worth learning: copies of the question, repeated lines, far too long, or cut off."
    counts = dict(Counter(found.values()).most_common())
    return Finding("outliers", "Outliers", meaning, len(found), examples, counts, rows=sorted(found))


def _outlier_reason(row: dict[str, str], max_characters: float) -> str:
    """Why a row is an outlier; empty when it is not."""
    response = row["response"].strip()
    lines = Counter(line.strip() for line in response.split("\n") if line.strip())
    line, num_times = lines.most_common(1)[0] if lines else ("", 0)
    if response in (row["instruction"].strip(), row["input"].strip()):
        return "the response repeats the instruction or the input"
    if len(response) > max_characters:
        return "the response is over ten times as long as the 95th percentile"
    if num_times >= 10 and len(line) >= 8 and num_times > lines.total() / 2:
        return "one line repeated"
    if response.count("```") % 2:
        return "an unclosed code fence"
    return "a replacement character (U+FFFD)" if any("\ufffd" in row[name] for name in PAIR_FIELDS) else ""


def _licenses(rows: Sequence[dict]) -> Finding:
    stated = [(row.get("source") or "no source", row.get("license") or "not stated") for row in rows]
    unstated = [number for number, (_, license) in enumerate(stated) if license.startswith("not stated")]
    counts = {f"{source}: {license}": count for (source, license), count in Counter(stated).most_common(MAX_EXAMPLES)}
    meaning = "Rows without a licence: you may not be allowed to use them. The counts are by source and licence."
    return Finding("licenses", "Licence not stated", meaning, len(unstated), [], counts, rows=unstated)


def _languages(languages: list[str]) -> Finding:
    unknown_rows = [number for number, language in enumerate(languages) if language == UNKNOWN]
    meaning = "Rows whose language no rule could tell. The counts are by language."
    counts = dict(Counter(languages).most_common())
    return Finding("languages", "Language not known", meaning, len(unknown_rows), [], counts, rows=unknown_rows)


def _lengths(rows: Sequence[dict]) -> Finding:
    prompts = [len(row["instruction"]) + len(row["input"]) for row in rows] or [0]
    responses = [len(row["response"]) for row in rows] or [0]
    counts = {
        f"{name}: {what}": int(np.percentile(values, share))
        for name, values in (("instruction and input", prompts), ("response", responses))
        for what, share in (("median", 50), ("95th percentile", 95), ("maximum", 100))
    }
    meaning = "Lengths of prompts and responses in characters. The next notebook counts tokens."
    return Finding("lengths", "Lengths", meaning, 0, [], counts)
