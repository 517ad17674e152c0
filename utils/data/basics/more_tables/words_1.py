"""More functions on lists of words and of items."""

from collections import Counter
from itertools import groupby
from os.path import commonprefix

from utils.data.basics.arguments import Items, Positive, Words


def longest_words(words: Words):
    """list all words that have the greatest length in a list of words
    return every word as long as the longest one, in order, repeats included
    get the list of all longest words, an empty one if there are no words
    find the words of maximal length and keep all of them, not just the first
    select from a list those words than which no other is longer
    filter a list for the words that share the largest number of letters
    pick each of the words tied for the greatest length
    keep only words whose length equals the maximum length in the list"""
    return [word for word in words if len(word) == max(map(len, words))]


def total_length(words: Words):
    """add up the lengths of all words of a list
    count the characters in a list of words altogether
    return how many letters the words of a list have in total, zero without words
    compute the sum of the numbers of letters of some words
    find the combined length of the strings in a list
    determine how long all words are together, without anything between them
    get the overall number of characters of every word in a list
    total the word lengths of a list"""
    return sum(len(word) for word in words)


def join_with_and(words: Words):
    """join words by commas, but the last two by and, giving an empty text for no words
    enumerate words as in a, b and c, with an empty string for an empty list
    write a list as an English enumeration without a comma before and, empty if it is
    turn words into a phrase with commas and a final and, or an empty text without any
    put and before the last word, commas between the others, and return empty text for none
    connect words like apples, pears and figs, an empty list giving an empty string
    list words in a sentence, comma-separated except for the closing and, nothing if none exist
    make a readable text such as x, y and z from words, empty for empty lists"""
    if len(words) < 2:
        return "".join(words)
    return ", ".join(words[:-1]) + " and " + words[-1]


def numbered_words(words: Words):
    """put its number from 1, a dot and a space before each word, as a list
    number the words of a list, beginning with 1 and a dot and space after it
    return a list of texts made of number, dot, space and word, counting from one
    prefix every word with its place in the list from 1, followed by a dot and space
    turn words into the items of a numbered list, dot and blank behind the numbers from 1
    write count, dot and space in front of each of the words, the first count being 1
    label the words of a list 1, 2, 3 and so on, adding dot plus space
    enumerate a list of words from one as strings with a dot and a space between"""
    return [f"{i}. {word}" for i, word in enumerate(words, 1)]


def words_by_initial(words: Words):
    """group words by their first letter in lower case, as a dictionary of lists
    make a dictionary from each initial, lowercased, to the list of words beginning with it
    collect the words of a list under their small first letters in a dictionary
    build an index of words with lower-case first letters as keys and lists as values
    sort words into lists by initial letter regardless of case, with lowercase keys
    return a dict of the lists of words that start with the same letter, keys in lowercase
    map every starting letter, written small, to all words with it in original order
    arrange words in a dictionary of lists according to the lower-case form of their first letter"""
    groups = {}
    for word in words:
        groups.setdefault(word[0].lower(), []).append(word)
    return groups


def anagram_groups(words: Words):
    """group the words that are anagrams of each other into lists, case mattering
    return a list of lists of words with exactly the same letters, in order of first occurrence
    put words made of equal letters together in lists, all in original order, respecting case
    collect anagrams in a list of groups, single words forming groups of one, case-sensitively
    partition a list of words into lists of mutual anagrams, ordered by first appearance
    bring together words whose sorted letters are the same, as lists in order of first appearance
    split words into groups that use identical letters, distinguishing case, groups in order of appearance
    list groups of words that are case-sensitive rearrangements of each other, loners too, by first appearance"""
    groups = {}
    for word in words:
        groups.setdefault("".join(sorted(word)), []).append(word)
    return list(groups.values())


def is_alphabetical(words: Words):
    """check if the words of a list are in alphabetical order, ignoring case
    tell whether no word comes alphabetically before its predecessor, whatever the case
    determine if words are sorted from a to z regardless of upper and lower case
    test whether a list of words, lower-cased, is in ascending order, equal words allowed
    see if each word is alphabetically not after the next one, case aside
    find out if a word list is already in dictionary order when case is ignored
    decide if sorting the lower-case words would change nothing
    verify that words follow each other alphabetically, repeats permitted and capitals like small letters"""
    lowered = [word.lower() for word in words]
    return lowered == sorted(lowered)


