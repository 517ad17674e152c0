"""Functions on whole numbers: their digits, factors and sequences."""

import math

from utils.data.basics.arguments import Bits, Natural, Numeral, Positive, Year


def product_of_digits(n: Numeral):
    """compute the product of the digits of a number
    multiply all digits of a whole number together
    return the result of multiplying the digits of an integer
    find the product of all the digits in a given number"""
    return math.prod(int(digit) for digit in str(n))


def count_binary_ones(n: Natural):
    """count the ones in the binary form of a number
    find out how many bits of a whole number are set to 1
    return the number of 1 digits of an integer written in base 2
    determine how many ones a given number has in binary"""
    return format(n, "b").count("1")


def count_even_digits(n: Numeral):
    """count the even digits of a number
    find out how many digits of a whole number are even
    return the number of even digits in an integer
    determine how many even digits a given number has"""
    return sum(int(digit) % 2 == 0 for digit in str(n))


def reverse_digits(n: Numeral):
    """reverse the digits of a number
    return a whole number with its digits in reverse order
    turn an integer around so that its last digit comes first
    get the number made of the digits of a given number read backwards"""
    return int(str(n)[::-1])


def digits(n: Numeral):
    """return the digits of a number as a list
    split a whole number into a list of its digits
    turn an integer into a list of single digits
    get the list of all digits of a given number"""
    return [int(digit) for digit in str(n)]


def largest_digit(n: Numeral):
    """find the largest digit of a number
    return the biggest digit in a whole number
    get the maximum digit of an integer
    return the highest digit that a given number contains"""
    return max(int(digit) for digit in str(n))


def smallest_digit(n: Numeral):
    """find the smallest digit of a number
    return the lowest digit in a whole number
    get the minimum digit of an integer
    return the least digit that a given number contains"""
    return min(int(digit) for digit in str(n))


def first_digit(n: Numeral):
    """return the first digit of a number
    get the leading digit of an integer
    find the leftmost digit of a whole number
    return the digit that a given number starts with"""
    return int(str(n)[0])


def digital_root(n: Numeral):
    """compute the digital root of a number
    sum the digits of a number again and again until one digit is left
    return the single digit got by repeatedly adding up the digits of a number
    find the digital root of a given whole number"""
    while n > 9:
        n = sum(int(digit) for digit in str(n))
    return n


def is_palindrome_number(n: Numeral):
    """check whether a number is a palindrome
    tell if the digits of a whole number read the same backwards
    determine if an integer stays the same when its digits are reversed
    test whether a given number is palindromic"""
    return str(n) == str(n)[::-1]


def is_armstrong_number(n: Numeral):
    """check whether a number is an Armstrong number
    tell if a number is the sum of its digits each raised to the number of digits
    determine if a given integer is an Armstrong number
    test whether a whole number is an Armstrong (narcissistic) number"""
    return n == sum(int(digit) ** len(str(n)) for digit in str(n))


def is_perfect_square(n: Natural):
    """check whether a number is a perfect square
    tell if a whole number is the square of another whole number
    determine if the square root of an integer is a whole number
    test whether a given number is a square number"""
    return math.isqrt(n) ** 2 == n


def is_power_of_two(n: Positive):
    """check whether a number is a power of two
    tell if a positive integer is a power of 2
    determine if a number can be written as two to some whole power
    test whether a given number is one of 1, 2, 4, 8, 16 and so on"""
    return n & (n - 1) == 0


def factorial(n: Natural):
    """compute the factorial of a number
    multiply all whole numbers from one up to a given number
    return the factorial of a non-negative integer
    calculate the product of the numbers from 1 to n"""
    return math.factorial(n)


def sum_to(n: Natural):
    """compute the sum of the whole numbers from 1 to n
    add up all integers from one up to a given number
    return the nth triangular number
    calculate the total of the first n natural numbers, starting with 1"""
    return n * (n + 1) // 2


def fibonacci(n: Natural):
    """compute the nth Fibonacci number, starting from 0 and 1
    return the Fibonacci number at position n, where position 0 gives 0
    find the Fibonacci number with a given index (0, 1, 1, 2, 3 from index 0)
    calculate the nth number of the Fibonacci sequence, counting from zero"""
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


