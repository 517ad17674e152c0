"""Functions on lists of numbers."""

import math
from itertools import accumulate, combinations

from utils.data.basics.arguments import Floats, Number, Numbers, Positive, SortedNumbers


def count_sign_changes(numbers: Numbers):
    """count how often a number and the one after it have opposite signs, zero having none
    tell how many neighbours in a list have a negative product
    find the number of places where a list goes from positive to negative or back directly
    count the adjacent pairs with one number above zero and the other below
    determine how many times two consecutive numbers lie on different sides of zero
    return the amount of direct sign switches between neighbours, where a 0 never counts
    compute for how many positions the product with the next number is below zero
    see how many steps from one number to the next cross zero without one of them being 0"""
    return sum(left * right < 0 for left, right in zip(numbers, numbers[1:]))


def move_zeros_to_end(numbers: Numbers):
    """move all zeros of a list to its end, keeping the order of the other numbers
    return a list of the numbers other than 0 in their order, followed by the zeros
    push the zeros in a list behind everything else without otherwise changing the order
    put every 0 last and leave the rest in sequence, as a new list
    shift the nonzero numbers to the front and fill the remaining places with 0
    rearrange a list so that its zeros come after its other numbers, which stay in order
    collect the zeros at the back of the list
    reorder a list stably into nonzero values and then zeros"""
    return sorted(numbers, key=lambda number: number == 0)


def evens_before_odds(numbers: Numbers):
    """put the even numbers of a list before the odd ones, keeping the order within both
    return the even numbers and then the odd numbers of a list as one list, otherwise in order
    rearrange a list so that odd numbers come last, without sorting it any further
    move odd numbers behind the even ones and leave each kind in its original order
    make a list of all even elements followed by all odd elements
    sort numbers by parity alone, evens leading, in a stable way
    join the evens of a list with its odds into a single list
    partition a list of integers by parity into one list, the even part in front"""
    return sorted(numbers, key=lambda number: number % 2)


def count_pairs_with_sum(numbers: Numbers, target: Number):
    """count the pairs of positions in a list whose numbers add up to a target
    find how many ways there are to pick two elements that sum to a given number
    tell how many pairs of two different places hold numbers with a given sum, order ignored
    return the number of unordered pairs of elements that total the target
    determine how often two entries of a list, taken at different indices, add to a value
    go through all combinations of two elements and count those having the wanted sum
    compute in how many pairs i < j the numbers at i and j sum to the target
    see how many selections of two places in a list give a certain sum of their numbers"""
    return sum(first + second == target for first, second in combinations(numbers, 2))


def gaps_in_range(numbers: SortedNumbers):
    """list the integers missing between the first and the last of a sorted list, empty for none
    find all whole numbers between smallest and largest that do not occur, in order
    return the missing numbers within the range of an ascending list, as a list
    get the integers that would fill the holes in a sorted list, no numbers giving an empty list
    determine which values between the ends of a sorted list are absent
    enumerate every number skipped in an ascending sequence of integers
    collect the numbers left out between minimum and maximum, upwards
    make a list of those integers inside the span of a list which are not in it"""
    if not numbers:
        return []
    return [other for other in range(numbers[0], numbers[-1]) if other not in numbers]


def local_peaks(numbers: Numbers):
    """list the numbers greater than both of their neighbours, leaving out the two ends
    find the local maxima of a list, where the first and last number never count
    return those inner elements that are larger than the one before and the one after
    get every number that stands between two smaller ones, in order
    collect the peaks of a sequence, values strictly above the values on either side
    pick the middle of each three consecutive numbers if it exceeds the other two
    make a list of the numbers that rise above the previous and the next number
    determine which interior values are strictly higher than the adjacent ones"""
    triples = zip(numbers, numbers[1:], numbers[2:])
    return [middle for left, middle, right in triples if left < middle > right]


def majority_number(numbers: Numbers):
    """find the number that fills more than half of a list, or None if there is none
    return the element with an absolute majority in a list, None without one
    get the number occurring more often than all others together, else None
    determine which value takes up over half of the places, giving None if no value does
    look for a number whose count exceeds half the length, None if nothing is found
    tell the winner of a vote that needs more than 50 percent, or None if there is none
    search a list for its majority element and return None where it does not exist
    give the value that appears in most of the positions, more than half, or None"""
    return next((n for n in numbers if numbers.count(n) * 2 > len(numbers)), None)


