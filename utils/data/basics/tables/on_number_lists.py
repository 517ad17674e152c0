"""Functions on one list of numbers."""

import math

from utils.data.basics.arguments import Floats, Number, Numbers, Positive, SortedNumbers


def sum_numbers(numbers: Numbers):
    """compute the sum of a list of numbers
    add up all values in a list
    return the total of the given numbers
    calculate what the numbers of a list add up to"""
    return sum(numbers)


def multiply_numbers(numbers: Numbers):
    """compute the product of a list of numbers
    multiply all values of a list together
    return the result of multiplying all the given numbers
    calculate the product of all integers in a list"""
    return math.prod(numbers)


def average(numbers: Numbers):
    """compute the average of a list of numbers
    find the arithmetic mean of some values
    return the mean of the numbers in a list
    calculate the average value of a given list"""
    return sum(numbers) / len(numbers)


def median(numbers: Floats):
    """compute the median of a list of numbers
    find the middle value of the sorted list, or the mean of the two middle ones
    return the median value of some numbers
    calculate the median of the values in a list"""
    ordered = sorted(numbers)
    middle = len(ordered) // 2
    if len(ordered) % 2 == 1:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def largest(numbers: Numbers):
    """find the largest number in a list
    return the maximum of some values
    get the biggest of the given numbers
    determine the greatest value in a list of numbers"""
    return max(numbers)


def smallest(numbers: Numbers):
    """find the smallest number in a list
    return the minimum of some values
    get the lowest of the given numbers
    determine the least value in a list of numbers"""
    return min(numbers)


def second_largest(numbers: Numbers):
    """find the second largest distinct number in a list
    return the second biggest value, counting equal values once
    get the number that comes right below the maximum of a list
    determine the second highest of the different values in a list"""
    return sorted(set(numbers))[-2]


def second_smallest(numbers: Numbers):
    """find the second smallest distinct number in a list
    return the second lowest value, counting equal values once
    get the number that comes right above the minimum of a list
    determine the second least of the different values in a list"""
    return sorted(set(numbers))[1]


def index_of_largest(numbers: Numbers):
    """find the index of the largest number in a list, the first one on a tie
    return the first position, counted from zero, of the maximum of a list
    get the index at which the biggest value first occurs
    determine the first index in a list that holds the greatest number"""
    return numbers.index(max(numbers))


def index_of_smallest(numbers: Numbers):
    """find the index of the smallest number in a list, the first one on a tie
    return the first position, counted from zero, of the minimum of a list
    get the index at which the lowest value first occurs
    determine the first index in a list that holds the least number"""
    return numbers.index(min(numbers))


def keep_odd(numbers: Numbers):
    """return the odd numbers of a list
    keep only the values that are not divisible by two
    filter a list of integers for the odd ones
    get a list of all odd values among the given numbers"""
    return [number for number in numbers if number % 2 != 0]


def keep_positive(numbers: Numbers):
    """return the positive numbers of a list
    keep only the values that are greater than zero
    filter a list of numbers for those above zero
    get a list of all positive values among the given ones"""
    return [number for number in numbers if number > 0]


def count_negative(numbers: Numbers):
    """count the negative numbers in a list
    find out how many values are less than zero
    return the number of values below zero in a list
    determine how many numbers of a list are negative"""
    return sum(number < 0 for number in numbers)


def count_even(numbers: Numbers):
    """count the even numbers in a list
    find out how many values are divisible by two
    return the number of even integers in a list
    determine how many of the given numbers are even"""
    return sum(number % 2 == 0 for number in numbers)


def square_all(numbers: Numbers):
    """return the squares of the numbers in a list
    square each value of a list
    make a list that holds every given number multiplied by itself
    get a list with the square of each number"""
    return [number**2 for number in numbers]


def sum_of_squares(numbers: Numbers):
    """compute the sum of the squares of a list of numbers
    add up the squared values of a list
    return the total after squaring each of the given numbers
    calculate the sum of all squared numbers in a list"""
    return sum(number**2 for number in numbers)


