"""Functions on numbers, lists of numbers and points."""

import math

from utils.data.basics.arguments import (
    Natural,
    Number,
    Numbers,
    NumberSet,
    Numeral,
    Points,
    Positive,
    SortedNumbers,
)


def swap_outer_digits(number: Numeral):
    """swap the first and the last digit of a number, leaving single digits as they are
    exchange the outermost digits of an integer, one digit staying the same
    return the number with its leading and final digits trading places, unchanged below ten
    put the last digit first and the first digit last, doing nothing to one-digit numbers
    make an integer by switching the two end digits, dropping zeros in front, the same below 10
    interchange the highest and the lowest digit of a number unless it has only one
    get the number that has its units digit and its leading digit swapped, itself if under ten
    let the digits at both ends of a number change places, with no effect below 10"""
    digits = str(number)
    return int(digits[-1] + digits[1:-1] + digits[0]) if number > 9 else number


def ordinal(number: Natural):
    """write a number as an English ordinal like 1st, 2nd, 3rd, 4th or 11th
    append the right ending st, nd, rd or th to a number, where 11 to 13 take th
    return the ordinal form of a number in digits, such as 21st or 112th
    turn a number into a text with its ordinal suffix
    add the English ending for ranks to a number, giving 1st, 2nd, 3rd, 4th, 11th, 21st
    format a position in a ranking, as in 0th, 1st, 2nd, 13th and 23rd
    make a string of a number and its English ordinal ending
    convert a cardinal number to an abbreviated ordinal one"""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return str(number) + {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def to_roman(number: Positive):
    """convert a number to a Roman numeral in capital letters
    write a positive integer in Roman numerals, as in XIV for 14
    return the Roman notation of a number, with IV, IX, XL and so on for fours and nines
    spell a number with the letters I, V, X, L, C, D and M the Roman way
    turn an Arabic number into an upper-case Roman one
    express a whole number as the Romans did, subtracting for 4, 9, 40, 90, 400 and 900
    translate a positive number to its Roman numeral, repeating M for every thousand
    get the string of Roman digits that stands for a number"""
    values = [1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1]
    result = ""
    for value, letters in zip(
        values, ["M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"], strict=False
    ):
        result += letters * (number // value)
        number %= value
    return result


def tally_marks(number: Natural):
    """write tally marks for a number, a slash for every five, then bars for the rest
    draw a count as one / per full five followed by one | per remaining unit
    return so many slashes as fives fit into a number, then bars for the rest
    turn a number into signs / worth five and | worth one, fives first
    make a tally string where / stands for 5 and | for 1, slashes coming first
    represent a number by as few slashes for five and bars for one as possible, slashes leading
    express n as n // 5 slashes and n % 5 vertical bars in one string
    show a number in strokes, first / per group of five, then | per single one"""
    return "/" * (number // 5) + "|" * (number % 5)


def reduce_fraction(numerator: Number, denominator: Positive):
    """reduce a fraction to lowest terms, as a tuple of numerator and denominator
    divide numerator and denominator by their greatest common divisor and return both
    simplify a fraction as far as possible and give its two parts as a pair
    cancel all common factors of two numbers, returned as a tuple in the same order
    bring a fraction into its simplest form, a tuple like (2, 3) for 4 and 6
    return the pair of smallest integers, the second positive, that has the same ratio
    shorten a fraction fully and return the tuple of what is above and below the line
    write a quotient as an irreducible fraction in a tuple, with (0, 1) for zero"""
    divisor = math.gcd(numerator, denominator)
    return numerator // divisor, denominator // divisor


def shipping_cost(weight: Natural):
    """charge 5 for a parcel of up to 2 kilos and 3 more for every further kilo
    compute a shipping price of 5, plus 3 per kilogram above the first two
    return 5 if the weight is at most 2, else 5 plus 3 times the weight above 2
    calculate postage from a base fee of 5 that covers 2 kg and 3 for each additional one
    find what a delivery costs, with 5 for the first two kilos together and 3 for each other
    determine the cost to send a package, 5 up to weight 2, increasing by 3 per unit beyond
    price a shipment at 5 and add 3 for each kilo over 2
    work out the freight where 2 kilos or less cost 5 and each one more costs 3"""
    return 5 + 3 * max(weight - 2, 0)


def fewest_coins(cents: Natural):
    """count the fewest coins of 25, 10, 5 and 1 cents that make an amount
    find how many coins are needed at least to pay cents with quarters, dimes, nickels and pennies
    give change in US coins of 25, 10, 5 and 1 and return the number of coins
    pay an amount greedily with coins worth 25, 10, 5 and 1 and count them
    determine the minimal number of coins for some change, from values 1, 5, 10 and 25
    tell how few coins of 1, 5, 10 and 25 cents add up to an amount
    compute how few quarters, dimes, nickels and pennies can sum to a given number of cents
    return the least amount of coins with values 25, 10, 5 or 1 for a sum"""
    count = 0
    for coin in (25, 10, 5, 1):
        count += cents // coin
        cents %= coin
    return count


def count_combinations(n: Natural, k: Natural):
    """count the ways to choose k of n things regardless of order, 0 if k exceeds n
    compute the binomial coefficient n over k, which is 0 for k greater than n
    find how many subsets of size k an n-element set has, 0 if too small
    return the number of combinations of k out of n items, none if k is more than n
    calculate n choose k, with zero when there are fewer than k things
    tell in how many ways k winners can be picked from n people, 0 for too few people
    determine entry k of row n of Pascal's triangle, counted from 0, taking 0 outside of it
    get the amount of different groups of k among n things, 0 in case n is less"""
    return math.comb(n, k)


def insertion_position(numbers: SortedNumbers, number: Number):
    """find the index at which to insert a number into a sorted list, before any equal ones
    count the numbers of an ascending list that are less than a given number
    return the leftmost position that keeps a list sorted when a number is put there
    get the lowest index where a number fits into an ascending list
    determine the place a number would take in a sorted list, ahead of its equals
    do what bisect_left does for a sorted list and a number
    tell how many elements a new number would have to its left, all of them smaller
    locate the first index whose number is not below the given one, or the length if none is"""
    return sum(other < number for other in numbers)


def take_while_positive(numbers: Numbers):
    """return the numbers at the start of a list up to the first that is not positive, excluded
    take numbers from the front as long as they are above zero
    cut off a list right before its first number that is zero or negative
    get the leading positive numbers of a list
    collect numbers until one of them is 0 or less, without that one
    keep the longest beginning of a list that consists of positive numbers only
    stop reading a list at the first nonpositive number and return what came before
    list the elements in front of the first one that fails to exceed zero, or all of them"""
    taken = []
    for number in numbers:
        if number <= 0:
            break
        taken.append(number)
    return taken


def polynomial_value(coefficients: Numbers, x: Number):
    """evaluate a polynomial at x, given its coefficients from the constant term up, 0 if none
    compute a polynomial at x from coefficients listed by rising degree, an empty list giving 0
    multiply each number by x to the power of its index and sum up, 0 without any
    return the value of the polynomial with ascending coefficients at a point, 0 if it has none
    insert x into a polynomial whose list of coefficients begins with the constant, empty being 0
    calculate p(x) where entry i is the factor of the ith power, 0 for no entries
    sum coefficients times powers of x, the first times 1, the next times x, 0 for none
    find what a polynomial, lowest degree first in a list, yields for x, an empty one yielding 0"""
    return sum(coefficient * x**power for power, coefficient in enumerate(coefficients))


def product_of_others(numbers: Numbers):
    """replace each number by the product of all the other numbers, 1 if there are no others
    compute for every place the product of the numbers at all other places, a lone number giving 1
    return a list with the product of the list without the element itself, the empty product being 1
    multiply for each position everything but the number there, getting 1 from a single number
    make a list whose ith entry is the product of all elements except the ith, else 1
    find the product of the rest for each element of a list, 1 where nothing else is there
    leave each number out in turn and multiply what remains, as a list, with 1 for nothing
    calculate all products that skip exactly one position, in order, with 1 as product of none"""
    indices = range(len(numbers))
    return [math.prod(numbers[:i] + numbers[i + 1 :]) for i in indices]


def mirror_at_x_axis(points: Points):
    """reflect points across the x-axis
    mirror each point at the horizontal axis
    negate the y coordinate of all points and keep x
    return a list of points turned upside down at the line y = 0
    flip points vertically about the x-axis, as a list of tuples
    change (x, y) into (x, -y) for every point
    switch the sign of the second coordinate in a list of points
    get the mirror images of points when the mirror lies along the axis of x"""
    return [(x, -y) for x, y in points]


def count_points_in_circle(points: Points, radius: Natural):
    """count the points within a circle around the origin, including those on it
    tell how many points have at most a given distance from (0, 0)
    find the number of points inside or on the circle of given radius centered at the origin
    determine how many points lie no farther from the origin than the radius
    count points whose squared coordinates sum to at most the square of a radius
    return the amount of points that a disc around zero covers, its edge being part of it
    check for each point if it hits a target of given radius at the origin and count hits
    see how many points are not outside of a circle with the origin as its center"""
    return sum(x**2 + y**2 <= radius**2 for x, y in points)


def jaccard_similarity(first: NumberSet, second: NumberSet):
    """divide the number of common elements by that of all elements, 0 if both sets are empty
    compute the Jaccard index of two sets, with 0 for two empty ones
    find the share of the union that lies in the intersection, 0 if the union is empty
    return the size of the intersection over the size of the union, or 0 if there is nothing
    measure how similar two sets are from 0 to 1 by Jaccard, two empty sets giving 0
    calculate which fraction of all elements is in both sets, zero when there are no elements
    determine the overlap of two sets relative to their union, or 0 without any members
    tell what part of the values in either set is shared, 0 for two empty sets"""
    return len(first & second) / len(first | second) if first | second else 0


def split_set(numbers: NumberSet, limit: Number):
    """split a set into the numbers below a limit and the others, as a tuple of two sets
    return a pair of sets, first what is less than a limit, then what is equal or greater
    partition a set of numbers at a threshold, which itself belongs to the second part
    divide a set in two by a limit and give the smaller numbers first, in a tuple
    make two sets in a tuple, one with all elements under a value and one with the rest
    separate the members strictly below a bound from those at or above it, as two sets
    sort the numbers of a set into a low and a high set, high beginning at the limit
    get the subset of lower numbers and the remaining subset for a cutoff, in this order"""
    return {n for n in numbers if n < limit}, {n for n in numbers if n >= limit}
