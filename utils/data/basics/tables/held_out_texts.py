"""Everyday functions on texts, lists and dictionaries that are only asked for: drawn at random, never trained."""

from itertools import groupby

from utils.data.basics.arguments import Bits, Groups, Items, Labels, Letter, Line, Lines, Natural, Positive, Text


def uppercase_values(labels: Labels):
    """convert all values of a dictionary of texts to upper case
    make a new dict with the same keys and upper-case values
    turn every value in a dictionary of strings into capitals
    return a copy of a dictionary in which each text value is uppercased"""
    return {key: value.upper() for key, value in labels.items()}


def flatten_groups(groups: Groups):
    """join all lists in a dictionary of lists into one list
    flatten the values of a dict of lists, in order
    collect the numbers of all groups in a dictionary into a single list
    get one list with the numbers of every list in a dictionary of lists"""
    return [number for numbers in groups.values() for number in numbers]


def count_consonants(text: Text):
    """count the consonants in a text
    find out how many consonants there are in a string
    compute how many letters of a text are not vowels
    return the number of consonants of a string"""
    return sum(letter.isalpha() and letter not in "aeiou" for letter in text.lower())


def count_letter_ignoring_case(text: Lines, letter: Letter):
    """count how many times a given letter occurs in a text, ignoring case
    return the number of occurrences of a character in a string, in upper or lower case
    find how often a letter appears in a string, whether capital or small
    determine how many times a text contains a letter regardless of case"""
    return text.lower().count(letter.lower())


def replace_digits(text: Text):
    """replace every digit of a text by a number sign #
    turn all digits of a string into hash signs
    put a # in the place of each digit in a text
    mask the digits of a string, with one # for each"""
    return "".join("#" if letter.isdigit() else letter for letter in text)


def drop_last_n(items: Items, n: Positive):
    """remove the last n items from a list
    return a list without its last n elements
    cut off n items at the end of a list
    drop the final n elements of a list"""
    return items[:-n]


def run_lengths(items: Items):
    """return the runs of equal items as pairs of item and length
    compute the run-length encoding of a list as tuples of element and count
    convert a list to tuples of each consecutive item and how often it repeats
    make (item, count) tuples for the groups of equal neighbours in a list"""
    return [(item, len(list(group))) for item, group in groupby(items)]


def find_duplicates(items: Items):
    """list each item that occurs more than once, in order of first appearance
    find the repeated elements of a list, each only once, in their original order
    return the distinct items that are in a list at least twice, keeping the order
    get the duplicated items of a list without repetition, in order of appearance"""
    return [item for item in dict.fromkeys(items) if items.count(item) > 1]


def unrepeated_items(items: Items):
    """return the items that occur exactly once in a list
    keep only the elements of a list that are not repeated
    find all items that appear a single time in a list
    get the elements that have no duplicate in a list"""
    return [item for item in items if items.count(item) == 1]


def is_palindromic(items: Items):
    """check if a list is a palindrome
    tell whether a list is equal to its reverse
    determine whether a list reads the same forwards and backwards
    find out if the items of a list are the same in reverse order"""
    return items == items[::-1]


def contains_item(items: Items, item: Natural):
    """check if a list contains an item
    tell whether a given element is in a list
    determine whether an item occurs in a list
    find out if a given value is among the items of a list"""
    return item in items


def indexes_of_item(items: Items, item: Natural):
    """find all indexes of an item in a list
    return every position, counted from zero, at which an element occurs
    get a list of the indexes where a given item appears
    determine all the places, from index zero, where a list holds a given item"""
    return [index for index, other in enumerate(items) if other == item]


def insert_between(items: Items, separator: Natural):
    """insert a separator between the items of a list
    put a given value between any two neighbouring elements of a list
    return a list with a separator element between all its items
    add a given element between each pair of adjacent items in a list"""
    return [part for item in items for part in (item, separator)][:-1]


def chunks(items: Items, n: Positive):
    """split a list into chunks of n items, the last one possibly shorter
    divide a list into consecutive lists of size n, the last taking what is left
    break a list into pieces of n elements each, with a shorter last piece if needed
    cut a list into groups of n consecutive items, the last group may be smaller"""
    return [items[start : start + n] for start in range(0, len(items), n)]


