"""Sources of an answer: stretches that occur verbatim in the training pairs or in the embedded model's code.

Verbatim: the same words and punctuation in the same order and case; white space may differ.
"""

import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from utils import artifacts, files
from utils.config import EMBEDDED, RunConfig
from utils.data import pairs
from utils.data.ngram_index import SEPARATOR, TOKENS, UNKNOWN, Ngrams, grams_of, numbered
from utils.data.reader import PAIR_FIELDS
from utils.pretraining import code_files

# Every STRIDE-th n-gram of GRAM words is indexed, so NUM_WORDS consecutive words always contain one. NUM_WORDS excludes
# coincidences: of HumanEval's 164 solutions, which are not from GPTeacher, 74 share 8 consecutive words with its pairs,
# 40 share 10 (`= [ ] for i in range ( len (`), and 7 share 16; with the standard library 52, 23 and 1.
GRAM, STRIDE = 9, 8
NUM_WORDS = GRAM + STRIDE - 1
# N-grams with fewer distinct words, such as rows of zeros, are not looked up.
MIN_DIFFERENT = 3
# The places of an n-gram that are examined.
MAX_PLACES = 64
MAX_SOURCES = 5
MAX_SOURCE_CHARACTERS, MAX_CHARACTERS_BEFORE = 400, 100

SEARCHES = (  # starcoder2 first, because it contains starcoder
    ("starcoder2", "The Stack v2", "https://huggingface.co/spaces/bigcode/search-v2"),
    ("starcoder", "The Stack", "https://huggingface.co/spaces/bigcode/search"),
    ("starchat", "The Stack", "https://huggingface.co/spaces/bigcode/search"),
)


class Source(NamedTuple):
    """A text that contains a stretch of an answer: `text` is the lines there, at most 400 characters."""

    name: str
    where: str
    license: str
    text: str


class Span(NamedTuple):
    """A stretch of an answer, in characters, and at most five sources, the longest match first."""

    start: int
    end: int
    sources: list[Source]


class Index:
    """A memory-mapped index of texts, made by `prepare`, that finds stretches of an answer in them."""

    def __init__(self, folder: Path):
        *arrays, self.bounds = (
            np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("ids", "grams", "places", "bounds")
        )
        self.ngrams = Ngrams(*arrays, GRAM, STRIDE)
        self.texts = np.memmap(folder / "texts.bin", mode="r")
        words = (folder / "words.txt").read_text(encoding="utf-8", errors="surrogatepass").split("\n")
        self.vocabulary = {word: number for number, word in enumerate(words, start=SEPARATOR + 1)}
        self.labels = artifacts.read_json(folder / "labels.json")

    @classmethod
    def of_run(cls, run_dir: Path, data_dir: Path) -> "Index":
        """The index of a run's training pairs, and of the embedded model's code if the run starts from it.

        Made on first use, and again when pairs or packages changed. Raises `UserError` when the run has no settings or
        its pairs are missing. Not covered: pairs changed after the run or left out by `max_train_samples`.
        """
        config = RunConfig.load(Path(run_dir) / "config.json")
        folder, _ = prepare(data_dir, config.pairs, has_code=config.model_name_or_path == EMBEDDED)
        return cls(folder)

    def spans(self, text: str) -> list[Span]:
        """The stretches of `text` of at least `NUM_WORDS` words that occur in the texts, in order, without overlaps.

        Longer matches take precedence. Not covered: rows of zeros and the like; stretches with more than `MAX_PLACES`
        places may be too short.
        """
        words = list(TOKENS.finditer(text))
        ids = (self.vocabulary.get(word[0], UNKNOWN) for word in words)
        matches = self.ngrams.matches(ids, MAX_PLACES, MIN_DIFFERENT)
        is_taken, spans = np.zeros(len(words) + 1, bool), []
        for start, end, _ in matches:
            free = np.flatnonzero(~is_taken[start:end])
            if len(free) < NUM_WORDS:
                continue
            start, end = start + int(free[0]), start + int(free[-1]) + 1
            is_taken[start:end] = True
            spans.append(Span(words[start].start(), words[end - 1].end(), self._sources(matches, start, end)))
        return sorted(spans)

    def _sources(self, matches: list[tuple[int, int, int]], start: int, end: int) -> list[Source]:
        """The first texts that contain all words from `start` to `end`."""
        place_of: dict[int, int] = {}
        for first, last, place in matches:
            if first <= start and end <= last and len(place_of) < MAX_SOURCES:
                place += start - first
                place_of.setdefault(int(np.searchsorted(self.bounds[:, 0], place, side="right")) - 1, place)
        return [self._source(row, place, end - start) for row, place in place_of.items()]

    def _source(self, row: int, place: int, num_words: int) -> Source:
        (first_place, first_byte), (_, last_byte) = self.bounds[row : row + 2].tolist()
        text = self.texts[first_byte:last_byte].tobytes().decode("utf-8", "surrogatepass")
        number = place - first_place
        words = list(islice(TOKENS.finditer(text), number, number + num_words))
        start, end = words[0].start(), words[-1].end()
        name, where, license = self.labels[row]
        line = text.count("\n", 0, start) + 1
        begin = max(text.rfind("\n", 0, start) + 1, start - MAX_CHARACTERS_BEFORE)
        lines = text[begin : end + text[end:].find("\n") if "\n" in text[end:] else None]
        return Source(name, f"{where}, line {line}", license, lines[:MAX_SOURCE_CHARACTERS])


