"""From raw rows to clean pairs: read strictly, cleaned, split into train and validation, every row counted.

A pair is {"instruction", "input", "response", "origin", "source", "license"}, all text, and "kind" where the source has
kinds. Pairs of one `origin` are on the same side of the split.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from utils import artifacts, files
from utils.config import resolved_pairs
from utils.data import audit, reader, sources, stdlib_pairs
from utils.data.basics import pairs as basics
from utils.data.basics import verification
from utils.data.contamination import read as read_benchmarks
from utils.data.faults import NOTEBOOK, Fault, Options, Report, position
from utils.data.reader import Fields, Row
from utils.errors import UserError, number_of, unknown

PARTS = TRAIN, VALIDATION, REJECTS = "train", "validation", "rejects"
REPORT = "report.json"
NUM_FAULTS_SHOWN = 20
# Reading stops after this many faults where the file is refused anyway, and where no row so far can be used.
MAX_FAULTS = 100_000

# Of some thousand pairs, enough for a steady validation loss.
VALIDATION_SHARE = 0.05


class Refused(UserError):
    """The source has faults, and `skip_bad` was not set."""


def prepare(
    pairs: str,
    data_dir: Path,
    gpteacher_file: str = "",
    fields: Fields = Fields(),
    skip_bad: bool = False,
    repairs: tuple[str, ...] = (),
    benchmarks: tuple[str, ...] = (),
    options: Options = NOTEBOOK,
) -> tuple[Path, bool]:
    """The folder with the clean pairs of a source (see `sources.find`), and whether it was already up to date.

    It is written again when the source, the arguments or the code have changed: train.jsonl, validation.jsonl,
    rejects.jsonl (rows left out, byte for byte, with position and reason) and report.json (the row counts). Memory
    holds one row at a time, with `repairs` (of `utils.data.audit`) all of them.

    The functions of `python-basics` are executed against their tests where there is a sandbox.

    Raises `UserError` when the source cannot be read or has no usable row, and `Refused` for faults and duplicates in
    a source from outside, unless `skip_bad`. The folder is then left as it was. Not covered: a file that changes while
    it is read.
    """
    pairs = resolved_pairs(pairs)
    source = sources.find(pairs, data_dir, gpteacher_file)
    check_fields(source, fields)
    folder = artifacts.pairs_dir(data_dir, pairs)
    inputs = {
        "source": source.name,
        "content": source.sha256,
        "fields": repr(fields),
        "bad rows": "skipped" if skip_bad else "refused",
        "repairs": " ".join(repairs),
        "benchmarks": artifacts.sha256_text(repr(read_benchmarks(benchmarks))),
        "code": artifacts.code_sha256(__name__),
    }
    before = (artifacts.read_manifest(folder) or {}).get("facts", {})
    is_kept = before == artifacts.read_json(folder / REPORT) and artifacts.is_current(folder, inputs)
    facts: dict[str, Any] = {"source": source.name, "license": source.license}
    # Pairs that were made without a sandbox are executed once there is one.
    if source.name == sources.PYTHON_BASICS and (not is_kept or before["verified"].startswith("not executed")):
        facts["verified"] = verification.verify()
    if is_kept and facts.get("verified", before.get("verified")) == before.get("verified"):
        return folder, True
    with artifacts.building(folder, inputs, facts) as building, ExitStack() as stack:
        outputs = {part: stack.enter_context(open(building / f"{part}.jsonl", "w", encoding="utf-8")) for part in PARTS}
        facts |= sort_rows(source, outputs, fields, skip_bad, repairs, benchmarks, options)
        files.write_json(building / REPORT, facts)
    return folder, False


def check_fields(source: sources.Source, fields: Fields) -> None:
    """Raise `UserError` where names of fields are given for pairs that are made here."""
    if source.is_made_here and fields != Fields():
        raise UserError(
            f"MAP and IGNORE (--map, --ignore) concern the fields of a file; {source.name} is none. Leave them out."
        )


def stream(folder: Path, part: str) -> Iterator[dict[str, str]]:
    """The rows of `train`, `validation` or `rejects` in a folder of pairs; raises `UserError` when it is missing."""
    if part not in PARTS:
        raise unknown("part of the pairs", part, PARTS)
    artifacts.require(Path(folder), "01_data")
    path = Path(folder) / f"{part}.jsonl"
    try:
        with open(path, encoding="utf-8") as file:
            yield from map(json.loads, file)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is missing or damaged: {error}. Run notebook 01_data again.") from error


def load(folder: Path, part: str) -> list[dict[str, str]]:
    """All rows of `stream`."""
    return list(stream(folder, part))


def row_counts(folder: Path) -> dict[str, Any]:
    """How many rows of a folder of pairs were read, kept, rejected and so on, and their source."""
    return artifacts.require(Path(folder), "01_data")["facts"]


def repairs_of(pairs: str, data_dir: Path) -> tuple[str, ...]:
    """The repairs that a source's folder of pairs was made with; empty where there is none yet."""
    recorded = artifacts.read_manifest(artifacts.pairs_dir(data_dir, resolved_pairs(pairs))) or {}
    return tuple(recorded.get("inputs", {}).get("repairs", "").split())


