"""Preflight checks of token rows before training, each with a remedy.

Counts cover all rows of both splits; checks that need texts or blocks cover `SAMPLE_ROWS` rows per split, evenly
spread.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from utils import artifacts, files
from utils.config import RunConfig
from utils.data import pairs
from utils.errors import UserError
from utils.model import loading, packing_support
from utils.tokens import dataset, packing
from utils.tokens.dataset import SPLITS, TokenRows
from utils.tokens.labels import IGNORE_INDEX
from utils.tokens.prompts import begin_ids, control_tokens, encode_prompts, encode_texts, end_id, format_prompt

SAMPLE_ROWS = 20_000
FEW_VALIDATION_PAIRS = 20
CHECKS = "checks.json"


@dataclass(frozen=True)
class Check:
    """One check: whether it passed (None: a note that stops nothing), what was found, and a remedy."""

    name: str
    is_good: bool | None
    found: str
    remedy: str


def check(data_dir: Path, config: RunConfig, tokenizer) -> list[Check]:
    """All checks of the token rows of `config`, kept in their folder as `checks.json`; `require` reads them."""
    counts, row_counts = count(data_dir, config, tokenizer), balance(data_dir, config)
    again = "run notebooks 01 and 02 again; if it fails again, the template or the tokenizer changed"
    defect = "do not train: this is a defect of the workbook, please report it"
    unwritable = "use another tokenizer, or remove the text that it cannot represent"
    sample, whole = f"{counts['sampled_rows']:,} of {counts['rows']:,} rows", f"{counts['rows']:,} rows"
    points = (
        ("The prompt in training is the prompt in generation", "other_prompts", sample, again),
        ("The end is a target token in every row", "ends_untrained", sample, defect),
        ("Every row has target tokens", "rows_untrained", sample, "remove these rows from the pairs"),
        ("No token of a prompt is a target token", "prompt_tokens_trained", sample, defect),
        ("Decoding restores the text", "texts_changed", sample, unwritable),
        ("Text never becomes a special token", "rows_with_specials", whole, defect),
    )
    checks = [
        Check(name, not counts[key], f"{counts[key]:,} violations in {where}", remedy)
        for name, key, where, remedy in points
    ]
    parts = ("kept", "rejected", "duplicates", "too_long", "without_target_token")
    sums = " + ".join(f"{row_counts[f'num_{part}']:,} {part.replace('_', ' ')}" for part in parts)
    is_even = row_counts["num_read"] == sum(row_counts[f"num_{part}"] for part in parts)
    long = f"{row_counts['num_too_long']:,} rows over {config.max_length:,} tokens are left out whole; no row is cut"
    checks += [
        Check("Packed pairs are kept apart", *_packing_check(config)),
        Check("Row counts add up", is_even, f"{row_counts['num_read']:,} read = {sums}", again),
        Check("Long rows", row_counts["num_kept"] > 0, long, "raise max_length"),
        _validation_check(data_dir, config),
    ]
    files.write_json(artifacts.tokens_dir(data_dir, config) / CHECKS, [asdict(check) for check in checks])
    return checks


def require(folder: Path) -> None:
    """Raise `UserError` when a check of these token rows failed; unchecked rows are accepted."""
    bad = [check for check in artifacts.read_json(Path(folder) / CHECKS) or [] if check["is_good"] is False]
    if bad:
        failed = "; ".join(f"{check['name']!r} failed ({check['found']}): {check['remedy']}" for check in bad)
        raise UserError(f"{folder} cannot be trained on: {failed}.")


def balance(data_dir: Path, config: RunConfig) -> dict[str, int]:
    """Row counts: read = kept + rejected + duplicates + over-long + without target token.

    `num_kept` are the rows for training and evaluation.
    """
    report = pairs.row_counts(artifacts.pairs_dir(data_dir, config.pairs))
    row_counts = {name: report[name] for name in ("num_read", "num_rejected", "num_duplicates")}
    row_counts |= {"num_kept": 0, "num_too_long": 0, "num_without_target_token": 0}
    for split in SPLITS:
        rows = dataset.load(artifacts.tokens_dir(data_dir, config), split)
        is_long = rows.lengths > config.max_length
        is_untrained = ~is_long & (rows.lengths <= np.maximum(1, rows.prompt_lengths))
        for name, number in (("too_long", is_long.sum()), ("without_target_token", is_untrained.sum())):
            row_counts[f"num_{name}"] += int(number)
        row_counts["num_kept"] += int((~is_long & ~is_untrained).sum())
    return row_counts


def count(data_dir: Path, config: RunConfig, tokenizer) -> dict[str, int]:
    """The number of rows or tokens that violate each rule, and of rows checked."""
    special_ids = list(control_tokens(tokenizer))
    begin, end = begin_ids(tokenizer, config.template), end_id(tokenizer, config.template)
    plain = encode_prompts([format_prompt("x", "", config.template, tokenizer)], tokenizer, config.template)[0]
    # The template's own control tokens, and the end of the response.
    num_special = int(np.isin(plain, special_ids).sum()) + 1
    names = ("other_prompts", "ends_untrained", "rows_untrained", "prompt_tokens_trained", "texts_changed")
    counts = dict.fromkeys((*names, "rows_with_specials", "rows", "sampled_rows"), 0)
    for rows, chosen, texts in _samples(data_dir, config):
        counts["rows"] += len(rows)
        counts["sampled_rows"] += len(chosen)
        counts["rows_with_specials"] += _num_other_specials(rows, special_ids, num_special)
        prompts = [format_prompt(row["instruction"], row["input"], config.template, tokenizer) for row in texts]
        encoded = encode_prompts(prompts, tokenizer, config.template)
        starts = rows.prompt_lengths[chosen]
        rests = zip(chosen, starts, encoded, strict=True)
        counts["other_prompts"] += sum(rows[row][:start].tolist() != ids for row, start, ids in rests)
        block, lengths = packing.build_block(rows, chosen.tolist()), rows.lengths[chosen]
        is_trained = block.labels != IGNORE_INDEX
        ends = np.cumsum(lengths) - 1
        counts["ends_untrained"] += int((block.labels[ends] != end).sum())
        counts["rows_untrained"] += int((np.add.reduceat(is_trained, ends - lengths + 1, dtype=int) == 0).sum())
        counts["prompt_tokens_trained"] += int((is_trained & (block.position_ids < np.repeat(starts, lengths))).sum())
        for row, start, prompt, text in zip(chosen, starts, prompts, texts, strict=True):
            ids = rows[row].tolist()
            is_same = _says(tokenizer, ids[len(begin) : start], prompt) and _says(
                tokenizer, ids[start:-1], text["response"]
            )
            counts["texts_changed"] += not is_same
    return counts


def merges(data_dir: Path, config: RunConfig, tokenizer) -> dict[str, Any]:
    """How many training rows would have other ids if prompt and response were tokenized as one string.

    With the tokens at the boundary in the first such row: `together` in one string, `apart` as they are.
    """
    rows, chosen, texts = next(_samples(data_dir, config))
    prompt = format_prompt("zqxjk", "zqxjk", config.template, tokenizer)
    tail = prompt[prompt.rindex("zqxjk") + 5 :]
    tail_ids = encode_texts([tail], tokenizer)[0]
    together = encode_texts([tail + row["response"] for row in texts], tokenizer)
    apart = [tail_ids + rows[row][rows.prompt_lengths[row] : -1].tolist() for row in chosen]
    merged = [pair for pair in zip(together, apart, strict=True) if pair[0] != pair[1]]
    found: dict[str, Any] = {"num_rows": len(chosen), "num_merged": len(merged), "together": [], "apart": []}
    for one, two in merged[:1]:
        seam = next(place for place, (a, b) in enumerate(zip(one, two, strict=False)) if a != b)
        for name, ids in (("together", one), ("apart", two)):
            found[name] = [tokenizer.decode([index]) for index in ids[seam : seam + 3]]
    return found


def _samples(data_dir: Path, config: RunConfig) -> Iterator[tuple[TokenRows, np.ndarray, list[dict[str, str]]]]:
    """For each split with rows: all rows, the rows to check, and their pairs."""
    for split in SPLITS:
        rows = dataset.load(artifacts.tokens_dir(data_dir, config), split)
        chosen = np.array(packing.spread(range(len(rows)), SAMPLE_ROWS), dtype=int)
        wanted, stream = set(chosen.tolist()), pairs.stream(artifacts.pairs_dir(data_dir, config.pairs), split)
        if len(rows):
            yield rows, chosen, [pair for index, pair in enumerate(stream) if index in wanted]


def _num_other_specials(rows: TokenRows, special_ids: list[int], num_special: int) -> int:
    """The number of rows with another number of special tokens than `num_special`."""
    number = 0
    for start in range(0, len(rows), SAMPLE_ROWS):
        offsets = rows.offsets[start : start + SAMPLE_ROWS + 1]
        is_special = np.isin(rows.ids[offsets[0] : offsets[-1]], special_ids)
        number += int((np.add.reduceat(is_special, offsets[:-1] - offsets[0], dtype=int) != num_special).sum())
    return number


def _says(tokenizer, ids: list[int], text: str) -> bool:
    """Whether ids decode to the text, or to its form after the tokenizer's normalizer."""
    backend = tokenizer.backend_tokenizer
    decoded = backend.decode(ids, skip_special_tokens=False)
    return decoded == text or (backend.normalizer is not None and decoded == backend.normalizer.normalize_str(text))


def _validation_check(data_dir: Path, config: RunConfig) -> Check:
    rows = dataset.load(artifacts.tokens_dir(data_dir, config), "validation")
    number = int((rows.lengths <= config.max_length).sum())
    found = f"{number:,} pairs"
    if number < FEW_VALIDATION_PAIRS:
        found += ": no validation loss" if not number else ": their loss says little about other pairs"
        found += f". 1 in 20 pairs is for validation; {FEW_VALIDATION_PAIRS} or more are better"
    return Check("Pairs for validation", None if number < FEW_VALIDATION_PAIRS else True, found, "add pairs")


def _packing_check(config: RunConfig) -> tuple[bool, str, str]:
    """Whether packed and single pairs give the same predictions, what was found, and a remedy."""
    try:
        support = packing_support.training_support(loading.load_config(config), config)
    except UserError as error:
        return False, str(error), "use another model, or lower max_length"
    if support.is_packed:
        return True, f"equal to {packing_support.TOLERANCE:g} on a small copy of the model", ""
    return True, f"one pair per forward pass, which is exact but slower: {support.reason}", ""