def largest_drop(numbers: Numbers):
    """find the largest amount by which a later number lies below an earlier one, at least 0
    compute the maximum drawdown of a list as a difference, 0 if it never goes down
    return the greatest fall from any number to any number after it, or 0 if there is none
    determine how far values sink at most from an earlier to a later position, 0 at the least
    subtract every number from the highest one up to there and take the maximum, 0 if empty
    get the biggest difference of an element minus a later element, zero if none is positive
    tell the worst loss from buying at one price and selling at a later, else 0
    measure the deepest decline between two points in time of a series, 0 when it only rises"""
    peaks = accumulate(numbers, max)
    return max((peak - number for peak, number in zip(peaks, numbers)), default=0)


def largest_run_sum(numbers: Numbers):
    """find the largest sum of consecutive numbers in a list, 0 if all of them are negative
    compute the maximum subarray sum, where the empty subarray with sum 0 is allowed
    return the greatest total of any contiguous part of a list, 0 for taking nothing
    determine the best sum of neighbouring elements, which is 0 if none is positive
    solve the maximum subarray problem and return the sum, not less than zero
    get the highest sum of any slice of a list, the empty slice totalling 0
    search all stretches of adjacent numbers for the maximal sum, at least 0
    tell how much the most valuable unbroken stretch of a list totals, or 0 at worst"""
    best = current = 0
    for number in numbers:
        current = max(current + number, 0)
        best = max(best, current)
    return best


def moving_averages(numbers: Numbers, size: Positive):
    """compute the average of every n consecutive numbers, empty if there are fewer than n
    return the moving averages of a list for a window size, only for full windows
    average each window of a given length that slides over a list by one, as a list
    get a list of the means of all runs of so many adjacent elements, none if too few
    smooth a list by averaging every n adjacent numbers, only where there are that many
    calculate the rolling mean with a given window, leaving out incomplete windows
    slide a window of given size along a list and list the means of full windows
    take the mean of all contiguous slices of a given length, empty for a longer length"""
    starts = range(len(numbers) - size + 1)
    return [sum(numbers[start : start + size]) / size for start in starts]


def balance_index(numbers: Numbers):
    """find the first index where the numbers before and after have equal sums, or None
    return the position with the same total on its left as on its right, None without one
    get the lowest equilibrium index of a list, and None if it has none
    determine the earliest place at which the left sum equals the right sum, None otherwise
    look for an index that splits a list in two sides of equal sum, itself excluded, or None
    search from the start for a pivot with balanced sums around it, None if nothing fits
    tell at which index, the first if several, both sides add up to the same, else None
    give the smallest index i with equal sums of the elements before i and after i, or None"""
    indices = range(len(numbers))
    return next((i for i in indices if sum(numbers[:i]) == sum(numbers[i + 1 :])), None)


def negatives_to_zero(numbers: Numbers):
    """replace the negative numbers in a list by zero
    set every number below zero to 0 and keep the rest
    return a list in which each number is raised to at least 0
    apply the ReLU function to all elements of a list
    clip a list of numbers at zero from below
    turn negatives into zeros, leaving other numbers where they are
    get the larger of 0 and the number for each number in a list
    change all minus values of a list to zero, as a new list"""
    return [max(number, 0) for number in numbers]


def alternating_sum(numbers: Numbers):
    """add and subtract the numbers of a list in turn, starting with plus, 0 for an empty list
    compute the first number minus the second plus the third and so on, with zero for none
    sum the numbers at even indices and subtract those at odd indices, counting from 0
    return the alternating sum of a list, whose first number counts positive, 0 if empty
    give the numbers the signs plus and minus alternately and total them, 0 without numbers
    subtract every second number from the sum of the others, an empty list giving 0
    find the total when each number at an odd index is negated, 0 when there is nothing
    work out a list's total with signs switching from plus to minus, zero if it is empty"""
    return sum(numbers[::2]) - sum(numbers[1::2])


def parity_alternates(numbers: Numbers):
    """check if even and odd numbers take turns in a list, true for at most one number
    tell whether no two neighbours in a list are both even or both odd
    determine if every number has a different parity from the number before it
    test whether odd follows even and even follows odd throughout a list
    see if the sum of any two adjacent numbers is odd, which holds for short lists
    verify that a list alternates between even and odd, starting with either
    decide whether all consecutive numbers differ in parity
    find out if a list of integers switches from odd to even or back at every step"""
    return all((left + right) % 2 == 1 for left, right in zip(numbers, numbers[1:]))