def split_in_halves(items: Items):
    """split a list into two halves as a tuple, the second longer if the length is odd
    return the first and second half as a tuple, a middle item going to the second
    divide a list in the middle into a tuple of two lists, the first never longer
    cut a list into a pair of halves, with the extra element of an odd one at the end"""
    return items[: len(items) // 2], items[len(items) // 2 :]


def rotate_right(items: Items, n: Positive):
    """rotate a list to the right by n places
    move the last n items of a list to its start, wrapping around
    shift the elements of a list cyclically n positions to the right
    turn a list right n times, each time moving its last item to the start"""
    shift = len(items) - n % len(items)
    return items[shift:] + items[:shift]


def swap_ends(items: Items):
    """swap the first and the last item of a list
    exchange the elements at the two ends of a list
    return a list with its first and last items interchanged
    make the first item of a list the last one and the last item the first"""
    swapped = items[:]
    swapped[0], swapped[-1] = items[-1], items[0]
    return swapped


def last_characters(text: Text, n: Positive):
    """return the last n characters of a text
    get the end of a string, of a given length
    take a given number of characters from the end of a text
    return only the last so many characters of a string"""
    return text[-n:]


def remove_prefix(text: Bits, prefix: Bits):
    """remove a prefix from a text if the text starts with it
    return a string without a given beginning, unchanged if it begins otherwise
    strip a given prefix once from the start of a string if it is there
    drop a certain prefix of a text, leaving texts without it as they are"""
    return text.removeprefix(prefix)


def remove_extra_spaces(text: Text):
    """remove extra spaces from a text, leaving single spaces between words
    replace runs of spaces in a string by one space and strip its ends
    reduce the space between the words of a text to one, with none at the ends
    clean up a string so that its words are separated by exactly one space"""
    return " ".join(text.split())


def to_camel_case(text: Line):
    """convert the words of a text to camelCase
    join the words of a string, capitalising all but the first one
    turn a phrase into a camelCase name
    make a name in camel case, with a small first letter, of the words of a text"""
    name = "".join(word.capitalize() for word in text.split())
    return name[:1].lower() + name[1:]


def number_lines(text: Lines):
    """number the lines of a text from 1, with a colon and a space after each number
    put the line number, a colon and a space before every line of a string
    add line numbers from 1 to a text, written like 1: before each line
    prefix the lines of a string with their numbers from 1, a colon and a space"""
    lines = text.splitlines()
    return "\n".join(f"{i}: {line}" for i, line in enumerate(lines, start=1))


def shortest_word(text: Text):
    """find the shortest word of a text, the first one if there are several
    return the word of a sentence with the fewest letters, in a tie the first
    get the shortest word in a string, and the earliest of those of equal length
    determine which word of a sentence is the shortest, taking the first in a tie"""
    return min(text.split(), key=len)


def word_length_map(text: Text):
    """map each word of a text to its length, as a dictionary
    return a dictionary from the words of a sentence to their numbers of characters
    build a dict with the words of a string as keys and their lengths as values
    make a dictionary that tells how long every word of a sentence is"""
    return {word: len(word) for word in text.split()}


def reverse_each_word(text: Text):
    """reverse every word of a text, keeping the order of the words
    return a sentence in which each word is spelled backwards in its place
    spell each of the words of a string backwards without moving the words
    turn the letters of every word of a sentence around, but leave the word order"""
    return " ".join(word[::-1] for word in text.split())


def remove_duplicate_words(text: Line):
    """remove repeated words from a text, keeping the first of each
    return a sentence with only the first occurrence of every word
    drop all words of a string that have occurred before in it
    delete duplicate words from a sentence, keeping the order of the others"""
    return " ".join(dict.fromkeys(text.split()))


def common_words(a: Line, b: Line):
    """list the words that occur in both of two texts, sorted
    return a sorted list of the words that two sentences have in common
    find all distinct words shared by two strings, in alphabetical order, as a list
    get the words found in each of two sentences, once each, as a sorted list"""
    return sorted(set(a.split()) & set(b.split()))
