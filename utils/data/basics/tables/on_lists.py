"""Functions on a list of any items."""

from collections import Counter
from itertools import groupby

from utils.data.basics.arguments import Items, Lists, Natural, Positive


def first_item(items: Items):
    """return the first item of a list
    get the element at the start of a list
    find the item that a list begins with
    return the very first element of a list"""
    return items[0]


def last_item(items: Items):
    """return the last item of a list
    get the element at the end of a list
    find the item that a list ends with
    return the final element of a list"""
    return items[-1]


def reverse_list(items: Items):
    """reverse the order of the items in a list
    return a list backwards
    get the elements of a list from last to first
    turn a list around so that its last element comes first"""
    return items[::-1]


def every_other_item(items: Items):
    """return every other item of a list, starting with the first
    keep the first, third, fifth element of a list and so on
    get the items at even indexes of a list, counted from zero
    select every second element of a list, beginning with the first one"""
    return items[::2]


def first_n(items: Items, n: Natural):
    """return the first n items of a list
    get n elements from the start of a list
    take the leading n items of a list
    keep only the first n elements of a list"""
    return items[:n]


def last_n(items: Items, n: Positive):
    """return the last n items of a list
    get n elements from the end of a list
    take the final n items of a list
    keep only the last n elements of a list"""
    return items[-n:]


def drop_first_n(items: Items, n: Natural):
    """remove the first n items from a list
    return a list without its first n elements
    get what is left of a list after skipping n items at its start
    drop the leading n elements of a list"""
    return items[n:]


def drop_ends(items: Items):
    """remove the first and the last item from a list
    return a list without its first and last elements
    get the inner items of a list, all but the two ends
    drop one element at each end of a list"""
    return items[1:-1]


def remove_duplicates(items: Items):
    """remove duplicates from a list, keeping the order
    return the distinct items in order of first appearance
    keep only the first occurrence of each element of a list
    drop repeated items from a list without changing the order of the others"""
    return list(dict.fromkeys(items))


def remove_repeats(items: Items):
    """remove items that equal the item directly before them in a list
    replace each run of equal neighbouring elements by a single one
    drop consecutive duplicates from a list
    reduce every run of the same item in a list to one item"""
    return [item for item, _ in groupby(items)]


def count_each(items: Items):
    """count how often each item occurs in a list, as a dictionary
    return a dictionary from each element of a list to its number of occurrences
    make a dict that maps the items of a list to their frequencies
    get a dictionary that tells how many times every item is in a list"""
    return dict(Counter(items))


def count_distinct(items: Items):
    """count the distinct items in a list
    find out how many different elements a list has
    return the number of unique values in a list, counting repeated ones once
    determine how many different items there are in a list"""
    return len(set(items))


def has_duplicates(items: Items):
    """check if a list has duplicates
    tell whether any element of a list occurs more than once
    determine whether a list contains the same item twice
    find out if some item in a list is repeated"""
    return len(set(items)) < len(items)


def all_equal(items: Items):
    """check if all items of a list are equal
    tell whether a list has no two different elements
    determine whether every item in a list is the same
    find out if all elements of a list are identical"""
    return len(set(items)) <= 1


def remove_item(items: Items, item: Natural):
    """remove all occurrences of an item from a list
    return a list without the elements that are equal to a given one
    drop every copy of a given item from a list
    delete an item from a list everywhere it occurs"""
    return [other for other in items if other != item]


def remove_at(items: Items, index: Natural):
    """remove the item at a given index from a list
    return a list without the element at a given position, counted from zero
    drop the item of a list that stands at a certain index
    delete the element at some index of a list"""
    return items[:index] + items[index + 1 :]


def rotate_left(items: Items, n: Positive):
    """rotate a list to the left by n places
    move the first n items of a list to its end, wrapping around
    shift the elements of a list cyclically n positions to the left
    turn a list left n times, each time moving its first item to the end"""
    return items[n % len(items) :] + items[: n % len(items)]


def neighbour_pairs(items: Items):
    """return the pairs of neighbouring items in a list as tuples
    make a list of tuples of each element and the one after it
    get all consecutive pairs of a list, overlapping, as tuples
    pair each item of a list with the next one in a tuple"""
    return list(zip(items, items[1:]))


def interleave(a: Items, b: Items):
    """interleave two lists, stopping at the end of the shorter one
    return the items of two lists in turn, until one list runs out
    merge two lists by alternating their elements, as far as the shorter one goes
    make one list by taking items from two lists alternately until one has ended"""
    return [item for pair in zip(a, b) for item in pair]


def flatten(lists: Lists):
    """flatten a list of lists into a single list
    join all inner lists into one list
    return all items of a nested list in one flat list
    turn a list of lists into one list of their elements"""
    return [item for row in lists for item in row]
