"""Functions on one, two or three numbers."""

import math

from utils.data.basics.arguments import Float, Natural, Number, Positive


def is_even(number: Number):
    """check whether a number is even
    tell if an integer can be divided by two without remainder
    determine if a given whole number is even
    test whether a value is an even number"""
    return number % 2 == 0


def is_odd(number: Number):
    """check whether a number is odd
    tell if an integer leaves a remainder when divided by two
    determine if a given whole number is odd
    test whether a value is an odd number"""
    return number % 2 != 0


def is_positive(number: Number):
    """check whether a number is positive
    tell if a value is greater than zero
    determine if a given number lies above zero
    test if an integer is a positive number"""
    return number > 0


def is_negative(number: Number):
    """check whether a number is negative
    tell if a value is less than zero
    determine if a given number lies below zero
    test if an integer is a negative number"""
    return number < 0


def is_multiple(a: Positive, b: Positive):
    """check whether the first number is a multiple of the second
    tell if one number is divisible by another
    determine if the first of two integers can be divided evenly by the second
    test whether a number is a multiple of another number"""
    return a % b == 0


def is_whole_number(number: Float):
    """check whether a decimal number is a whole number
    tell if a float has no fractional part
    determine if a given float has an integer value
    test whether a value has nothing but zeros after the decimal point"""
    return number.is_integer()


def round_up(number: Float):
    """round a number up to the next whole number
    return the smallest integer that is not less than a number
    compute the ceiling of a decimal number
    get a value rounded upwards to an integer"""
    return math.ceil(number)


def round_down(number: Float):
    """round a number down to a whole number
    return the largest integer that is not greater than a number
    compute the floor of a decimal number
    get a value rounded downwards to an integer"""
    return math.floor(number)


def absolute_value(number: Number):
    """return the absolute value of a number
    compute the magnitude of a number without its sign
    return a number without its minus sign
    get the absolute value of a given integer"""
    return abs(number)


def double(number: Number):
    """return the double of a number
    multiply a number by two
    compute twice a given value
    return two times a number"""
    return number * 2


def half(number: Number):
    """return the half of a number
    divide a number by two
    compute one half of a given value
    get half of an integer as a decimal number"""
    return number / 2


def square(number: Number):
    """return the square of a number
    multiply a number by itself
    compute the second power of a given value
    calculate the square of an integer"""
    return number**2


def cube(number: Number):
    """return the cube of a number
    raise a number to the third power
    compute the third power of a given value
    calculate the cube of an integer"""
    return number**3


def square_root(number: Float):
    """compute the square root
    return the square root of a number
    find the square root of a given number
    get the square root of a value"""
    return math.sqrt(number)


def cube_root(number: Float):
    """compute the cube root of a number
    return the third root of a value
    find the number whose cube is a given number
    get the cube root of a given value"""
    return math.cbrt(number)


def power(base: Float, exponent: Natural):
    """raise a number to a power
    compute a base to the power of an exponent
    return the first number raised to the power of the second
    calculate the power of a base and an exponent"""
    return base**exponent


def hypotenuse(a: Float, b: Float):
    """compute the hypotenuse of a right triangle from its two legs
    return the longest side of a right-angled triangle given the two shorter sides
    find the length of the hypotenuse with the Pythagorean theorem
    calculate the hypotenuse from the two legs of a right triangle"""
    return math.hypot(a, b)


def subtract(a: Number, b: Number):
    """subtract the second number from the first
    return the first number minus the second
    compute the difference of two numbers, the first less the second
    get the result of taking the second value away from the first"""
    return a - b


def safe_divide(a: Number, b: Number):
    """divide the first number by the second, with None for division by zero
    return the quotient of two numbers, or None if the second is zero
    compute one number divided by another, giving None when the divisor is 0
    calculate the first value over the second, None if dividing by zero"""
    if b == 0:
        return None
    return a / b


def quotient_and_remainder(a: Positive, b: Positive):
    """return the quotient and the remainder of a whole-number division
    compute both the integer quotient and the remainder of two numbers
    return the pair of whole quotient and remainder of a division of two integers
    get the integer quotient and remainder of one number divided by another"""
    return divmod(a, b)


def average_of_two(a: Float, b: Float):
    """return the average of two numbers
    compute the mean of two values
    find the number halfway between two numbers
    calculate the average of two given numbers"""
    return (a + b) / 2


def larger_of_two(a: Number, b: Number):
    """return the larger of two numbers
    find the maximum of two values
    return the bigger one of two numbers
    get the greater of two given integers"""
    return max(a, b)


def smaller_of_two(a: Number, b: Number):
    """return the smaller of two numbers
    find the minimum of two values
    return the lesser one of two numbers
    get the lower of two given integers"""
    return min(a, b)


def largest_of_three(a: Number, b: Number, c: Number):
    """return the largest of three numbers
    find the maximum of three values
    return the biggest one of three numbers
    get the greatest of three given integers"""
    return max(a, b, c)


def middle_of_three(a: Number, b: Number, c: Number):
    """return the middle one of three numbers
    find the median of three values
    return the number that is neither largest nor smallest among three
    get the middle value of three given integers"""
    return sorted([a, b, c])[1]


def swap(a: Number, b: Number):
    """return two numbers as a pair with the second one first
    return two values in exchanged order as a tuple
    return two numbers with their order swapped
    exchange two given values, returning the second before the first"""
    return b, a


def is_between(number: Number, low: Number, high: Number):
    """check whether a number lies between two limits, both included
    tell if a value is within a range including its ends
    determine if a number is at least a lower and at most an upper bound
    test whether a number is in the inclusive range from low to high"""
    return low <= number <= high


def greatest_common_divisor(a: Positive, b: Positive):
    """return the greatest common divisor of two numbers
    find the largest number that divides two given integers
    compute the gcd of two whole numbers
    calculate the highest common factor of two numbers"""
    return math.gcd(a, b)


def least_common_multiple(a: Positive, b: Positive):
    """return the least common multiple of two numbers
    find the smallest number that two given integers both divide
    compute the lcm of two whole numbers
    calculate the lowest common multiple of two numbers"""
    return math.lcm(a, b)


def last_digit(number: Number):
    """return the last digit of a number
    get the ones digit of an integer, ignoring its sign
    find the final digit of a whole number
    return the rightmost digit of a given number"""
    return abs(number) % 10
