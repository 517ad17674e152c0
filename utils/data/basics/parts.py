"""The parts of the grammar of `compositions`, each with its code and its wordings.

Placeholders in code: `{v}` is the loop variable, `{e}` what becomes of it, `{loop}` and `{test}` are the clauses of a
comprehension, `{values}` is the whole, `{argument}` the whole as one of several arguments, `{c}` the condition.
"""

from dataclasses import dataclass

NUMBER, WORD, LETTER = TYPES = ("number", "word", "letter")
TEXTS = (WORD, LETTER)


@dataclass(frozen=True)
class Source:
    """Where the values come from; `words` are a noun and what follows it, `useless` filters and maps change nothing."""

    name: str
    type: str
    kind: str  # of the parameter
    parameter: str
    code: str
    element: str
    words: tuple[tuple[str, str], ...]
    useless: tuple[str, ...] = ()


@dataclass(frozen=True)
class Filter:
    """Which values: `words` are an adjective before the noun or a clause after it; `predicate` says it of several."""

    name: str
    type: str
    code: str
    predicate: str
    words: tuple[tuple[str, str], ...]
    parameter: tuple[str, str] | None = None  # a second parameter of the function, with its kind


@dataclass(frozen=True)
class Map:
    """What becomes of each value: `words` stand in "the … of the numbers in a list"."""

    name: str
    type: str
    code: str
    words: tuple[str, ...]
    result: str


@dataclass(frozen=True)
class Fold:
    """What is made of all values; as a loop, `result` begins with `start`, and `step` is done for each value."""

    name: str
    types: tuple[str, ...]
    code: str
    words: tuple[str, ...]
    result: str = ""
    start: str = ""
    step: str = ""
    needs_filter: bool = False
    needs_map: bool = False
    takes_map: bool = True
    is_question: bool = False  # whether values are so, of the filter's condition
    is_enough: bool = True  # also without filter and map


SOURCES = (
    Source("numbers", NUMBER, "Numbers", "numbers", "numbers", "number",
           (("numbers", "in a list"), ("numbers", "of a list"), ("elements", "of a list of numbers"))),
    Source("range", NUMBER, "Natural", "n", "range(1, n + 1)", "number",
           (("numbers", "from 1 to n"), ("integers", "from 1 up to n"), ("whole numbers", "between 1 and n")),
           ("positive", "negative", "nonzero", "absolute_values", "successors")),
    Source("digits", NUMBER, "Numeral", "n", "map(int, str(n))", "digit",
           (("digits", "of a number"), ("digits", "of an integer"), ("digits", "in a whole number")),
           ("positive", "negative", "absolute_values", "above_10", "above_100", "below_10", "below_100", "successors",
            "multiples_of_10")),
    Source("scores", NUMBER, "Scores", "scores", "scores.values()", "score",
           (("values", "of a dictionary"), ("scores", "in a dictionary of names and scores"),
            ("scores", "in a dictionary")), ("above_100",)),
    Source("words", WORD, "Words", "words", "words", "word",
           (("words", "in a list"), ("words", "of a list"), ("strings", "in a list"))),
    Source("text_words", WORD, "Text", "text", "text.split()", "word",
           (("words", "of a text"), ("words", "of a sentence"), ("words", "in a string"))),
    Source("letters", LETTER, "Text", "text", "text", "letter",
           (("characters", "of a text"), ("characters", "in a string"), ("characters", "of a string"))),
)  # fmt: skip