def sort_rows(source, outputs, fields, skip_bad, repairs, benchmarks, options) -> dict[str, Any]:
    """Write every row of a source into one of `outputs`, by part; returns the row counts, each row counted once."""
    counts: Counter[str] = Counter()
    report = Report(NUM_FAULTS_SHOWN)
    rejects = outputs[REJECTS]

    def clean_rows() -> Iterator[dict[str, str]]:
        num_good = 0
        for item, fault_list in check(source, fields):
            counts["num_read"] += isinstance(item, Row)
            if not source.is_made_here:
                report.add(fault_list, isinstance(item, Row))
            if isinstance(item, Row) and item.pair and not fault_list:
                num_good += 1
                yield _clean_row(item.pair, source)
                continue
            if isinstance(item, Row):
                is_duplicate = item.pair is not None
                counts["num_duplicates" if is_duplicate else "num_rejected"] += 1
                if not is_duplicate:
                    _write(rejects, _reject(item.text, item.place, "; ".join(fault.reason for fault in fault_list)))
            if report.num_faults >= MAX_FAULTS and not (skip_bad and num_good):
                return

    rows: Iterable[dict[str, str]] = clean_rows()
    records: list[dict[str, Any]] = []
    if repairs:
        rows, records = _repaired(list(rows), repairs, benchmarks, rejects, counts)
    kinds: Counter[str] = Counter()
    for row in rows:
        split = row.pop("split", "") or split_of(row["origin"])
        counts[f"num_{split}"] += 1
        kinds.update([row["kind"]] if "kind" in row else [])
        _write(outputs[split], row)
    num_kept = counts["num_train"] + counts["num_validation"]
    if report.num_faults and (not skip_bad or not num_kept):
        raise Refused(refusal(str(source.path or source.name), report, options, num_kept))
    if not num_kept:
        raise UserError(f"{source.path or source.name}: none of its {number_of(counts['num_read'], 'row')} is left.")
    names = ("num_read", "num_rejected", "num_duplicates", "num_train", "num_validation")
    facts = {"num_kept": num_kept} | {name: counts[name] for name in names}
    return facts | {"kinds": dict(kinds), "repairs": records}


def check(source: sources.Source, fields: Fields = Fields()) -> Iterator[tuple[Row | Fault, list[Fault]]]:
    """Every row of a source with its faults, and the faults that belong to no row; duplicates are faults.

    Rows are duplicates when their cleaned texts are equal. Memory grows by about 200 bytes per row.
    """
    seen: dict[bytes, Fault] = {}
    for item in _raw_rows(source, fields):
        if isinstance(item, Fault) or item.pair is None:
            yield item, [item] if isinstance(item, Fault) else item.faults
            continue
        text = "\0".join(clean(item.pair[name]) for name in reader.PAIR_FIELDS)
        first = seen.setdefault(hashlib.blake2b(text.encode(), digest_size=16).digest(), item.place)
        is_first = first is item.place
        reason = f"the same pair as {position(first)}; remove one"
        yield item, [] if is_first else [replace(item.place, reason=reason)]


