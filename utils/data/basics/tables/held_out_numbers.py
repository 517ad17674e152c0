"""Everyday functions on numbers that are only asked for: drawn at random from all, never trained."""

from utils.data.basics.arguments import (
    Items,
    Natural,
    Number,
    Numbers,
    NumberSet,
    Numeral,
    Points,
    Positive,
    Scores,
    SortedNumbers,
    Square,
    Words,
)


def sum_of_digits(n: Numeral):
    """compute the sum of the digits of a number
    add up all digits of a whole number
    return the digit sum of an integer
    find the total of the digits in a given number"""
    return sum(int(digit) for digit in str(n))


def sum_of_squares_to(n: Natural):
    """compute the sum of the squares from 1 to n
    add up the squares of all integers from one up to a given number
    return the sum of the first n square numbers
    calculate the total of 1 squared, 2 squared and so on up to n squared"""
    return sum(number**2 for number in range(1, n + 1))


def is_prime(n: Natural):
    """check whether a number is prime
    tell if a whole number is a prime number
    determine if an integer has no divisors except one and itself
    test whether a given number is a prime"""
    return n > 1 and all(n % divisor != 0 for divisor in range(2, n))


def first_powers_of_two(n: Positive):
    """return a list of the first n powers of two, starting with 1
    make a list of the powers of 2 (1, 2, 4, 8 ...) of a given length
    create a list of the first n powers of 2, with 1 as the first
    get the first n powers of two beginning with 1 as a list"""
    return [2**exponent for exponent in range(n)]


def mode(numbers: Numbers):
    """find the most frequent number in a list, the first one on a tie
    return the mode of a list of values, on a tie the one that comes first
    get the number that occurs most often, the earliest one if several do
    determine which value is the most common in a list, taking the first on a tie"""
    return max(numbers, key=numbers.count)


def value_range(numbers: Numbers):
    """compute the difference between the largest and smallest number in a list
    subtract the minimum of some values from the maximum
    return how far apart the biggest and the lowest value in a list are
    calculate the range of a list of numbers, its maximum minus its minimum"""
    return max(numbers) - min(numbers)


def keep_even(numbers: Numbers):
    """return the even numbers of a list
    keep only the values that are divisible by two
    filter a list of integers for the even ones
    get a list of all even values among the given numbers"""
    return [number for number in numbers if number % 2 == 0]


def sum_positive(numbers: Numbers):
    """compute the sum of the positive numbers in a list
    add up only the values that are greater than zero
    return the total of all positive values, ignoring the negative ones
    calculate what the numbers above zero in a list add up to"""
    return sum(number for number in numbers if number > 0)


def scale_numbers(numbers: Numbers, factor: Number):
    """multiply each number in a list by a given factor
    scale all values of a list by a number
    return a list with every number times a given factor
    get the list in which each value has been multiplied by a given number"""
    return [number * factor for number in numbers]


def add(a: Number, b: Number):
    """add two numbers
    return the sum of two numbers
    compute the sum of two given integers
    get the total of two values"""
    return a + b


def multiply(a: Number, b: Number):
    """multiply two numbers
    return the product of two numbers
    compute the product of two given integers
    get the result of one value times another"""
    return a * b


def clamp(number: Number, low: Number, high: Number):
    """limit a number to the range between a low and a high bound
    clamp a value between a minimum and a maximum
    return a number, but no less than a lower and no more than an upper limit
    restrict a value to a range given by its lowest and highest allowed value"""
    return max(low, min(number, high))


def absolute_difference(a: Number, b: Number):
    """return the absolute difference of two numbers
    compute how far apart two numbers are
    find the distance between two values on the number line
    calculate the difference of two integers without its sign"""
    return abs(a - b)


def sorted_names(scores: Scores):
    """return the names in a dictionary of scores in alphabetical order
    sort the keys of a dictionary of numbers, giving a list
    list the names of a dict of scores from A to Z
    get an alphabetically sorted list of the names in a dictionary of scores"""
    return sorted(scores)


