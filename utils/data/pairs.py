"""Raw rows become clean pairs: read strictly, cleaned, split into train and validation, and every row accounted for.

A pair is {"instruction", "input", "response", "origin", "source", "license"}, all text, and "kind" where the source has
kinds. `origin` is where it comes from, which decides its side of the split.

`python -m utils.data check FILE` tells every fault of a file; `prepare FILE` does what notebook 01 does.
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
from utils.data import audit, reader, sources, stdlib_pairs
from utils.data.contamination import read as read_benchmarks
from utils.data.json_stream import Fault
from utils.data.reader import Fields, Row
from utils.errors import UserError, unknown

PARTS = TRAIN, VALIDATION, REJECTS = "train", "validation", "rejects"
REPORT = "report.json"
NUM_FAULTS_SHOWN = 20
FIELDS_HINT = (
    "If your file calls a field otherwise, say so: MAP='response=output'; IGNORE='id' passes over fields that are no "
    "part of a pair."
)

# A twentieth of some thousand pairs is enough for a steady validation loss, and leaves nearly all of them to train on.
VALIDATION_SHARE = 0.05


class Refused(UserError):
    """A source with faults that were not to be skipped."""


def prepare(
    pairs: str,
    data_dir: Path,
    gpteacher_file: str = "",
    fields: Fields = Fields(),
    skip_bad: bool = False,
    repairs: tuple[str, ...] = (),
    benchmarks: tuple[str, ...] = (),
) -> tuple[Path, bool]:
    """The folder with the clean pairs of a source (see `sources.find`), and whether it was kept as it was.

    It is made again when the source, these choices or the code have changed. It holds train.jsonl, validation.jsonl,
    rejects.jsonl (rows left out, byte for byte, each with its place and reason) and report.json (the books). Memory
    holds one row at a time, and all of them only for `repairs`, those of `utils.data.audit`.

    Raises `UserError`, and leaves the folder as it was, when the source cannot be read or none of its rows can be used,
    and `Refused` for faults and duplicates in a source that was not made here, unless `skip_bad`.
    """
    source = sources.find(pairs, data_dir, gpteacher_file)
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
    is_whole = all((folder / f"{part}.jsonl").exists() for part in PARTS)
    if is_whole and not artifacts.stale_inputs(folder, inputs):
        return folder, True
    books: dict[str, Any] = {"source": source.name, "license": source.license}
    with artifacts.building(folder, inputs, books) as building, ExitStack() as stack:
        outputs = {part: stack.enter_context(open(building / f"{part}.jsonl", "w", encoding="utf-8")) for part in PARTS}
        books |= sort_rows(source, outputs, fields, skip_bad, repairs, benchmarks)
        files.write_json(building / REPORT, books)
    return folder, False


def stream(folder: Path, part: str) -> Iterator[dict[str, str]]:
    """The rows of `train`, `validation` or `rejects` in a folder of pairs; raises `UserError` when it is missing."""
    if part not in PARTS:
        raise unknown("part of the pairs", part, PARTS)
    artifacts.require(Path(folder), "01_data")
    with open(Path(folder) / f"{part}.jsonl", encoding="utf-8") as file:
        yield from map(json.loads, file)


def load(folder: Path, part: str) -> list[dict[str, str]]:
    """As `stream`, all of them at once."""
    return list(stream(folder, part))


def load_books(folder: Path) -> dict[str, Any]:
    """The books of a folder of pairs: where the rows come from, and how many were read, kept, rejected and so on."""
    return artifacts.require(Path(folder), "01_data")["facts"]


def sort_rows(source, outputs, fields=Fields(), skip_bad=True, repairs=(), benchmarks=()) -> dict[str, Any]:
    """Write every row of a source into one of `outputs`, by part, and return the books, which count each row once."""
    counts: Counter[str] = Counter()
    faults: list[str] = []
    rejects = outputs[REJECTS]

    def clean_rows() -> Iterator[dict[str, str]]:
        for item, fault_list in check(source, fields):
            counts["num_read"] += isinstance(item, Row)
            if isinstance(item, Row) and item.pair and not fault_list:
                yield _clean_row(item.pair, source)
                continue
            if not source.is_made_here:
                counts["num_faults"] += len(fault_list)
                faults.extend(map(str, fault_list[: NUM_FAULTS_SHOWN - len(faults)]))
            if isinstance(item, Row):
                is_duplicate = item.pair is not None
                counts["num_duplicates" if is_duplicate else "num_rejected"] += 1
                if not is_duplicate:
                    _write(rejects, _reject(item.text, item.place, "; ".join(fault.reason for fault in fault_list)))

    rows: Iterable[dict[str, str]] = clean_rows()
    records: list[dict[str, Any]] = []
    if repairs:
        rows, records = _repaired(list(rows), repairs, benchmarks, rejects, counts)
    origins, kinds = set(), Counter()
    for row in rows:
        split = split_of(row["origin"])
        counts[f"num_{split}"] += 1
        origins.add(hash(row["origin"]))
        kinds.update([row["kind"]] if "kind" in row else [])
        _write(outputs[split], row)
    name = str(source.path or source.name)
    if faults and not skip_bad:
        raise Refused(_refusal(name, faults, counts["num_faults"]))
    num_kept = counts["num_train"] + counts["num_validation"]
    if not num_kept:
        why = f" The first: {name}{faults[0]}." if faults else ""
        raise UserError(f"{name}: none of its {counts['num_read']} rows can be used.{why} {FIELDS_HINT}")
    names = ("num_read", "num_rejected", "num_duplicates", "num_train", "num_validation")
    books = {"num_kept": num_kept} | {name: counts[name] for name in names}
    return books | {"num_origins": len(origins), "kinds": dict(kinds), "repairs": records}


def check(source: sources.Source, fields: Fields = Fields()) -> Iterator[tuple[Row | Fault, list[Fault]]]:
    """Every row of a source, or fault that belongs to no row, beside its faults; a repeated row is one too.

    Rows are the same when their cleaned texts are. Memory grows by some 200 bytes a row, to know them again.
    """
    seen: dict[bytes, Fault] = {}
    for item in _raw_rows(source, fields):
        if isinstance(item, Fault) or item.pair is None:
            yield item, [item] if isinstance(item, Fault) else item.faults
            continue
        text = "\0".join(clean(item.pair[name]) for name in reader.PAIR_FIELDS)
        first = seen.setdefault(hashlib.blake2b(text.encode(), digest_size=16).digest(), item.place)
        is_first = first is item.place
        where = f"line {first.line}" if first.row is None else f"row {first.row}"
        yield item, [] if is_first else [replace(item.place, reason=f"the same pair as {where}; leave one out")]


def split_of(origin: str) -> str:
    """The side all pairs of this origin stand on, whatever other rows there are."""
    share = int(artifacts.sha256_text(origin)[:8], 16) / 16**8
    return VALIDATION if share < VALIDATION_SHARE else TRAIN


def clean(text: str) -> str:
    """The text with `\\n` line ends, without blank lines before it and without white space after it.

    The first line keeps its indentation, which a response that goes on with a function needs.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").rstrip()
    return re.sub(r"\A(?:[^\S\n]*\n)+", "", text)


