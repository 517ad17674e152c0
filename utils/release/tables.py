"""The ledger, the exports and the files of an upload as tables."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from utils import artifacts, files
from utils.hardware import format_bytes
from utils.markdown import one_line
from utils.plots import Table
from utils.release.ledger import Line

EXPORT = {"name": str, "path": str, "num_bytes": int, "tokens_per_second": files.NUMBER | None, "checks": {}}


def recipe(lines: Sequence[Line]) -> Table:
    """The published recipe against the run, a row for each line."""
    names = {"status": "which is", "published": "published card", "meaning": "what a difference means"}
    rows = [{name: one_line(value) for name, value in asdict(line).items()} for line in lines]
    return Table(Table(rows).rename(columns=names).set_index("what"))


def export(item: Mapping[str, Any]) -> dict[str, str]:
    """One export, an `EXPORT`, in words."""
    size, speed = item["num_bytes"], item["tokens_per_second"]
    compared = "; ".join(f"{name}: {value}" for name, value in item["checks"].items())
    return {
        "file": "*.safetensors" if item["path"] == "." else item["path"],
        "what": item["name"],
        "size": format_bytes(size) if size >= 2**20 else f"{size:,} bytes",
        "tokens a second": "not measured" if speed is None else f"{speed:,.0f}",
        "compared with the trained model": compared or "not compared",
    }


def exports(folder: Path | None) -> Table:
    """The exports of a release, with size, speed and checks; empty without a release."""
    facts = artifacts.require(folder, "07_release")["facts"] if folder else {}
    found = facts.get("exports", [])
    rows = [export(item) for item in found] if not files.misfit(found, [EXPORT]) else []
    return Table(rows, index=[row.pop("file") for row in rows])


def upload(listed: Iterable[tuple[object, int]]) -> Table:
    """The files of an upload with their sizes, and their sum."""
    sizes = {str(path): num_bytes for path, num_bytes in listed}
    rows = sizes | {f"all {len(sizes)}": sum(sizes.values())}
    return Table({"bytes": {path: f"{num_bytes:,}" for path, num_bytes in rows.items()}})
