"""Functions on texts, words and dictionaries."""

import re
import textwrap
from collections import Counter
from itertools import combinations

from utils.data.basics.arguments import Bits, Entries, Items, Letter, Line, Natural, Positive, Records, Text, Word


def is_subsequence(first: Word, second: Word):
    """check if the letters of the first word occur in the second in the same order
    tell whether the first word is a subsequence of the second
    determine if deleting letters from the second string can give the first
    test whether a word is contained in another with gaps allowed, but in order
    see if you can strike letters out of the second word to leave the first
    find all letters of one word from left to right in a second and say if that works
    decide if the first word remains when some or no letters of the second are removed
    verify that the second word has the first one's letters in order, not necessarily side by side"""
    letters = iter(second)
    return all(letter in letters for letter in first)


def text_before(text: Text, letter: Letter):
    """return the part of a text before the first occurrence of a letter, or all of it
    get everything in front of a given character, the whole string if it does not occur
    cut a text off at the first appearance of a letter, if there is one
    take the characters of a string up to but not including a letter, or all without it
    keep only what precedes the first given letter in a text, everything if it is absent
    drop a letter and all that follows its first occurrence, leaving texts without it unchanged
    read a string until a certain character comes, or to the end if it never does
    extract the beginning of a text that ends before a letter, the entire text if missing"""
    return text.partition(letter)[0]


def increment_digits(text: Text):
    """replace each digit in a text by the next one, 9 by 0
    raise every single digit of a string by one, with 9 turning into 0
    add 1 to each digit of a text separately, going from 9 back to 0
    count up all digits in a string by one and let nine become zero
    change 0 to 1, 1 to 2 and so on to 9 to 0 throughout a text
    increase the digits of a text one by one modulo 10, leaving other characters alone
    increment each decimal digit of a string, wrapping 9 around to 0
    put the following digit in place of every digit in a text, where 0 follows 9"""
    return text.translate(str.maketrans("0123456789", "1234567890"))


def flip_bits(bits: Bits):
    """flip every bit of a string of zeros and ones
    turn each 0 of a bit string into 1 and each 1 into 0
    invert the bits of a binary string, keeping its length
    exchange zeros and ones in a text of bits
    compute the ones' complement of a string of bits
    negate a binary number given as text, digit by digit
    return a bit string with all its digits reversed in meaning, 1 for 0 and vice versa
    write a one for every zero in a string of bits and the other way round"""
    return "".join("0" if bit == "1" else "1" for bit in bits)


def swap_outer_words(text: Line):
    """swap the first and the last word of a line, if it has at least two
    exchange the words at both ends of a sentence, leaving lines under two words alone
    let first and last word of a text trade places, without effect on single words
    return a line with its outer words interchanged, the same line for fewer than two words
    move the final word to the front and the initial one to the end, given two or more
    switch the position of the opening and the closing word, unless fewer than two exist
    put the last word first and the first last, others staying, and short lines unchanged
    make a line begin with its last word and end with its first, if they are two"""
    words = text.split()
    if len(words) < 2:
        return text
    return " ".join([words[-1], *words[1:-1], words[0]])


def sort_words_by_last_letter(text: Line):
    """sort the words of a line by their last letter, equal ones staying in order
    arrange the words of a text by final letter, keeping the order of ties
    put words in the alphabetical order of their endings, just the last letter counting, stably
    return a line whose words ascend by their last character, ties in original order
    order a sentence by the letter each word ends with, without reordering equal endings
    rearrange words so that their closing letters are ascending, ties as they were
    sort a text word by word on the last letter only, in a stable way
    bring the words of a line in order of their final characters, same finals in old sequence"""
    return " ".join(sorted(text.split(), key=lambda word: word[-1]))


def wrap_words(text: Line, width: Positive):
    """break a line into a list of lines of at most a given width, longer words standing alone
    wrap words into a list of lines up to width characters, never splitting even longer words
    fill lines with as many words as fit into a width, too long words alone, as list
    distribute the words of a text over lines of limited length in a list, words staying whole
    list the lines of a text wrapped greedily at a width, overlong words getting their own line
    lay out words in lines no wider than given, unless one word is wider, as a list
    start a new line whenever the next word would exceed the width, and list the lines
    cut a line between words into the fewest lines of some width, filled greedily, words never broken"""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def extract_times(text: Text):
    """find all times in a text, one or two digits, a colon and two digits, as strings
    list the parts of a string that look like 7:30 or 12:05
    get every clock time of the form h:mm or hh:mm in a text, unchecked for range
    extract times written with a colon, such as 9:15 or 18:40, as a list of texts
    return a list of all matches of one to two digits, colon, two digits in a string
    search a sentence for times like 8:00 or 08:00 and list them as written
    collect what has the pattern of a time, 1:23 or 01:23, from a text in order
    pick out one or two digits before and two digits after a colon, listing all such strings"""
    return re.findall("[0-9]{1,2}:[0-9]{2}", text)


