"""Functions on the digits, the divisors and the notation of single numbers."""

import math

from utils.data.basics.arguments import Natural, Number, Numeral, Positive


def alternating_digit_sum(number: Numeral):
    """add and subtract the digits of a number in turn, starting with plus at the leftmost
    compute the first digit minus the second plus the third and so on
    take the digits from left to right with signs +, -, +, - and sum them
    find the alternating sum of the decimal digits, where the leading digit counts as positive
    sum every other digit from the left and subtract all the digits in between
    work out the digit sum with alternating signs, leading digit added, next one subtracted
    subtract the digits at even places from those at odd places, counting places from 1 at the left
    calculate the total of a number's digits, the first positive, the second negative, and so on"""
    digits = [int(digit) for digit in str(number)]
    return sum(digits[::2]) - sum(digits[1::2])


def digits_increase(number: Numeral):
    """check if each digit of a number is greater than the digit before it
    tell whether the digits grow strictly from left to right
    determine if a number's digits are in strictly ascending order, as in 1379
    test that no digit is equal to or smaller than the one on its left
    see if the digits climb all the way without repeating, true for a single digit
    verify that reading a number from the left, every next digit is larger
    decide whether the decimal digits form a strictly increasing sequence
    say if the digits of an integer are sorted upwards and all different"""
    digits = str(number)
    return all(left < right for left, right in zip(digits, digits[1:]))


def has_repeated_digit(number: Numeral):
    """check if some digit occurs more than once in a number
    tell whether a number contains the same digit at least twice, anywhere
    determine if the digits of a number are not all different
    test for a duplicate digit in an integer
    see whether any digit shows up again elsewhere in the number
    find out if a number uses one of its digits two times or more
    decide if at least two places of a number hold equal digits
    return true when the decimal notation of a number has repeated digits"""
    return len(set(str(number))) < len(str(number))


def is_harshad_number(number: Natural):
    """check if a number is divisible by the sum of its digits, false for zero
    tell whether a number is a Harshad number, where 0 is not one
    determine if the digit sum divides the number evenly, answering false for 0
    test whether dividing a number by its digit sum leaves no remainder, with false for zero
    see if an integer is a multiple of its digit sum, but never if it is 0
    decide whether a number is a Niven number in base ten, treating zero as none
    add up the digits and say if the positive number can be divided by that, false for 0
    verify the Harshad property of a number, which zero does not have"""
    total = sum(int(digit) for digit in str(number))
    return total > 0 and number % total == 0


def is_automorphic(number: Natural):
    """check if the square of a number ends with the number itself
    tell whether a number is automorphic, like 25 whose square is 625
    determine if squaring a number gives something whose last digits are that number
    test whether a number's digits are a suffix of its square's digits
    see if the square, written out, finishes in the digits of the original number
    decide whether a number reappears at the end of its own square
    verify that n times n ends in the same digits as n
    find out if a natural number is an automorphic one in base ten"""
    return str(number**2).endswith(str(number))


def is_triangular_number(number: Natural):
    """check if a number is triangular, that is 0, 1, 3, 6, 10, 15 and so on
    tell whether a number is the sum of 1 to k for some k, counting 0 too
    determine if so many dots can be laid out as a full triangle, with 0 dots allowed
    test if a number is a triangular number, zero included
    see whether adding 1, 2, 3 and so on hits the number exactly, true for 0
    decide if a number equals k * (k + 1) / 2 for some k from 0 on
    say whether 8 times the number plus 1 is a perfect square
    find out if a natural number belongs to the triangular numbers, which begin with 0"""
    root = math.isqrt(8 * number + 1)
    return root * root == 8 * number + 1


def pentagonal_number(n: Natural):
    """compute the nth pentagonal number, which is n * (3n - 1) / 2
    return the pentagonal number at position n, 0 at 0 and 1 at 1, as an integer
    look up place n, counted from 0, in the sequence 0, 1, 5, 12, 22, 35
    calculate n times (3n minus 1) halved, as a whole number
    find the nth term of the pentagonal numbers, with zero for n = 0
    multiply n by one less than three times n and take half of that as an int
    give the pentagonal number with index n, starting from 0 for index 0
    work out which integer is the nth pentagonal number, 0 being the zeroth"""
    return n * (3 * n - 1) // 2