def split_of(origin: str) -> str:
    """The side of the split of all pairs of this origin, independent of other rows."""
    return VALIDATION if is_drawn(origin, VALIDATION_SHARE) else TRAIN


def is_drawn(name: str, share: float) -> bool:
    """Whether a name is among this share of all names, by its hash alone."""
    return int(artifacts.sha256_text(name)[:8], 16) / 16**8 < share


def clean(text: str) -> str:
    """The text with `\\n` line ends, without leading blank lines and trailing white space.

    The first line keeps its indentation, which a response that completes a function needs.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").rstrip()
    return re.sub(r"\A(?:[^\S\n]*\n)+", "", text)


def _clean_row(row: dict[str, str], source: sources.Source) -> dict[str, str]:
    pair = {name: clean(text) for name, text in row.items() if name in reader.PAIR_FIELDS}
    pair["instruction"] = pair["instruction"].lstrip()
    # Only pairs that are made here have their own origin, kind and side of the split.
    pair |= {
        "origin": row.get("origin") or _origin(pair["instruction"]),
        "source": source.name,
        "license": source.license,
    }
    return pair | {name: row[name] for name in ("kind", "split") if name in row}


def _origin(instruction: str) -> str:
    return " ".join(re.findall(r"\w+", instruction.casefold()))


def _repaired(rows, repairs, benchmarks, rejects, counts) -> tuple[Iterable[dict[str, str]], list[dict[str, Any]]]:
    """The rows after the chosen repairs; rows left out are written to the rejects, with the repair as reason."""
    repaired, records = audit.apply_repairs(rows, list(repairs), benchmarks)
    reasons = {
        index: f"{record['repair']}: {why}" for record in records for index, why in record.pop("reasons").items()
    }
    for index, reason in sorted(reasons.items()):
        counts["num_rejected"] += 1
        _write(rejects, _reject(json.dumps(rows[index], ensure_ascii=False).encode(), Fault(None, None, ""), reason))
    # The origin must not keep what was replaced in the instruction.
    kept = [
        row | {"origin": _origin(row["instruction"])} if row["origin"] == _origin(old["instruction"]) else row
        for row, old in zip(repaired, rows, strict=True)
        if row is not None
    ]
    return kept, records


def _reject(text: bytes, place: Fault, reason: str) -> dict[str, Any]:
    """A row that was left out; bytes that are not UTF-8 become surrogate escapes."""
    numbers = {name: getattr(place, name) for name in ("line", "row") if getattr(place, name)}
    return numbers | {"reason": reason, "text": text.decode("utf-8", "surrogateescape")}


def _raw_rows(source: sources.Source, fields: Fields) -> Iterator[Row | Fault]:
    if source.hub:
        yield from reader.hub_rows(*source.hub, fields)
    elif source.path:
        yield from reader.read(source.path, fields)
    else:
        made = basics.python_basics() if source.name == sources.PYTHON_BASICS else stdlib_pairs.standard_library()
        for number, pair in enumerate(made, start=1):
            yield Row(Fault(None, None, "", number), json.dumps(pair, ensure_ascii=False).encode(), pair)


def refusal(name: str, report: Report, options: Options, num_kept: int) -> str:
    """The message about a file with faults."""
    if report.num_faulty == report.num_rows:
        found = f"none of its {number_of(report.num_rows, 'row')} can be used"
    else:
        found = (
            f"{number_of(report.num_faults, 'fault')}: {report.num_faulty:,} of {report.num_rows:,} rows cannot be used"
        )
    found += "; reading stopped there" if report.num_faults >= MAX_FAULTS else ""
    remedy = "Correct the file" + (f", or leave these rows out: {options.skip_bad}" if num_kept else "")
    lines = [f"{name}: {found}. Nothing was changed.", *report.lines(name)]
    return "\n".join([*lines, *filter(None, [report.advice(options)]), f"{remedy}."])


def _write(file, row: dict[str, Any]) -> None:
    # A lone surrogate, for a byte that is not UTF-8, can only be written escaped.
    is_plain = not reader.SURROGATE.search(row.get("text", ""))
    file.write(json.dumps(row, ensure_ascii=not is_plain) + "\n")