def top_three(scores: Scores):
    """list the three names with the highest scores, best first
    find the three keys with the largest values in a dict, in descending order
    get the names of the best three in a dictionary of scores, highest first
    return the top three names of a dict of scores, starting with the best"""
    return sorted(scores, key=scores.get, reverse=True)[:3]


def invert_scores(scores: Scores):
    """invert a dictionary of names to scores into one of scores to names
    swap the keys and the numbers of a dictionary of numbers
    turn a dict of names to scores around so that each score maps to a name
    make a dictionary from each score to its name out of a dict of scores"""
    return {score: name for name, score in scores.items()}


def keep_positive_scores(scores: Scores):
    """keep only the names with a positive score, as a dictionary
    filter a dictionary of numbers for values greater than zero
    remove all names whose score is zero or negative from a copy of a dict
    return a new dict with just those entries whose value is above 0"""
    return {name: score for name, score in scores.items() if score > 0}


def remove_lowest(scores: Scores):
    """remove the name with the lowest score from a copy of a dictionary of scores
    return a new dictionary of numbers without the key of the smallest value
    make a new dict of scores that leaves out the one name with the fewest points
    drop the worst name from a dict of scores, giving a new dictionary"""
    worst = min(scores, key=scores.get)
    return {name: score for name, score in scores.items() if name != worst}


def trace(matrix: Square):
    """compute the sum of the main diagonal of a square matrix
    calculate the trace of a square matrix
    add up the numbers on the diagonal of a square table, from top left on
    find the total of the diagonal entries (the trace) of a matrix"""
    return sum(matrix[i][i] for i in range(len(matrix)))


def is_symmetric(matrix: Square):
    """check whether a square matrix is symmetric
    tell if a square matrix equals its transpose
    find out whether a square table stays the same if rows and columns are swapped
    determine if a square list of rows is symmetric about its diagonal"""
    return matrix == [list(column) for column in zip(*matrix)]


def centroid(points: Points):
    """compute the centroid of a list of points as a tuple
    find the average x and the average y of a list of points, as a pair
    calculate the mean point of a list of coordinate pairs, as a tuple
    get the center of several points as a tuple of the mean x and the mean y"""
    n = len(points)
    return sum(x for x, y in points) / n, sum(y for x, y in points) / n


def set_intersection(a: NumberSet, b: NumberSet):
    """return the intersection of two sets
    find the set of the items that two sets have in common
    collect the numbers that are in both of two sets, as a set
    get a set of everything that two given sets share"""
    return a & b


def pairwise_sums(a: Numbers, b: Numbers):
    """add two lists of numbers position by position
    return the pairwise sums of two lists
    compute the element-wise sum of two lists of values
    make a list of the sums of the numbers at the same index in two lists"""
    return [x + y for x, y in zip(a, b)]


def merge_sorted(a: SortedNumbers, b: SortedNumbers):
    """merge two sorted lists into one sorted list
    combine two ascending lists of numbers so that the result is in order
    return all numbers of two sorted lists in a single ascending list
    join two lists that are already sorted into one that is sorted too"""
    return sorted(a + b)


def common_items(a: Items, b: Items):
    """return the sorted distinct items that two lists have in common
    find the elements that are in both of two lists, sorted and without duplicates
    compute the intersection of two lists as a sorted list
    get a sorted list of the different items shared by two lists"""
    return sorted(set(a) & set(b))


def longest_of_words(words: Words):
    """find the longest word in a list, the first one on a tie
    return the word with the most letters, the earliest one if several have
    get the first of the longest strings in a list
    determine which word of a list is the longest, taking the first on a tie"""
    return max(words, key=len)


def shortest_of_words(words: Words):
    """find the shortest word in a list, the first one on a tie
    return the word with the fewest letters, the earliest one if several have
    get the first of the shortest strings in a list
    determine which word of a list is the shortest, taking the first on a tie"""
    return min(words, key=len)


def join_with_commas(words: Words):
    """join the words of a list with commas and spaces into one string
    return a text of all given words, separated by a comma and a space
    turn a list of words into a string with a comma and a space between them
    make a comma-separated text from some words, with a space after each comma"""
    return ", ".join(words)