def sort_by_absolute_value(numbers: Numbers):
    """sort numbers by their absolute values, keeping the order of those with equal ones
    order a list by distance from zero, from near to far, stable for ties
    return the numbers in ascending order of magnitude, whatever their sign, ties as before
    arrange numbers so that those closest to zero come first, equally close ones staying in order
    sort a list ascending as if no number had a minus sign, with ties left in order
    put a list in order of size, smallest first, ignoring signs, original order among equals
    rank the elements from smallest to greatest absolute value in a stable way, as a list
    get a list stably sorted with the key abs"""
    return sorted(numbers, key=abs)


def count_smaller_for_each(numbers: Numbers):
    """count for each number how many numbers in the list are smaller, as a list
    replace every number by the amount of elements below it
    return a list with the number of strictly smaller elements for every element
    tell for each place of a list how many numbers are less than the one there
    compute the zero-based rank of each number among all, equal ones sharing the lowest
    map each element to the count of list members it exceeds
    find out for all numbers, in order, how many others they are greater than
    make a list that says how many values lie under each value of a list"""
    return [sum(other < number for other in numbers) for number in numbers]


def group_by_remainder(numbers: Numbers, divisor: Positive):
    """group numbers by their remainder on division by a number, as a dictionary of lists
    make a dictionary from each occurring remainder to the list of numbers that leave it
    sort numbers into lists by what remains when dividing them, under the remainder as key
    collect the elements of a list by their value modulo a divisor in a dictionary
    build a dictionary whose keys are remainders and whose values list the numbers in order
    return lists of numbers that are congruent to each other, by their common remainder
    put together all numbers with the same modulus result, keyed by that result
    divide each number and gather those with equal remainder in a dict of lists"""
    groups = {}
    for number in numbers:
        groups.setdefault(number % divisor, []).append(number)
    return groups


def sum_without_extremes(numbers: Numbers):
    """sum a list without one smallest and one largest number, 0 if nothing is left
    add up all numbers but one maximum and one minimum, with 0 for two numbers or fewer
    drop the highest and the lowest number, once each, and total the others, 0 if there are none
    compute the score of a jury that strikes one best and one worst mark, 0 if none remain
    return the sum of what is left after removing the extremes once each, 0 for short lists
    leave out the first and last number in sorted order and sum up, 0 below three numbers
    total the numbers except a single minimum and a single maximum, or 0 if that takes them all
    get the trimmed sum of a list, cutting one value at either end once sorted, else 0"""
    return sum(sorted(numbers)[1:-1])


def root_mean_square(numbers: Floats):
    """compute the root mean square of numbers
    take the square root of the average of the squares of a list of numbers
    find the quadratic mean of a non-empty list
    square all numbers, average the squares and return the root of the average
    calculate the RMS value of a signal given as a list
    determine the root of the mean squared number
    get the effective value of a series of voltages, as used for alternating current
    return how large numbers are on average in the quadratic sense"""
    return math.sqrt(sum(number**2 for number in numbers) / len(numbers))


def mean_absolute_deviation(numbers: Floats):
    """compute the average distance of numbers from their mean
    find by how much numbers differ from their average on average, ignoring signs
    take the mean of the absolute differences between each number and the mean
    calculate the mean absolute deviation around the mean of a list
    return the arithmetic mean of all distances to the arithmetic mean
    measure the spread of a list by the average absolute deviation from its average
    determine how far from the mean the values of a list lie, averaged over all of them
    subtract the mean from each number, drop the signs and average the results"""
    mean = sum(numbers) / len(numbers)
    return sum(abs(number - mean) for number in numbers) / len(numbers)


def is_arithmetic_sequence(numbers: Numbers):
    """check if all neighbours in a list differ by the same amount, true for up to two numbers
    tell whether a list is an arithmetic progression, as any list of at most two numbers is
    determine if the difference from one number to the next never changes
    test for a constant step between consecutive numbers, which short lists always have
    see if a sequence goes up or down, or stays, by equal steps all the way
    verify that there is no more than one distinct difference between neighbours
    decide whether every number is the one before it plus a fixed amount
    find out if numbers are evenly spaced in the order given, true for fewer than three"""
    return len({right - left for left, right in zip(numbers, numbers[1:])}) <= 1