ADJECTIVES = (
    ("even", NUMBER, "{v} % 2 == 0"),
    ("odd", NUMBER, "{v} % 2 == 1"),
    ("positive", NUMBER, "{v} > 0"),
    ("negative", NUMBER, "{v} < 0"),
)
CLAUSES = (
    ("nonzero", NUMBER, "{v} != 0", "are not zero", ("other than 0", "except zeros")),
    ("with_capital", WORD, "{v}[0].isupper()", "start with a capital letter",
     ("that begin with an upper-case letter", "which begin with a capital letter")),
    ("with_vowel", WORD, '{v}[0].lower() in "aeiou"', "start with a vowel",
     ("that begin with a vowel", "whose first letter is a vowel")),
    ("palindromes", WORD, "{v} == {v}[::-1]", "are palindromes",
     ("that read the same forwards and backwards", "which are palindromes")),
    ("vowels", LETTER, '{v}.lower() in "aeiou"', "are vowels", ("which are vowels",)),
    ("digits", LETTER, "{v}.isdigit()", "are digits", ("which are digits",)),
    ("letters", LETTER, "{v}.isalpha()", "are letters", ("which are letters",)),
    ("upper_case", LETTER, "{v}.isupper()", "are upper-case letters",
     ("which are capital letters", "that are in upper case")),
    ("lower_case", LETTER, "{v}.islower()", "are lower-case letters",
     ("which are small letters", "that are in lower case")),
    ("spaces", LETTER, '{v} == " "', "are spaces", ("which are spaces",)),
    ("without_spaces", LETTER, '{v} != " "', "are not spaces", ("other than spaces", "except spaces")),
    ("without_vowels", LETTER, '{v}.lower() not in "aeiou"', "are not vowels", ("other than vowels", "except vowels")),
    ("without_digits", LETTER, "not {v}.isdigit()", "are not digits", ("other than digits", "except digits")),
    *((f"multiples_of_{k}", NUMBER, f"{{v}} % {k} == 0", f"are divisible by {k}",
       (f"which are divisible by {k}", f"that are multiples of {k}")) for k in (3, 5, 10)),
    *((f"above_{k}", NUMBER, f"{{v}} > {k}", f"are greater than {k}", (f"that are larger than {k}", f"that exceed {k}"))
      for k in (5, 10, 100)),
    *((f"below_{k}", NUMBER, f"{{v}} < {k}", f"are less than {k}",
       (f"that are smaller than {k}", f"that are below {k}"))
      for k in (5, 10, 100)),
    *((f"longer_than_{k}", WORD, f"len({{v}}) > {k}", f"are longer than {k} letters",
       (f"which are longer than {k} letters", f"that have more than {k} letters")) for k in (3, 4, 5)),
    *((f"shorter_than_{k}", WORD, f"len({{v}}) < {k}", f"are shorter than {k} letters",
       (f"which are shorter than {k} letters", f"that have fewer than {k} letters")) for k in (4, 5)),
    *((f"with_{k}_letters", WORD, f"len({{v}}) == {k}", f"have exactly {k} letters",
       (f"that are exactly {k} letters long", f"whose length is {k}")) for k in (3, 4, 5)),
    *((f"starting_with_{k}", WORD, f'{{v}}.startswith("{k}")', f"start with '{k}'",
       (f"whose first letter is '{k}'", f"that begin with '{k}'")) for k in "abs"),
    *((f"ending_with_{k}", WORD, f'{{v}}.endswith("{k}")', f"end with '{k}'",
       (f"whose last letter is '{k}'", f"that end in '{k}'")) for k in "aen"),
    *((f"containing_{k}", WORD, f'"{k}" in {{v}}', f"contain '{k}'",
       (f"that contain the letter '{k}'", f"that have the letter '{k}' in them")) for k in "aeo"),
)  # fmt: skip
# With a second parameter.
GIVEN = (
    ("above_limit", NUMBER, "{v} > limit", "are greater than a given limit",
     ("that exceed a given limit", "that are above a given limit"), ("limit", "Number")),
    ("below_limit", NUMBER, "{v} < limit", "are less than a given limit",
     ("that are smaller than a given limit", "that are below a given limit"), ("limit", "Number")),
    ("multiples", NUMBER, "{v} % divisor == 0", "are divisible by a given divisor",
     ("which are divisible by a given divisor", "that are multiples of a given divisor"), ("divisor", "Positive")),
    ("longer_than_length", WORD, "len({v}) > length", "are longer than a given length",
     ("which are longer than a given length", "that have more than a given number of letters"), ("length", "Natural")),
    ("starting_with_letter", WORD, "{v}.startswith(letter)", "start with a given letter",
     ("whose first letter is a given one", "that begin with a given letter"), ("letter", "Letter")),
    ("containing_letter", WORD, "letter in {v}", "contain a given letter",
     ("which contain a given letter", "that have a given letter in them"), ("letter", "Letter")),
)  # fmt: skip
FILTERS = (
    *(Filter(name, type, code, f"are {name}", ((name, ""), (name, ""), ("", f"that are {name}")))
      for name, type, code in ADJECTIVES),
    *(Filter(name, type, code, predicate, (("", f"that {predicate}"), *(("", clause) for clause in clauses)), *given)
      for name, type, code, predicate, clauses, *given in (*CLAUSES, *GIVEN)),
)  # fmt: skip
MAPS = (
    Map("squares", NUMBER, "{v} ** 2", ("squares", "squared values", "second powers"), NUMBER),
    Map("cubes", NUMBER, "{v} ** 3", ("cubes", "third powers"), NUMBER),
    Map("doubles", NUMBER, "{v} * 2", ("doubles", "doubled values"), NUMBER),
    Map("triples", NUMBER, "{v} * 3", ("triples", "tripled values"), NUMBER),
    Map("halves", NUMBER, "{v} / 2", ("halves", "halved values"), NUMBER),
    Map("absolute_values", NUMBER, "abs({v})", ("absolute values", "magnitudes"), NUMBER),
    Map("negatives", NUMBER, "-{v}", ("negatives", "negated values"), NUMBER),
    Map("successors", NUMBER, "{v} + 1", ("successors", "incremented values"), NUMBER),
    Map("strings", NUMBER, "str({v})", ("string forms", "string representations"), WORD),
    Map("lengths", WORD, "len({v})", ("lengths", "letter counts"), NUMBER),
    Map("upper", WORD, "{v}.upper()", ("upper-case forms", "upper-case versions"), WORD),
    Map("lower", WORD, "{v}.lower()", ("lower-case forms", "lower-case versions"), WORD),
    Map("capitalized", WORD, "{v}.capitalize()", ("capitalized forms", "capitalized versions"), WORD),
    Map("reversed", WORD, "{v}[::-1]", ("reversed forms", "reversed versions", "backward spellings"), WORD),
    Map("first_letters", WORD, "{v}[0]", ("first letters", "initial letters"), LETTER),
    Map("last_letters", WORD, "{v}[-1]", ("last letters", "final letters"), LETTER),
    Map("doubled", LETTER, "{v} * 2", ("doubled forms", "doubled versions"), WORD),
    Map("upper", LETTER, "{v}.upper()", ("upper-case forms", "upper-case versions"), LETTER),
    Map("lower", LETTER, "{v}.lower()", ("lower-case forms", "lower-case versions"), LETTER),
    Map("codes", LETTER, "ord({v})", ("character codes", "Unicode codes"), NUMBER),
)
FOLDS = (
    Fold("list", TYPES, "return [{values}]", ("return a list of {x}", "list {x}", "make a list of {x}"),
         "result", "[]", "result.append({e})", is_enough=False),
    Fold("sum", (NUMBER,), "return sum({values})", ("return the sum of {x}", "add up {x}", "compute the total of {x}"),
         "total", "0", "total += {e}"),
    Fold("product", (NUMBER,), "return math.prod({values})",
         ("return the product of {x}", "multiply together {x}", "compute the product of {x}"),
         "product", "1", "product *= {e}"),
    Fold("count", TYPES, "return sum(1 {loop}{test})",
         ("count {x}", "return the number of {them}", "determine the number of {them}"),
         "count", "0", "count += 1", needs_filter=True, takes_map=False),
    Fold("largest", (NUMBER,), "return max({argument}, default=None)",
         ("return the largest of {x}, or None if there are none", "find the maximum of {x} (None if there are none)",
          "get the biggest of {x}, or None if there is no such value")),
    Fold("smallest", (NUMBER,), "return min({argument}, default=None)",
         ("return the smallest of {x}, or None if there are none", "find the minimum of {x} (None if there are none)",
          "get the lowest of {x}, or None if there is no such value")),
    Fold("average", (NUMBER,), "values = [{e} {loop}{test}]\nreturn sum(values) / len(values) if values else 0",
         ("return the average of {x}, or 0 if there are none", "compute the mean of {x} (0 if there are none)",
          "calculate the average of {x}, or 0 if there is no such value")),
    Fold("sorted", TYPES, "return sorted({values})",
         ("return {x}, in ascending order", "sort {x}", "return a sorted list of {x}")),
    Fold("descending", TYPES, "return sorted({argument}, reverse=True)",
         ("return {x}, in descending order", "sort {x}, in descending order", "list {x}, in reverse sorted order")),
    Fold("set", TYPES, "return set({values})", ("return the set of {x}", "build a set of {x}", "make a set of {x}")),
    Fold("joined", TEXTS, 'return " ".join({values})',
         ("return a space-separated string of {x}", "return {x}, joined by spaces",
          "make one string of {x}, separated by spaces")),
    Fold("with_commas", TEXTS, 'return ",".join({values})',
         ("return a comma-separated string of {x}", "return {x}, joined by commas",
          "make one string of {x}, separated by commas")),
    Fold("string", TEXTS, 'return "".join({values})',
         ("join {x} into one string", "concatenate {x}", "return the concatenation of {x}"), is_enough=False),
    Fold("any", TYPES, "return any({c} {loop})",
         ("check whether any of {x} {p}", "determine if some of {x} {p}", "return True if any of {x} {p}"),
         needs_filter=True, takes_map=False, is_question=True),
    Fold("all", TYPES, "return all({c} {loop})",
         ("check whether all of {x} {p}", "determine if all of {x} {p}", "return True if all of {x} {p}"),
         needs_filter=True, takes_map=False, is_question=True),
    Fold("first", TYPES, "return next(({values}), None)",
         ("return the first of {x}, or None if there are none", "find the first of {x} (None if there are none)",
          "get the first of {x}, or None if there is no such value"), needs_filter=True),
    Fold("dictionary", TYPES, "return {{{v}: {e} {loop}{test}}}",
         ("return a dictionary from the {them} to their {map}", "map the {them} to their {map}, in a dictionary",
          "build a dictionary of the {them}, with their {map} as values"), needs_map=True),
)  # fmt: skip