def shared_prefix(words: Words):
    """return the longest text that all words of a list begin with, empty for no words
    find the common prefix of all words in a list, an empty string if there are none
    get the letters in which all words agree from the start, empty for an empty list
    determine the greatest shared beginning of several words, or an empty text without words
    compute the longest prefix common to every word, an empty one for a list of none
    take as many first letters as are equal in all words, no letters if no words
    extract what each word of a list starts with in common, nothing from an empty list
    tell with which letters every single word starts, as a text, empty if words lack"""
    return commonprefix(words)


def is_word_chain(words: Words):
    """check if each word starts with the last letter of the word before it, ignoring case
    tell whether words form a chain, every one beginning as the previous ended, whatever the case
    determine if the final letter of a word is always the next one's initial, case aside
    test if all neighbouring words share end and start letter, case-insensitively, true for short lists
    see if a list is a valid word chain, last letter to first letter, regardless of case
    find out if each word ends with the letter the following begins with, ignoring upper case
    decide if words link up by last and first letters, treating capitals as small letters
    verify that no word begins otherwise than its predecessor ends, upper and lower case being equal"""
    return all(a[-1].lower() == b[0].lower() for a, b in zip(words, words[1:]))


def sort_by_vowel_count(words: Words):
    """sort words by their number of vowels, in either case, keeping the order of equal ones
    arrange a list from the word with the fewest vowels to the most, ignoring case, stably
    order words by how many letters aeiou or AEIOU they have, ties as before
    return the words in ascending order of vowel counts, capitals included, ties in old order
    put words with fewer vowels first, counting upper and lower case, and leave ties alone
    rearrange a list by the count of vowels of any case in each word, ascending and stable
    list words with increasing numbers of vowels, large or small, equals staying as they were
    sort a list on the vowel number of every word regardless of case, lowest first, stable"""
    return sorted(words, key=lambda word: sum(letter in "aeiou" for letter in word.lower()))


def pad_to_longest(words: Words):
    """add spaces behind all words of a list so that they are as long as the longest
    pad words on the right to the length of the longest word
    make all words equally long by trailing spaces, without lengthening the longest
    fill up shorter words with blanks at their end to the greatest length
    left-align words in a column just wide enough for all of them, as a list
    return the words widened with spaces on the right to a common minimal width
    bring every word to the maximal length in the list by appending spaces
    extend each string with final blanks until it matches the longest one"""
    return [word.ljust(max(map(len, words))) for word in words]


def most_common_initial(words: Words):
    """return the lower-case first letter most words start with, first on ties, None without words
    find the most frequent initial regardless of case, as lowercase, earliest if tied, None if empty
    get the small letter with which most words begin, the first seen in ties, or None
    determine the lowercased initial occurring most often, the earlier of equals, None for no words
    count first letters in lower case and return the commonest, first in a tie, else None
    tell which initial, lowercase, is shared by most words, preferring earlier ones, None for empty lists
    pick the starting letter, made small, that is most common, first occurring on ties, None if none
    compute the mode of the lower-case initials, the first of several, None with no words"""
    initials = [word[0].lower() for word in words]
    return max(initials, key=initials.count, default=None)


def words_with_double_letters(words: Words):
    """list the words in which some letter stands twice in a row
    select words with a double letter such as ee or ll
    return all words of a list that have two equal letters side by side
    keep words containing a pair of identical neighbouring letters
    get those words where a letter is immediately followed by itself
    filter a list for words with doubled letters next to each other
    pick out every word having two adjacent characters that are the same
    drop the words without any two consecutive equal letters"""
    return [word for word in words if any(a == b for a, b in zip(word, word[1:]))]


def first_duplicate(items: Items):
    """return the first item that has occurred before in the list, None if there is none
    find the item whose second occurrence comes earliest, or None without repeats
    go through a list until an item repeats an earlier one and return it, else None
    get the first repetition in a list, None when all items are different
    determine which item is the first to be seen a second time, None if none is
    look for the earliest item equal to one before it, and return None if missing
    tell which element shows up again first when reading from the left, or None
    pick the first item already seen, with None for lists of distinct items"""
    return next((item for i, item in enumerate(items) if item in items[:i]), None)