def absolute_values(numbers: Numbers):
    """return the absolute values of the numbers in a list
    make every number of a list non-negative by dropping its sign
    convert each value in a list to its absolute value
    get a list of the given numbers without their signs"""
    return [abs(number) for number in numbers]


def cumulative_sums(numbers: Numbers):
    """return the cumulative sums of a list of numbers
    compute the running totals of the values in a list
    make a list whose entries are the sums of all numbers up to each position
    get the running sum at every position of a list"""
    total, sums = 0, []
    for number in numbers:
        total += number
        sums.append(total)
    return sums


def running_maximum(numbers: Numbers):
    """return the running maximum of a list of numbers
    compute the largest value seen so far at each position of a list
    make a list that replaces every number by the biggest one up to there
    get a list with the maximum so far at every position"""
    return [max(numbers[: index + 1]) for index in range(len(numbers))]


def differences(numbers: Numbers):
    """return the differences of neighbouring numbers, each one minus the one before
    subtract from each value of a list, except the first, the value before it
    compute the change from each number to the next one in a list
    get a list of how much each number exceeds its predecessor"""
    return [after - before for before, after in zip(numbers, numbers[1:])]


def is_sorted(numbers: Numbers):
    """check if a list of numbers is sorted in ascending order
    tell whether no value in a list is smaller than the one before it
    determine whether the given numbers are in increasing order, equal ones allowed
    find out if a list is already sorted from smallest to largest"""
    return numbers == sorted(numbers)


def sort_descending(numbers: Numbers):
    """sort a list of numbers in descending order
    return the values ordered from largest to smallest
    order numbers so that the biggest comes first
    get the numbers of a list sorted from high to low"""
    return sorted(numbers, reverse=True)


def insert_sorted(numbers: SortedNumbers, number: Number):
    """insert a number into a sorted list so that it stays sorted
    add a value to an ascending list, keeping the order
    return a sorted list with a new number put in its right place
    put a number into an already sorted list of numbers, keeping it sorted"""
    return sorted(numbers + [number])


def n_largest(numbers: Numbers, n: Positive):
    """return the n largest numbers of a list, largest first
    find the n biggest values in descending order
    get the top n numbers of a list, from high to low
    select the n highest values of a list, starting with the maximum"""
    return sorted(numbers, reverse=True)[:n]


def above_average(numbers: Numbers):
    """return the numbers of a list that are greater than its average
    keep only the values above the mean of the list
    find all numbers that are bigger than the average of all the given ones
    get the values in a list that exceed their mean"""
    return [number for number in numbers if number > sum(numbers) / len(numbers)]


def count_greater(numbers: Numbers, limit: Number):
    """count the numbers in a list that are greater than a limit
    find out how many values of a list exceed a given number
    return the number of values above a given threshold
    determine how many numbers in a list are bigger than a given one"""
    return sum(number > limit for number in numbers)


def closest_number(numbers: Numbers, target: Number):
    """find the number in a list that is closest to a target, the first on a tie
    return the value nearest to a given number, the earlier one on a tie
    get the first number of a list with the smallest distance to a target
    determine which value in a list is nearest to a target, taking the first on a tie"""
    return min(numbers, key=lambda number: abs(number - target))


def normalise(numbers: Floats):
    """divide each number in a list by the total so that they sum to one
    scale values so that they add up to one
    return each number as a fraction of the sum of the list
    convert a list of numbers to their shares of the total"""
    return [number / sum(numbers) for number in numbers]


def variance(numbers: Floats):
    """compute the population variance of a list of numbers
    find the average squared distance of the values from their mean
    return the mean of the squared deviations from the average of a list
    calculate the population variance of some values"""
    mean = sum(numbers) / len(numbers)
    return sum((number - mean) ** 2 for number in numbers) / len(numbers)