def first_fibonacci_numbers(n: Positive):
    """return a list of the first n Fibonacci numbers, starting with 0 and 1
    make a list with the Fibonacci sequence (0, 1, 1, 2 ...) of a given length
    create a list of the first n terms of the Fibonacci series, 0 being the first
    get the first n Fibonacci numbers beginning with 0 as a list"""
    numbers = []
    a, b = 0, 1
    for _ in range(n):
        numbers.append(a)
        a, b = b, a + b
    return numbers


def primes_up_to(n: Natural):
    """return a list of all prime numbers up to n, n included
    find all primes that are at most a given number
    list the prime numbers from 2 up to and including a limit
    get every prime that is less than or equal to a number"""
    primes = []
    for number in range(2, n + 1):
        if all(number % prime != 0 for prime in primes):
            primes.append(number)
    return primes


def prime_factors(n: Positive):
    """return the prime factors of a number as a list, repeated ones included
    find the prime factorization of a number as an ascending list with repeats
    split a whole number into a sorted list of primes whose product it is
    compute the list of all prime factors of an integer with their repetitions"""
    factors, divisor = [], 2
    while n > 1:
        if n % divisor == 0:
            factors.append(divisor)
            n //= divisor
        else:
            divisor += 1
    return factors


def divisors(n: Positive):
    """return a list of all divisors of a number
    find all numbers that divide a whole number evenly, in ascending order
    list the factors of an integer, including one and itself
    get every divisor of a given number as a list"""
    return [number for number in range(1, n + 1) if n % number == 0]


def count_divisors(n: Positive):
    """count the divisors of a number
    find out how many numbers divide a whole number evenly
    return the number of factors of an integer, one and itself included
    determine how many divisors a given number has"""
    return sum(n % number == 0 for number in range(1, n + 1))


def sum_of_proper_divisors(n: Positive):
    """compute the sum of the proper divisors of a number
    add up all divisors of a whole number except the number itself
    return the total of the factors of an integer that are smaller than it
    find the sum of all numbers below a given number that divide it evenly"""
    return sum(number for number in range(1, n) if n % number == 0)


def century(year: Year):
    """return the century that a year belongs to, 1900 being in the 19th
    compute the century of a year, with 1901 to 2000 as the 20th
    find the number of the century in which a year lies (2000 is in the 20th)
    determine which century a year is in, where 2001 begins the 21st"""
    return (year - 1) // 100 + 1


def is_leap_year(year: Year):
    """check whether a year is a leap year
    tell if a given year has a 29th of February
    determine if a year has 366 days
    test if a year is a leap year in the Gregorian calendar"""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def to_binary(n: Natural):
    """convert a number to binary as a string without prefix
    turn a whole number into its binary text of zeros and ones
    return the binary digits of an integer as a string
    get the base 2 representation of a number as text without 0b"""
    return format(n, "b")


def to_hexadecimal(n: Natural):
    """convert a number to hexadecimal as a lower-case string without prefix
    turn a whole number into its lower-case hex text
    return the hex digits of an integer as a string with small letters
    get the base 16 representation of a number as lower-case text without 0x"""
    return format(n, "x")


def binary_to_number(bits: Bits):
    """convert a binary string to a number
    turn a text of zeros and ones into the integer it stands for
    return the decimal value of a string of binary digits
    get the whole number that a binary string represents"""
    return int(bits, 2)


def collatz_steps(n: Positive):
    """count the Collatz steps that a number takes to reach 1
    find how many Collatz steps (halve if even, else triple plus one) lead to 1
    return the number of steps of the Collatz sequence from a number to 1
    determine how many steps of the Collatz rule bring a given number down to 1"""
    steps = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return steps


def fizz_buzz(n: Positive):
    """return Fizz if 3 divides a number, Buzz if 5, FizzBuzz if both, else it as text
    return the FizzBuzz word of one number, or the number itself as a string
    turn one number into Fizz, Buzz, FizzBuzz or its own text by the FizzBuzz rules
    get the FizzBuzz answer for a single number, as a string in every case"""
    word = "Fizz" * (n % 3 == 0) + "Buzz" * (n % 5 == 0)
    return word or str(n)