def prepare(data_dir: Path, pairs_name: str, has_code: bool) -> tuple[Path, bool]:
    """The folder with the index of a source's training pairs, and whether it was already up to date.

    Instruction, input and response are separate texts. With `has_code` also the embedded model's code, as `code_files`
    finds it in the installed packages, whose versions may differ from those of pretraining. 10 bytes per word, twice
    that in memory while it is made. Raises `UserError` when the pairs are missing.
    """
    pairs_dir = artifacts.pairs_dir(data_dir, pairs_name)
    inputs = {
        "pairs": artifacts.require(pairs_dir, "01_data")["files"]["train.jsonl"],
        "packages": " ".join(_versions()) if has_code else "",
        "code": artifacts.code_sha256(__name__),
    }
    # `+` does not occur in slugs.
    folder = Path(data_dir) / "attribution" / f"{pairs_dir.name}{'+code' if has_code else ''}"
    if not artifacts.stale_inputs(folder, inputs):
        return folder, True
    texts = [_pair_texts(pairs_dir), *([_code_texts()] if has_code else [])]
    facts: dict[str, Any] = {}
    with artifacts.building(folder, inputs, facts) as temporary:
        facts["num_words"] = build(temporary, (text for part in texts for text in part))
    return folder, False


def build(folder: Path, texts: Iterable[tuple[str, str, str, str]]) -> int:
    """Write an `Index` of texts, each with name, position and licence; returns the number of words."""
    labels, first_bytes = [], [0]
    with open(folder / "texts.bin", "wb") as file:

        def kept() -> Iterator[list[str]]:
            for *label, text in texts:
                labels.append(label)
                file.write(text.encode("utf-8", "surrogatepass"))
                first_bytes.append(file.tell())
                yield TOKENS.findall(text)

        vocabulary, ids, starts = numbered(kept())
    grams, places = grams_of(ids, GRAM, STRIDE)
    bounds = np.column_stack([[*starts, len(ids)], first_bytes])
    for name, values in dict(ids=ids, grams=grams, places=places, bounds=bounds).items():
        np.save(folder / f"{name}.npy", values)
    (folder / "words.txt").write_text("\n".join(vocabulary), encoding="utf-8", errors="surrogatepass")
    files.write_json(folder / "labels.json", labels)
    return len(ids) - len(bounds)


def pretraining_search(model_name_or_path: str) -> tuple[str, str] | None:
    """For StarCoder models, recognized by name: a sentence and the address of BigCode's search in its pretraining data.

    Sources: the model cards of `bigcode/starcoder` and `bigcode/starcoder2-15b`.
    """
    name = Path(model_name_or_path).name.casefold().replace("_", "-")
    for family, corpus, address in SEARCHES:
        if family in name:
            return (
                f"The pretraining data of the base model, {corpus}, is not searched here. "
                "Search it with BigCode's tool:"
            ), address
    return None


def _pair_texts(pairs_dir: Path) -> Iterator[tuple[str, str, str, str]]:
    for number, row in enumerate(pairs.stream(pairs_dir, pairs.TRAIN), start=1):
        for field in PAIR_FIELDS:
            yield row["source"], f"pair {number}, {field}", row["license"], row[field]


def _code_texts() -> Iterator[tuple[str, str, str, str]]:
    train = [document for document in code_files.documents() if document.split == pairs.TRAIN]
    for document in code_files.capped(train):
        yield document.origin, document.name, document.license, document.text


def _versions() -> Iterator[str]:
    """The versions of Python and of each package, which determine what `code_files` finds."""
    yield ".".join(map(str, sys.version_info[:3]))
    for package in code_files.PACKAGES:
        for distribution in metadata.distributions(name=package):
            yield f"{package}=={distribution.version}"
