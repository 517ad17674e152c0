"""Other wordings of a phrase, by words and openings that mean the same."""

import random
import re
from collections.abc import Iterable

SHARE = 0.5  # of the places where another word can stand
# Each group in full; the first that matches a place is used.
OPENINGS = (
    ("return the", "get the", "find the", "compute the", "calculate the", "determine the", "give the", "work out the"),
    ("return a list of", "make a list of", "get a list of", "create a list of", "build a list of"),
    ("return a", "get a", "make a", "create a"),
    ("check whether", "check if", "tell whether", "tell if", "determine whether", "determine if", "find out whether",
     "find out if", "test whether", "test if"),
    ("find how many", "find out how many", "determine how many", "compute how many", "return how many"),
    ("find all", "get all", "return all", "list all", "collect all"),
    ("list the", "list all", "return a list of the", "get a list of the", "collect the"),
    ("count the", "return the number of", "find the number of", "determine the number of", "compute the number of"),
    ("add up", "sum up", "compute the sum of", "return the total of", "calculate the sum of"),
    ("multiply", "compute the product of", "return the product of"),
    ("remove", "delete", "drop"),
    ("keep only", "filter for", "return only"),
    ("turn", "convert", "change"),
    ("join", "combine", "concatenate"),
    ("put", "place", "insert"),
    ("sort", "order"),
    ("split", "divide", "cut"),
)  # fmt: skip
WORDS = (
    ("a text", "a string", "a piece of text", "a given text", "a given string"),
    ("in a list", "of a list", "in a given list"),
    ("a list of numbers", "a list of integers", "a list of values", "some numbers"),
    ("a list of words", "a list of strings", "some words"),
    ("a dictionary of scores", "a dict of scores", "a dictionary of numbers", "a dict of numbers",
     "a dictionary of names and scores"),
    ("a dictionary", "a dict", "a given dictionary"),
    ("a square matrix", "a square table"),
    ("a matrix", "a table of numbers", "a list of rows"),
    ("two numbers", "two values", "two integers", "two given numbers"),
    ("two lists", "two given lists"),
    ("a whole number", "an integer", "a given number"),
    ("a number", "a value", "a given number", "an integer"),
    ("each number", "every number", "each value", "every value"),
    ("each item", "every item", "each element", "every element"),
    ("an item", "an element", "a given item", "a given element"),
    ("the items", "the elements"),
    ("items", "elements"),
    ("largest", "biggest", "greatest", "highest", "maximum"),
    ("smallest", "lowest", "minimum"),
    ("the average", "the mean"),
    ("upper-case letters", "uppercase letters", "capital letters", "capitals"),
    ("lower-case letters", "lowercase letters", "small letters"),
    ("to upper case", "into upper case", "into capitals"),
    ("distinct", "different", "unique"),
    ("index", "position"),
    ("indexes", "positions", "indices"),
    ("that are", "which are"),
    ("greater than zero", "above zero", "larger than 0"),
    ("less than zero", "below zero", "smaller than 0"),
    ("greater than", "larger than", "bigger than", "above"),
    ("less than", "smaller than", "below"),
    ("begin with", "start with"),
    ("begins with", "starts with"),
    ("contains", "has"),
    ("occurs", "appears"),
    ("in order", "in ascending order"),
    ("each", "every"),
    ("difference between", "difference of"),
    ("how often", "how many times"),
    ("from largest to smallest", "in descending order"),
    ("in reverse order", "backwards"),
    ("the total", "the sum"),
    ("divisible by two", "divisible by 2", "even"),
    ("neighbouring", "adjacent", "consecutive"),
)  # fmt: skip
FIXED = re.compile("greatest common|least common|smallest common|is a whole number")
_OPENING = {one: group for group in reversed(OPENINGS) for one in group}
_WORD = {one: group for group in reversed(WORDS) for one in group}


NOUNS = ("number", "integer", "value", "list", "string", "text")  # "a number of times" is no number


def _pattern(words: Iterable[str]) -> str:
    longest_first = sorted(words, key=len, reverse=True)
    return "|".join(re.escape(word) + "(?! of)" * word.endswith(NOUNS) for word in longest_first)


_FIRST = re.compile(rf"^({_pattern(_OPENING)})(?= )")
_ANY = re.compile(rf"(?<![\w-])({_pattern(_WORD)})(?![\w-])")


def paraphrase(phrase: str, draw: random.Random) -> str:
    """The phrase with some of its words exchanged; the meaning is kept, the grammar nearly always."""
    if FIXED.search(phrase):
        return phrase
    for pattern, groups in ((_FIRST, _OPENING), (_ANY, _WORD)):
        phrase = pattern.sub(
            lambda match, groups=groups: draw.choice(groups[match[0]]) if draw.random() < SHARE else match[0], phrase
        )
    return phrase
