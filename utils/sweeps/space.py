"""Several values of settings, as typed, and the runs that they make.

    1e-4, 3e-4, 1e-3           these values; with lists for several settings, every combination
    1e-5 to 1e-3, 6 draws      random values of a range; ranges of several settings are drawn together

A learning-rate range test is a sweep too: short runs (`num_train_epochs`) with `learning_rate` `1e-5 to 1e-1, 8 draws`.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from itertools import product
from typing import Any

import numpy as np

from utils import files
from utils.config import RunConfig
from utils.errors import UserError, short, unknown

TYPES = {setting.name: setting.type for setting in fields(RunConfig)}
# The choice of the preset sets all fields, trackers are themselves a list, and a sweep splits the validation rows.
SINGLE = ("preset", "report_to", "max_eval_samples")
SWEPT = tuple(name for name in TYPES if name not in SINGLE)
NUMBERS = tuple(name for name in TYPES if TYPES[name] in (int, float))  # what is typed may be several values
# The other settings, and an example of what is typed for them.
OTHERS = {
    setting.name: ", ".join(setting.metadata["choices"][:2]) or ("true, false" if setting.type is bool else "")
    for setting in fields(RunConfig)
    if setting.name in SWEPT and setting.name not in NUMBERS
}
LOGARITHMIC = ("learning_rate", "weight_decay", "adam_epsilon")  # drawn and drawn up on a logarithmic scale
RANGE = re.compile(r"(\S+)\s+to\s+(\S+?),?\s+(\d+)\s+draws?", re.IGNORECASE)
MAX_RUNS = 100


def several(typed: Mapping[str, Any]) -> dict[str, str]:
    """Of the texts of the form's fields, those of numbers that hold a list or a range."""
    texts = {name: text for name, text in typed.items() if name in NUMBERS}
    return {name: text for name, text in texts.items() if "," in text or " to " in text}


def first(name: str, text: str) -> Any:
    """The first value of a list, or the lower end of a range; raises `UserError` for what cannot be read."""
    found = RANGE.fullmatch(text.strip())
    return _value(name, found[1]) if found else _values(name, text)[0]


def combinations(base: RunConfig, typed: Mapping[str, str]) -> list[dict[str, Any]]:
    """The changes of `base` that make each run, from the typed values of settings; the same for the same seed.

    Draws are a Latin hypercube (McKay et al. 1979): each setting has one draw in each of equal parts of its range, for
    rates on a logarithmic scale. Raises `UserError` for what cannot be read, values outside a setting's limits, ranges
    with other numbers of draws, and more than `MAX_RUNS` runs.
    """
    lists, ranges = {}, {}
    for name, text in typed.items():
        if name in SINGLE:
            raise UserError(f"{name} takes one value, also in a sweep; got {short(text)}.", field=name)
        if name not in SWEPT:
            raise unknown("setting with several values", name, SWEPT)
        if found := RANGE.fullmatch(text.strip()):
            ranges[name] = *(_value(name, end) for end in found.groups()[:2]), int(found[3])
        else:
            lists[name] = _values(name, text)
    numbers = {number for *_, number in ranges.values()} or {1}
    if len(numbers) > 1:
        raise UserError(f"ranges are drawn together: give all of them the same number of draws, got {sorted(numbers)}.")
    num_runs = (number := numbers.pop()) * int(np.prod([len(values) for values in lists.values()], dtype=object))
    if not 1 <= num_runs <= MAX_RUNS:
        raise UserError(
            f"a sweep has 1 to {MAX_RUNS} runs; these values make {num_runs:,}. Give fewer values or draws."
        )
    generator = np.random.default_rng(base.seed)
    drawn = {name: _draws(name, *limits, generator) for name, limits in ranges.items()}
    draws = [{name: values[i] for name, values in drawn.items()} for i in range(number)]
    listed = [dict(zip(lists, values, strict=True)) for values in product(*lists.values())]
    rows = [draw | values for draw in draws for values in listed]
    for row in rows:
        base.with_changes(**row)
    return [row for i, row in enumerate(rows) if row not in rows[:i]]


def _values(name: str, text: str) -> list[Any]:
    if re.search(r"\d,\d", text):
        raise UserError(
            f"{name}: write decimals with a point, and a space after each comma, got {short(text)}.", field=name
        )
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or " to " in text:
        raise UserError(
            f"{name}: type values such as `1, 2`, or a range such as `1 to 9, 4 draws`; got {short(text)}.", field=name
        )
    return [_value(name, part) for part in parts]


def _value(name: str, text: str) -> Any:
    """The text in the setting's type, or as it is: `RunConfig` says what is wrong with it."""
    if TYPES[name] is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    with suppress(ValueError):
        return int(text) if TYPES[name] is int else float(text) if TYPES[name] is float else text
    return text


def _draws(name: str, low: Any, high: Any, number: int, generator: np.random.Generator) -> list[Any]:
    is_logarithmic = name in LOGARITHMIC
    are_numbers = TYPES[name] in (int, float) and not isinstance(low, str) and not isinstance(high, str)
    if not are_numbers or not (0 if is_logarithmic else -files.MAX_NUMBER) < low < high < files.MAX_NUMBER:
        above = " above 0" if is_logarithmic else ""
        raise UserError(
            f"{name}: a range goes from a lower to a higher number{above}, got {short(low)} to {short(high)}.", name
        )
    parts = (generator.permutation(number) + generator.random(number)) / number
    drawn = low * (high / low) ** parts if is_logarithmic else low + (high - low) * parts
    return [round(value) if TYPES[name] is int else float(f"{value:.3g}") for value in drawn.tolist()]