def repeat_each(items: Items, times: Natural):
    """repeat each item of a list a given number of times in a row
    return a list with n copies of every item side by side
    write every element so many times before going on to the next one
    stretch a list by replacing each item by n equal ones
    multiply the items of a list one by one, keeping copies together
    put each item as often as given one after another into a new list
    duplicate all elements in place so that each of them is there n times
    make a list where every item is followed directly by its copies, n in all"""
    return [item for item in items for _ in range(times)]


def split_alternating(items: Items):
    """deal the items of a list alternately into two lists, as a tuple, first item left
    split a list into a tuple of the items at even and at odd indices
    return two lists in a tuple, one with the first, third, fifth item, one with the rest
    separate every second item from the others, giving a tuple of first and second kind
    distribute items in turn to two lists, starting with the first, and return both as tuple
    take a list apart into the items with even index and those with odd, as tuple
    divide a list by alternating between two lists in a tuple, the first getting the first item
    unzip a list into a tuple of two, positions 0, 2, 4 and positions 1, 3, 5"""
    return items[::2], items[1::2]


def rank_by_first_appearance(items: Items):
    """replace each item by a number from 0, in the order in which different items first appear
    encode a list by numbering its distinct items from zero as they are first seen
    turn items into codes, a new item getting the next number from 0 and repeats the same
    return integers instead of items, equal ones for equal items, given out from zero in order
    label encode a list, the first item being 0, the next different one 1 and so on
    give every distinct item an index from 0 by first occurrence and list those of all items
    convert items to whole numbers from zero by order of first appearance, equal items alike
    list for each item how many different items came before its own first occurrence"""
    distinct = list(dict.fromkeys(items))
    return [distinct.index(item) for item in items]


def all_pairs(items: Items):
    """list all tuples of two items at different places, the earlier item first
    return every combination of two elements of a list as tuples, in order of position
    pair each item with all the items after it, in a list of tuples
    get all two-element combinations of a list by position, as tuples in list order
    make a list of the tuples of any item and any later one
    form every possible pair of items once, as a tuple, without swapping their order
    combine all items with one another in tuples, each two of them only once, in order
    enumerate the matches if every item meets each other one once, as ordered tuples in list order"""
    return list(combinations(items, 2))


def names_by_decade(people: Records):
    """group the names of people by the decade of their age, 30 for ages 30 to 39
    make a dictionary from age rounded down to tens to the list of names
    collect names under 0, 10, 20 and so on according to age, in lists
    return a dict of lists of names, its keys being ages cut to a multiple of ten
    put people's names into age brackets of ten years, with the bracket's start as key
    map every age decade, as its first age, to the names of people in it
    list names per ten-year age group, the key being the lowest age of the group
    put each name into the list of its age group, keyed by tens like 20 or 50"""
    names = {}
    for person in people:
        names.setdefault(person["age"] // 10 * 10, []).append(person["name"])
    return names


def running_totals_by_name(entries: Entries):
    """replace each entry's number by the total so far for its name
    compute running sums per name, as tuples of name and balance after every entry
    return a list of tuples of the name and what it has added up to until then
    list after each entry its name and the sum of that name's numbers up to there
    keep an account for every name and give name and new balance entry by entry, in tuples
    turn amounts into cumulative amounts, separately for each name, leaving order and names
    go through the entries and list name and accumulated number of this name as tuples
    make cumulative totals of entries with the same name, one tuple for each entry"""
    totals = Counter()
    result = []
    for name, number in entries:
        totals[name] += number
        result.append((name, totals[name]))
    return result


def average_per_name(entries: Entries):
    """compute the average of the numbers of each name
    make a dictionary from every name to the mean of its numbers
    return the arithmetic mean per name in a list of pairs, as a dict
    group the numbers of the entries by name and average them
    tell what number each name has on average
    find for all names the sum of their numbers divided by how many there are
    map names to the average of the values they are listed with
    determine the mean value of all entries with the same name, by name"""
    numbers = {}
    for name, number in entries:
        numbers.setdefault(name, []).append(number)
    return {name: sum(values) / len(values) for name, values in numbers.items()}


def split_entries(entries: Entries):
    """split a list of pairs into a tuple of two lists, names and numbers
    separate the names from the numbers of entries, returning both lists as a tuple
    unzip pairs into a list of the first parts and a list of the second, in a tuple
    return a tuple with the list of all names and the list of all numbers
    take entries apart into two parallel lists, given as a tuple, names first
    turn tuples of name and number into one tuple of a name list and a number list
    divide pairs into their left and right members, as two lists in a tuple
    get two lists in a tuple, first every name in order, then every number"""
    return [name for name, _ in entries], [number for _, number in entries]