def _clean_row(row: dict[str, str], source: sources.Source) -> dict[str, str]:
    pair = {name: clean(text) for name, text in row.items() if name in reader.PAIR_FIELDS}
    pair["instruction"] = pair["instruction"].lstrip()
    # Only the rows made here say themselves where they are from, and of what kind.
    pair |= {
        "origin": row.get("origin") or _origin(pair["instruction"]),
        "source": source.name,
        "license": source.license,
    }
    return pair | {"kind": row["kind"]} if "kind" in row else pair


def _origin(instruction: str) -> str:
    return " ".join(re.findall(r"\w+", instruction.casefold()))


def _repaired(rows, repairs, benchmarks, rejects, counts) -> tuple[Iterable[dict[str, str]], list[dict[str, Any]]]:
    """The rows after the chosen repairs of `audit`; those left out are rejects, with the repair as reason."""
    repaired, records = audit.apply_repairs(rows, list(repairs), benchmarks)
    reasons = {
        index: f"{record['repair']}: {why}" for record in records for index, why in record.pop("reasons").items()
    }
    for index, reason in sorted(reasons.items()):
        counts["num_rejected"] += 1
        _write(rejects, _reject(json.dumps(rows[index], ensure_ascii=False).encode(), Fault(None, None, ""), reason))
    # What was replaced in an instruction must not live on in its origin.
    kept = [
        row | {"origin": _origin(row["instruction"])} if row["origin"] == _origin(old["instruction"]) else row
        for row, old in zip(repaired, rows, strict=True)
        if row is not None
    ]
    return kept, records


def _reject(text: bytes, place: Fault, reason: str) -> dict[str, Any]:
    """A row that was left out. `text` has bytes that are not UTF-8 as Python's surrogate escapes."""
    numbers = {name: getattr(place, name) for name in ("line", "row") if getattr(place, name)}
    return numbers | {"reason": reason, "text": text.decode("utf-8", "surrogateescape")}


def _raw_rows(source: sources.Source, fields: Fields) -> Iterator[Row | Fault]:
    if source.hub:
        yield from reader.hub_rows(*source.hub, fields)
    elif source.path:
        yield from reader.read(source.path, fields)
    else:
        for number, pair in enumerate(stdlib_pairs.standard_library(), start=1):
            yield Row(Fault(None, None, "", number), json.dumps(pair, ensure_ascii=False).encode(), pair)


def _refusal(name: str, faults: list[str], num_faults: int) -> str:
    more = f"\n… and {num_faults - len(faults)} more" if num_faults > len(faults) else ""
    return (
        f"{name}: {num_faults:,} faults; nothing was changed. Correct the file, or leave these rows out: SKIP_BAD=1, "
        f"--skip-bad. {FIELDS_HINT}\n" + "\n".join(f"{name}{fault}" for fault in faults) + more
    )


def _write(file, row: dict[str, Any]) -> None:
    # Half a surrogate pair, which stands for a byte that is not UTF-8, cannot be written but as an escape.
    is_plain = not reader.SURROGATE.search(row.get("text", ""))
    file.write(json.dumps(row, ensure_ascii=not is_plain) + "\n")