def chunk_items(items: Items, size: Positive):
    """split a list into lists of a given size, the last of which may be shorter
    cut a list into chunks of n items, with the rest in a final shorter one
    divide items into consecutive groups of a fixed number, any remainder forming its own group
    break a list up into sublists of so many items each, except maybe the last
    return a list of slices of a given length that together make the whole list
    batch the items of a list by a size, leaving the last batch incomplete if need be
    form successive sublists with size elements each and one for the leftover elements
    partition a list in order into blocks of n, and a smaller block at its end"""
    return [items[i : i + size] for i in range(0, len(items), size)]


def run_lengths(items: Items):
    """list each run of equal items as a tuple of the item and its length
    encode a list by run lengths, in tuples of item and count
    return pairs of an item and how often it repeats in a row, in order
    count equal neighbours and give a list of tuples with item first, number second
    turn rows of identical items into tuples holding the item and the length of the row
    compress a list to tuples of every item and the number of its consecutive copies
    get the run-length encoding of a list as a list of item and count tuples
    summarise successive equal elements as tuples, element before number of repetitions"""
    return [(item, len(list(run))) for item, run in groupby(items)]


def longest_streak(items: Items):
    """return the length of the longest row of equal items in a list, 0 if empty
    find out how often an item occurs in succession at most, 0 for no items
    measure the longest streak of one item in a list, zero when it is empty
    get the largest number of identical consecutive elements, or 0 in an empty list
    determine how many equal items stand next to each other at most, 0 without items
    count the elements in the longest block of the same element, 0 for an empty list
    tell the length of the greatest run of a single repeated item, being 0 for none
    compute the maximal number of times an item is repeated uninterruptedly, 0 if nothing is there"""
    longest = current = 0
    for i, item in enumerate(items):
        current = current + 1 if i and item == items[i - 1] else 1
        longest = max(longest, current)
    return longest


def most_frequent_items(items: Items):
    """list every item that occurs most often, in order of first occurrence
    return all the modes of a list in the order they first appear, once each
    get all items with the highest count, each once, in their original order
    find which items are tied for the most occurrences and list them as first seen
    select the distinct items that no other item outnumbers, by first appearance
    determine the most common elements of a list, all in case of ties, in order
    collect the items whose frequency is maximal, without repeats, earlier ones first
    pick out each item reaching the top frequency, one time, ordered by first position"""
    counts = Counter(items)
    return [item for item in counts if counts[item] == max(counts.values())]


def items_occurring_once(items: Items):
    """list the items that occur exactly once in a list
    keep items without a duplicate, removing all copies of repeated ones
    return those elements of a list which appear only a single time, in order
    drop every item that is found more than once, its first copy too
    get the non-repeated items of a list in their order
    select the elements whose count in the list is one
    filter out all items that have an equal somewhere else in the list
    find the items that are unique in a list, being equal to no other"""
    return [item for item in items if items.count(item) == 1]


def middle_item(items: Items):
    """return the middle item of a list, the later of two if even, None if empty
    get the item halfway through a list, the right one of two centres, or None without items
    find the central element, the second of the middle two for even lengths, None for none
    take the item at half the length rounded down, counted from zero, None if empty
    pick what stands in the middle of a list, right of centre if even, else None if empty
    determine the element at the centre, the latter of a central pair, and None for empty lists
    look up the midpoint item of a list, upper one for even sizes, None when it is empty
    give the item with equally many on either side or one more before it, None without any"""
    return items[len(items) // 2] if items else None


def positions_by_item(items: Items):
    """map each item of a list to the list of its positions from 0
    make a dictionary of items with lists of all the indices where they occur
    return for every distinct item its zero-based places in the list, as a dictionary
    index a list by its items, each key leading to a list of its positions from zero
    build a dict from an item to all its ascending indices, counting from 0
    collect where each item stands, numbering places from zero, in a dictionary of lists
    record the indices of equal items together under the item as dictionary key
    find all positions, the first being 0, of each of the items and return them by item"""
    positions = {}
    for i, item in enumerate(items):
        positions.setdefault(item, []).append(i)
    return positions
