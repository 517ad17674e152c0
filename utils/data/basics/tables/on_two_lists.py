"""Functions on two lists, lists of lists, lists of words and lists of flags."""

from utils.data.basics.arguments import (
    Flags,
    Items,
    Letter,
    Lists,
    Matrix,
    Numbers,
    Positive,
    Words,
)


def dot_product(a: Numbers, b: Numbers):
    """compute the dot product of two lists of numbers
    add up the products of the numbers at the same index in two lists
    return the sum of the pairwise products of two lists
    calculate the scalar product of two vectors given as lists"""
    return sum(x * y for x, y in zip(a, b))


def pairwise_products(a: Numbers, b: Numbers):
    """multiply two lists of numbers position by position
    return the pairwise products of two lists as a list
    compute the element-wise product of two lists of values
    get a list of the products of the values at the same index in two lists"""
    return [x * y for x, y in zip(a, b)]


def pairwise_maximums(a: Numbers, b: Numbers):
    """return the larger number at each position of two lists
    compute the element-wise maximum of two lists of values
    take the bigger of the two numbers at every index of two lists
    make a list of the greater value of each pair of numbers from two lists"""
    return [max(x, y) for x, y in zip(a, b)]


def count_matches(a: Items, b: Items):
    """count the positions at which two lists have the same item
    find out at how many indexes two lists agree
    return the number of places where the elements of two lists are equal
    determine how many items of two lists are equal at the same index"""
    return sum(x == y for x, y in zip(a, b))


def pair_up(a: Items, b: Items):
    """pair the items of two lists position by position as tuples
    return a list of tuples of the elements at the same index in two lists
    zip two lists into a list of pairs
    combine two lists into one list of tuples, one item from each"""
    return list(zip(a, b))


def to_dictionary(words: Words, numbers: Numbers):
    """make a dictionary from a list of keys and a list of values
    combine two lists into a dict, the first giving the keys, the second the values
    build a dictionary that maps each word of a list to the number at the same index
    turn a list of keys and a list of their values into a dictionary"""
    return dict(zip(words, numbers))


def concatenate(a: Items, b: Items):
    """concatenate two lists
    join two lists into one, one after the other
    return a list of all items of a first list followed by those of a second
    combine two lists by putting the second after the first"""
    return a + b


def union(a: Numbers, b: Numbers):
    """return the sorted distinct numbers that are in either of two lists
    combine two lists of numbers into a sorted one without duplicates
    compute the union of two lists as a sorted list
    get a sorted list of the different values in two lists taken together"""
    return sorted(set(a) | set(b))


def missing_from_second(a: Items, b: Items):
    """return the items of a first list that are not in a second list
    find all elements of one list that another list lacks, in their order
    remove from a list every item that also occurs in another list
    keep only those items of a list that do not appear in another one"""
    return [item for item in a if item not in b]


def in_one_list_only(a: Numbers, b: Numbers):
    """return the sorted distinct numbers that are in exactly one of two lists
    find the values that two lists do not share, sorted and without duplicates
    compute the symmetric difference of two lists as a sorted list
    get a sorted list of the different numbers found in only one of two lists"""
    return sorted(set(a) ^ set(b))


def have_common_item(a: Items, b: Items):
    """check if two lists have at least one item in common
    tell whether any element of one list is also in another
    determine whether two lists share an item
    find out if some item occurs in both of two lists"""
    return any(item in b for item in a)


def contains_all(a: Items, b: Items):
    """check if a first list contains all items of a second list
    tell whether every element of a second list is also in the first
    determine whether no item of the second of two lists is missing in the first
    find out if one list has all the items that a second one has"""
    return all(item in a for item in b)


def words_of_length(words: Words, n: Positive):
    """return the words of a list that have exactly n letters
    keep only the strings of a given length
    find all words in a list whose length is n
    get the words that are n characters long from a list"""
    return [word for word in words if len(word) == n]


def strings_starting_with(words: Words, letter: Letter):
    """return the words of a list that start with a given letter
    keep only the strings whose first character is a given one
    find all words in a list that begin with a certain letter
    get those words of a list whose initial is a given letter"""
    return [word for word in words if word.startswith(letter)]


def count_containing(words: Words, letter: Letter):
    """count the words in a list that contain a given letter
    find out in how many strings of a list a given character occurs
    return the number of words in a list that have a certain letter
    determine how many words of a list contain a given letter"""
    return sum(letter in word for word in words)


def count_starting_with_vowel(words: Words):
    """count the words in a list that start with a vowel, ignoring case
    find out how many strings begin with a vowel, in upper or lower case
    return the number of words whose first letter is a vowel of either case
    determine how many words of a list begin with a vowel, capital or not"""
    return sum(word[0].lower() in "aeiou" for word in words)


def lengths_of_words(words: Words):
    """return the lengths of the words in a list
    make a list of how many letters each word has
    compute the length of every string in a list
    get a list with the number of characters of each word"""
    return [len(word) for word in words]


def sort_by_length(words: Words):
    """sort words by their length, words of equal length staying in order
    order the strings of a list from shortest to longest, ties as they were
    return the words of a list sorted by their number of letters, with a stable sort
    arrange a list of words by length, shortest first, keeping the order of equals"""
    return sorted(words, key=len)


def group_by_length(words: Words):
    """group the words of a list by length in a dictionary
    return a dict from each word length to the list of words that have it
    make a dictionary that maps lengths to lists of the strings of that length
    collect words in a dictionary whose keys are the numbers of their letters"""
    groups = {}
    for word in words:
        groups.setdefault(len(word), []).append(word)
    return groups


def count_items(lists: Lists):
    """count the items in all inner lists of a list of lists
    find the total number of elements in some lists
    return how many items a list of lists holds altogether
    compute the sum of the lengths of the lists in a list"""
    return sum(len(row) for row in lists)


def sum_each(lists: Lists):
    """return the sum of each list in a list of lists
    make a list of the totals of the inner lists
    compute the sum of the numbers of every inner list separately
    get a list of the sums of several lists of numbers, one sum for each"""
    return [sum(row) for row in lists]


def remove_empty(lists: Lists):
    """remove the empty lists from a list of lists
    keep only the inner lists that have at least one item
    return all lists of a list that are not empty
    drop every list without elements from a list of lists"""
    return [row for row in lists if row]


def transpose(matrix: Matrix):
    """transpose a list of lists, its columns becoming the rows
    swap the rows and columns of a matrix
    turn the columns of a table, given as a list of rows, into rows
    return the transpose of a matrix as a list of lists"""
    return [list(column) for column in zip(*matrix)]


def any_true(flags: Flags):
    """check if any flag in a list is true
    tell whether at least one boolean of a list is true
    determine whether a list of booleans contains a true value
    find out if one or more of the given flags are set"""
    return any(flags)


def all_true(flags: Flags):
    """check if all flags in a list are true
    tell whether every boolean of a list is true
    determine whether a list of booleans has no false value
    find out if all of the given flags are set"""
    return all(flags)


def count_true(flags: Flags):
    """count the true values in a list of flags
    find out how many booleans of a list are true
    return the number of flags that are set in a list
    determine how many values in a list of booleans are true"""
    return sum(flags)


def select_by_flags(items: Items, flags: Flags):
    """return the items of a list whose flag in a second list is true
    keep the elements for which the boolean at the same index of another list is true
    select items from a list by a list of true and false flags of their positions
    filter a list with a mask of booleans, keeping the items marked true"""
    return [item for item, flag in zip(items, flags) if flag]