def next_multiple(number: Number, step: Positive):
    """find the smallest multiple of a step that is not below a number
    round an integer up to a multiple of another, keeping it if it is one already
    get the first multiple of step that is greater than or equal to number
    raise a number to the next multiple of a given step unless it is a multiple itself
    return the least integer divisible by the second argument and no less than the first
    bring a number up to the nearest multiple of the step that is at least as large
    compute the ceiling of a number to a given step size
    determine which multiple of a step comes at or straight after a number"""
    return -(-number // step) * step


def round_to_ten(number: Number):
    """round an integer to the nearest ten, with numbers ending halfway going up
    replace a number by the closest multiple of ten, the larger one if two are equally close
    find the multiple of 10 nearest to a number, where a tie goes to the greater
    bring a whole number to the next full ten above or below, five being rounded up
    round to tens, so that 14 gives 10, 15 gives 20 and -15 gives -10
    return the nearest multiple of ten as an integer, choosing the higher one in the middle
    get rid of the last digit by rounding to ten, halves towards plus infinity
    add five and then round down to a multiple of ten"""
    return (number + 5) // 10 * 10


def limit_magnitude(number: Number, limit: Natural):
    """clamp a number to the range from minus a limit to plus the limit
    keep a number within -limit and limit, replacing it by the bound it crosses
    cap the absolute value of a number at a maximum while keeping its sign
    return the number, but limit if it is larger and minus limit if it is smaller
    restrict an integer to an interval that reaches equally far on both sides of zero
    force a value between the negative and the positive of a given bound
    cut off a number at plus or minus a given limit
    get whichever value from -limit to limit lies closest to the number"""
    return max(-limit, min(limit, number))


def sign(number: Number):
    """return 1 for a positive number, -1 for a negative one and 0 for zero
    find the sign of a number as 1, 0 or -1
    tell by -1, 0 or 1 whether a number is below, at or above zero
    compute the signum function of an integer
    map negative numbers to -1, zero to 0 and positive numbers to 1
    give minus one, zero or one according to the sign of a value
    determine the sign of an integer, written as -1, 0 or +1
    reduce a number to 0 if it is 0 and else to its sign times 1"""
    return (number > 0) - (number < 0)


def have_same_sign(first: Number, second: Number):
    """check if two numbers are both positive, both negative or both zero
    tell whether two integers have the same sign, zero having a sign of its own
    determine if a pair of numbers lies on the same side of zero or both are zero
    test if the signs agree, where zero agrees with nothing but zero
    see whether neither number differs from the other in being above, below or equal to zero
    decide if two values share their sign, counting 0 as neither plus nor minus
    compare the signum of two numbers and return whether they are equal
    return true only when both are above zero, both are below it, or both are 0"""
    return (first > 0) == (second > 0) and (first < 0) == (second < 0)


def are_coprime(first: Positive, second: Positive):
    """check if two numbers have no common divisor but 1
    tell whether two positive integers are coprime
    determine if the greatest common divisor of a pair of numbers is one
    test whether two numbers are relatively prime
    see if no prime divides both of two numbers
    decide whether a fraction of two positive numbers is already in lowest terms
    find out if nothing larger than 1 divides both numbers evenly
    say if two integers share no prime factor"""
    return math.gcd(first, second) == 1


def smallest_prime_factor(number: Natural):
    """find the smallest prime factor of a number, or None if it is below 2
    return the least divisor greater than 1, with None for 0 and 1
    get the lowest prime that divides a number, None if the number is zero or one
    determine the first number from 2 on that divides evenly, None for numbers under two
    compute the minimal prime divisor of an integer and give None for 0 or 1
    look up which prime is the smallest to divide a number, None when it is less than 2
    tell the smallest divisor apart from one, or None for a number smaller than two
    search for the least prime factor, which is None in case of 0 or 1"""
    return next((factor for factor in range(2, number + 1) if number % factor == 0), None)


def count_coprime_numbers(number: Positive):
    """count the numbers from 1 to n that have no common divisor with n but 1
    compute Euler's totient of a number
    determine how many integers between 1 and n, both included, are coprime to n
    find the value of the phi function for a positive integer
    tell how many of the numbers 1 to n are relatively prime to n
    evaluate Euler's phi function, which is 1 for 1
    get the amount of positive integers up to n whose greatest common divisor with n is one
    work out how many numbers up to n share no prime factor with n"""
    return sum(math.gcd(number, other) == 1 for other in range(1, number + 1))


def is_perfect_number(number: Positive):
    """check if a number equals the sum of its proper divisors
    tell whether a positive integer is perfect, like 6 and 28
    determine if all divisors of a number except itself add up to it
    test whether a number is a perfect number
    see if the divisors smaller than the number sum to exactly that number
    decide whether the aliquot sum of a number is the number itself
    verify that the divisors below a number total the number, which is false for 1
    find out if the sum of all divisors, itself included, is twice the number"""
    return sum(other for other in range(1, number) if number % other == 0) == number


def bits_needed(number: Natural):
    """count the binary digits of a number, with 0 for zero
    tell how many bits it takes to write a number, none for 0
    find the length of a number in binary without leading zeros, taking it as 0 for zero
    determine the bit length of an integer, which is 0 in case of 0
    return how often a number can be halved, rounding down, until it is zero
    get the smallest number of bits that holds a natural number, 0 bits for zero
    compute the least k such that the number is less than two to the power k
    work out the amount of digits of a number in base 2, where zero has none"""
    return number.bit_length()
