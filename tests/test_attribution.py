"""Where an answer came from: stretches found, and only those, word for word; an index that is kept and made again."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils import artifacts
from utils.config import RunConfig
from utils.data import ngram_index, pairs
from utils.data.ngram_index import TOKENS
from utils.errors import UserError
from utils.playground import attribution
from utils.playground.attribution import NUM_WORDS, Index, pretraining_search
from utils.pretraining import code_files


def words(name: str, number: int) -> str:
    return " ".join(f"{name}{i}" for i in range(number))


def index_of(folder: Path, *texts: str) -> Index:
    folder.mkdir(parents=True, exist_ok=True)
    attribution.build(folder, [(f"source {i}", f"text {i}", "MIT", text) for i, text in enumerate(texts)])
    return Index(folder)


def names(span) -> list[str]:
    return [source.name for source in span.sources]


@pytest.mark.parametrize("num_before", range(attribution.STRIDE))
def test_a_stretch_is_found_wherever_it_begins_and_one_word_less_is_not(tmp_path, num_before):
    stretch = words("w", NUM_WORDS)
    index = index_of(tmp_path, f"{words('a', num_before)}\n{stretch}\nend")
    answer = f"Here: {stretch}. Done."
    (span,) = index.spans(answer)
    assert answer[span.start : span.end] == stretch
    (source,) = span.sources
    assert source == ("source 0", "text 0, line 2", "MIT", stretch)
    assert index.spans(answer.replace("w0 ", "")) == index.spans(answer.replace(f" w{NUM_WORDS - 1}", "")) == []


def test_white_space_makes_no_difference_and_everything_else_does(tmp_path):
    text = "def total(items):\n    result = 0\n    for item in items:\n        result += item\n    return result"
    index = index_of(tmp_path, f"import sys\n\n{text}\n")
    changed = text.replace("    ", "\t").replace("\n", " \n\n").replace("(items)", "( items )")
    (span,) = index.spans(changed)
    assert (span.start, span.end) == (0, len(changed))
    assert span.sources[0].text == text and span.sources[0].where == "text 0, line 3"
    for other in (text.upper(), text.replace("+=", "-=").replace("result = 0", "result = 1"), text[::-1]):
        assert index.spans(other) == []


def test_the_longest_stretch_comes_first_and_stretches_do_not_overlap(tmp_path):
    every = words("w", 4 * NUM_WORDS).split()
    for num_left in (NUM_WORDS, NUM_WORDS - 1):
        short, long = every[: 2 * NUM_WORDS], every[num_left:]
        index = index_of(tmp_path / str(num_left), " ".join(short), " ".join(long[:-1]), " ".join(long))
        answer = " ".join(every)
        *left, right = index.spans(answer)
        assert answer[right.start : right.end] == " ".join(long) and names(right) == ["source 2"]
        assert [answer[span.start : span.end] for span in left] == [" ".join(every[:NUM_WORDS])][
            : num_left // NUM_WORDS
        ]
        assert all(names(span) == ["source 0"] for span in left)


def test_a_stretch_of_two_sources_names_both_the_longer_match_first(tmp_path):
    w, v, z = words("w", 40), words("v", 20), words("z", 40)
    index = index_of(tmp_path, f"before {w}", w, f"{w} {v}", f"{v}\n{z}")
    (span,) = index.spans(w)
    assert names(span) == ["source 0", "source 1", "source 2"]
    # Where `v` stands by itself both have it; after `w`, the longer match of source 2 has all of it.
    assert [names(span) for span in index.spans(v)] == [["source 2", "source 3"]]
    assert [names(span) for span in index.spans(f"{w} {v}")] == [["source 2"]]
    # Both have `v` here, it goes to the first of two as long, and only the rest of source 3 is marked and shown.
    first, second = index.spans(f"{w} {v} {z}")
    assert names(first) == ["source 2"] and second.sources == [("source 3", "text 3, line 2", "MIT", z)]


def test_what_stands_in_many_texts_names_five(tmp_path):
    texts = [f"{words('w', 40)} {words(f'name{i}x', 40)}" for i in range(200)]
    (span,) = index_of(tmp_path, *texts).spans(words("w", 40))
    assert (span.start, span.end) == (0, len(words("w", 40))) and len(set(names(span))) == attribution.MAX_SOURCES


def test_a_ruler_tells_nothing_but_stays_part_of_a_longer_stretch(tmp_path):
    ruler = "# " + "=" * 70
    texts = [f"{ruler}\n{words(f'name{i}x', 40)}\n{ruler}" for i in range(200)]
    index = index_of(tmp_path, *texts, "0, " * 500)
    assert index.spans(ruler[2:]) == index.spans("0, " * 100) == []
    (span,) = index.spans(texts[150])
    assert (span.start, span.end) == (0, len(texts[150])) and names(span) == ["source 150"]


def test_a_hash_that_is_the_same_for_all_finds_nothing_wrong(tmp_path, monkeypatch):
    real = ngram_index._hashes
    monkeypatch.setattr(ngram_index, "_hashes", lambda *arguments: real(*arguments) * 0)
    index = index_of(tmp_path, words("a", 30), words("b", 30))
    answer = f"{words('b', 30)} {words('c', 30)} {words('a', NUM_WORDS - 1)}"
    assert [(answer[span.start : span.end], names(span)) for span in index.spans(answer)] == [
        (words("b", 30), ["source 1"])
    ]


def test_a_source_shows_the_lines_around_and_not_too_much(tmp_path):
    text = f"first\n{'x ' * 500}{words('é', NUM_WORDS)} {'y ' * 500}\nlast"
    (span,) = index_of(tmp_path, text).spans(words("é", NUM_WORDS))
    (source,) = span.sources
    assert len(source.text) == attribution.MAX_SOURCE_CHARACTERS and words("é", NUM_WORDS) in source.text
    assert source.where == "text 0, line 2"


few_words = st.lists(st.sampled_from(["a", "B", "b", "(", ")", "é", "x1"]), max_size=120).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(few_words, max_size=4), few_words, st.data())
def test_spans_are_the_runs_that_stand_in_the_texts(tmp_path_factory, texts, answer, data):
    for text in texts[:2]:  # chance alone copies too little
        copied = text.split()[data.draw(st.integers(0, 40)) :]
        answer = " ".join([answer, *copied[: data.draw(st.integers(0, 60))], answer[:20]])
    index = index_of(tmp_path_factory.mktemp("index"), *texts, "end")
    spans = index.spans(answer)
    is_marked = [False] * len(answer)
    for start, end, found in spans:
        stretch = TOKENS.findall(answer[start:end])
        assert (
            len(stretch) >= NUM_WORDS and 1 <= len(found) <= attribution.MAX_SOURCES and not any(is_marked[start:end])
        )
        is_marked[start:end] = [True] * (end - start)
        for source in found:
            whole = " ".join(TOKENS.findall(texts[int(source.name.split()[1])]))
            assert f" {' '.join(stretch)} " in f" {whole} "
    # Nothing is missed: in each run of the texts that stands in the answer, and is no ruler, some word is marked.
    tokens = list(TOKENS.finditer(answer))
    for first in range(len(tokens) - NUM_WORDS + 1):
        some = [token[0] for token in tokens[first : first + NUM_WORDS]]
        is_ruler = any(len(set(some[place : place + attribution.GRAM])) < 3 for place in range(attribution.STRIDE))
        run = " ".join(some)
        if not is_ruler and any(f" {run} " in f" {' '.join(TOKENS.findall(text))} " for text in texts):
            assert any(is_marked[tokens[first].start() : tokens[first + NUM_WORDS - 1].end()])


@pytest.fixture
def run(tmp_path):
    file, run_dir = tmp_path / "mine.jsonl", tmp_path / "runs" / "one"

    def write(*responses: str) -> None:
        rows = [{"instruction": f"{words('i', 20)} {i}", "input": "", "response": r} for i, r in enumerate(responses)]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        pairs.prepare(str(file), tmp_path)

    write(*(words(f"r{i}x", 30) for i in range(9)))
    run_dir.mkdir(parents=True)
    RunConfig(model_name_or_path="bigcode/starcoder", pairs=str(file)).save(run_dir / "config.json")
    return tmp_path, run_dir, write


def test_a_run_s_pairs_are_searched_part_by_part_and_named(run):
    data_dir, run_dir, _ = run
    index = Index.of_run(run_dir, data_dir)
    rows = pairs.load(artifacts.pairs_dir(data_dir, RunConfig.load(run_dir / "config.json").pairs), "train")
    answer = f"{rows[3]['instruction']}\n{rows[3]['response']}"
    asked, answered = index.spans(answer)
    assert answer[asked.start : asked.end] == rows[3]["instruction"]
    assert asked.sources[0].where == "pair 4, instruction, line 1"
    (source,) = answered.sources
    assert source == ("mine.jsonl", "pair 4, response, line 1", "not stated", rows[3]["response"])


def test_an_index_is_kept_over_a_restart_and_made_again_when_the_pairs_change(run, monkeypatch):
    data_dir, run_dir, write = run
    answer = f"{words('r1x', 30)} and {words('r2x', 30)} and {words('new', 30)}"
    made = Index.of_run(run_dir, data_dir).spans(answer)
    assert len(made) == 2
    with monkeypatch.context() as patched:
        patched.setattr(attribution, "build", lambda *_: pytest.fail("it was up to date"))
        assert Index.of_run(run_dir, data_dir).spans(answer) == made
    write(*(words("new", 30 + i) for i in range(9)))
    again = Index.of_run(run_dir, data_dir).spans(answer)
    assert [answer[span.start : span.end] for span in again] == [words("new", 30)]


def test_the_embedded_base_s_code_is_searched_too_less_what_is_held_out(run, monkeypatch):
    data_dir, run_dir, _ = run
    answer = f"{words('r1x', 30)} then {words('c', 30)} then {words('h', 30)}"
    assert len(Index.of_run(run_dir, data_dir).spans(answer)) == 1
    RunConfig.load(run_dir / "config.json").with_changes(model_name_or_path="embedded").save(run_dir / "config.json")
    documents = [
        code_files.Document("pkg/a.py", "pkg 1.0", "BSD", f"# A file.\n\n{words('c', 30)}\n", pairs.TRAIN),
        code_files.Document("held", "Python 3", "PSF-2.0", words("h", 30), pairs.VALIDATION),
    ]
    monkeypatch.setattr(code_files, "documents", lambda: documents)
    _, code = Index.of_run(run_dir, data_dir).spans(answer)
    assert code.sources == [("pkg 1.0", "pkg/a.py, line 3", "BSD", words("c", 30))]


def test_without_pairs_the_notebook_to_run_is_named(run):
    data_dir, run_dir, _ = run
    with pytest.raises(UserError, match="01_data"):
        Index.of_run(run_dir, data_dir / "elsewhere")


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("bigcode/starcoder", "bigcode/search"),
        ("GeorgiaTechResearchInstitute/starcoder-gpteacher-code-instruct", "bigcode/search"),
        ("bigcode/starcoder2-3b", "bigcode/search-v2"),
        ("embedded", None),
        ("/home/starcoder/llama", None),
    ],
)
def test_starcoder_s_own_training_data_is_searched_at_bigcode(name, address):
    found = pretraining_search(name)
    assert (found and found[1]) == (address and f"https://huggingface.co/spaces/{address}")
