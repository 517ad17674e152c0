"""Functions on measures, dates, prices and pairs of numbers."""

import math

from utils.data.basics.arguments import Float, Natural, Number, Numeral, Positive, Year


def format_thousands(number: Numeral):
    """write a number with a comma between the thousands and the hundreds, as in 12,345
    format an integer with commas as thousands separators
    turn a number into a string in which commas group its digits by three
    put a comma before every third digit from the right, except at the very start
    return the number as text with comma-separated groups of three digits
    make a large number readable by inserting commas at the thousands
    convert an integer to a string in the English style with thousands commas
    separate the digits of a number into threes by commas, counting from its end"""
    return f"{number:,}"


def pad_with_zeros(number: Natural, width: Positive):
    """write a number with leading zeros up to a given width
    put zeros in front of a number until it has at least so many characters, as a string
    format a natural number to a fixed minimum length with zeros on the left
    zero-pad a number to a given amount of digits and return it as text
    fill up a number with 0s from the left, leaving it alone if it is long enough
    convert an integer to a string of a minimum length by adding zeros before it
    return the digits of a number as a string, preceded by as many zeros as the width requires
    make 007 out of 7 and 3, keeping numbers that are already as wide"""
    return str(number).zfill(width)


def format_price(cents: Natural):
    """write an amount of cents as dollars with a dollar sign and two decimals, as in $3.05
    convert cents to a price string such as $12.40
    turn cents into text, with $ in front and a point before the last two digits
    format a price given in cents as $ followed by dollars, a dot and two digits of cents
    return a dollar amount like $0.99 for a whole number of cents
    show how much so many cents are in dollars, as a string with $ and two decimal places
    display cents in the usual dollar notation, always with two digits after the point
    make a price tag beginning with $ from an integer number of cents"""
    return f"${cents // 100}.{cents % 100:02d}"


def hour_hand_angle(minutes: Natural):
    """compute the angle of the hour hand from twelve, in degrees below 360, minutes after midnight
    find how many degrees the hour hand has turned from 12 so many minutes after midnight, below 360
    give the clockwise angle between 12 and a clock's hour hand, for minutes since midnight
    multiply the minutes since midnight by half a degree and reduce the result modulo 360
    determine in degrees where the short hand of a clock points, given the minutes since midnight
    tell the position of the hour hand as degrees from 0 to under 360, from minutes past midnight
    calculate half the minutes since midnight, as an angle in a circle of 360 degrees
    return the direction of the small hand in degrees, when so many minutes passed since midnight"""
    return minutes * 0.5 % 360


def to_twelve_hour_clock(hour: Natural):
    """write an hour of the day like 12 am or 1 pm, starting over from 24 on
    convert an hour in 24-hour time to text like 3 pm, taking it modulo 24
    turn hours since midnight into twelve-hour time with am or pm, wrapping around after 24
    return an hour such as 15 in the form 3 pm, with 12 am for 0 and 24
    format an hour with am before noon and pm from noon, after reducing it modulo 24
    express a 24-hour clock hour as 9 am or 9 pm, days starting over at 24
    show the hour from 1 to 12, plus am or pm, so many hours after midnight
    change a military hour into a string of 1 to 12 and am or pm, modulo 24"""
    return f"{(hour - 1) % 12 + 1} {'am' if hour % 24 < 12 else 'pm'}"


def add_hours(hour: Natural, change: Number):
    """add hours to an hour of the day on a 24-hour clock
    find what hour it will be after a number of hours, from 0 to 23
    move a 24-hour clock on by some hours, or back if they are negative
    compute the sum of two hours modulo 24
    return the hour shown by a 24-hour clock so many hours later
    advance the hour by a given amount, starting again at 0 after 23
    tell the hour of day that lies a signed number of hours from a given one
    shift an hour by some hours and wrap it around into 0 to 23"""
    return (hour + change) % 24


def letter_grade(points: Number):
    """give grade A from 90 points, B from 80, C from 70, D from 60, else F
    convert points to a letter, A for at least 90, B 80, C 70, D 60, else F
    turn a score into A, B, C, D or F with limits 90, 80, 70 and 60
    grade a test, A being 90 or more and F under 60, in steps of ten
    return F for less than 60 points and D, C, B, A from 60, 70, 80, 90 on
    map a mark to a letter where D, C, B, A need at least 60, 70, 80, 90
    determine the school grade from F up to A, each starting at 0, 60, 70, 80, 90
    assign A to 90 and up, then B, C, D per ten points less, F under 60"""
    for limit, letter in ((90, "A"), (80, "B"), (70, "C"), (60, "D")):
        if points >= limit:
            return letter
    return "F"


def weekday_name(days: Number):
    """name the day of the week so many days after a Monday
    return the English weekday at a number of days from Monday, Monday itself for 0
    convert a day number to Monday for 0, Tuesday for 1 and so on, repeating every seven
    get the name of the weekday that comes a given number of days after Monday
    find which day it is some days after a Monday, or before one if negative
    look up the weekday for a number modulo 7, where 0 stands for Monday and 6 for Sunday
    tell the full name of the day, counting from Monday as zero and starting over each week
    count forward from Monday by so many days and say what weekday that is"""
    names = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    return names[days % 7]


def days_in_february(year: Year):
    """count the days of February in a year
    tell how many days February has, 29 in Gregorian leap years and otherwise 28
    return 29 if the year is a leap year and 28 if it is not
    find the length of the second month in a given year
    determine the number of the last day of February
    give the day of the month that comes right before the first of March
    work out if February is 28 or 29 days long in the Gregorian calendar
    compute the days in February, considering that 1900 was common and 2000 was leap"""
    return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28


def decade_name(year: Year):
    """name the decade of a year, as in 1980s for 1987
    write the decade that a year belongs to as a string ending in s, such as 2020s
    replace the last digit of a year by 0 and append an s
    return the decade of a year in the form 1990s
    turn 1969 into 1960s and likewise for any year
    round a year down to tens and add the letter s, as text
    get a text like 1850s that tells in which ten years a year falls
    label a year such as 1985 with 1980s, its decade in digits and an s"""
    return f"{year // 10 * 10}s"


def count_leap_years(start: Year, end: Year):
    """count the leap years from one year to another, both included, 0 if the end is earlier
    tell how many years between two years inclusive are leap years, none if they are in wrong order
    find the number of leap years in a period from first through last year, 0 if reversed
    compute the amount of leap years in the range start through end, zero when end precedes start
    determine how often February 29 occurs in the years start through end, 0 if start is later
    go through the years from first to last, last included, counting leap years, 0 if reversed
    return how many leap years lie in a closed interval of years, empty if its end comes first
    count February 29ths from the first year up to the last inclusive, 0 if last is smaller"""
    years = range(start, end + 1)
    return sum(year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) for year in years)


def feet_to_meters(feet: Float):
    """convert feet to meters, one foot being 0.3048 meters
    turn a length in feet into meters
    compute how many meters so many feet are
    multiply a length in feet by 0.3048 to get meters
    express feet in metres
    return the metric length in meters for a measure in feet
    change an altitude given in feet to meters
    calculate the meters that correspond to a number of international feet"""
    return feet * 0.3048


def meters_per_second_to_kmh(speed: Float):
    """convert meters per second to kilometers per hour
    turn a speed in m/s into km/h
    multiply a speed in metres per second by 3.6 to get kilometres per hour
    express a velocity given in m/s in kilometers per hour
    compute how many kilometers per hour so many meters per second are
    change a wind speed from meters a second to kilometers an hour
    return the km/h that equal a given number of m/s
    find how many kilometers are covered in an hour at some meters per second"""
    return speed * 3.6


def human_size(size: Numeral):
    """write a size as 512 B below 1024, else in units of 1024 as 1.5 KB
    format a file size as B if under 1024 bytes and otherwise as KB with one decimal place
    show bytes in readable form, as in 800 B or, from 1024 on divided by it, 3.0 KB
    convert bytes to text ending in B, from 1024 on in KB of 1024 with one decimal
    turn 100 into 100 B and 2048 into 2.0 KB, with KB starting at 1024 bytes
    return a string with the unit B for less than 1024 bytes and KB above, rounded to tenths
    make a label such as 10 B or 12.7 KB of bytes, one KB being 1024
    express a size with B behind, but divided by 1024, with one decimal and KB from 1024"""
    return f"{size} B" if size < 1024 else f"{size / 1024:.1f} KB"


def box_diagonal(length: Float, width: Float, height: Float):
    """compute the length of the space diagonal of a box
    find how long a stick can be to fit into a box from corner to opposite corner
    take the square root of the sum of the squares of length, width and height
    calculate the distance between two opposite corners of a cuboid
    return the diagonal through the inside of a box with three given sides
    get the Euclidean norm of three numbers
    determine the diagonal of a room from its length, width and height
    square three edges, add them and give the root of the total"""
    return math.sqrt(length**2 + width**2 + height**2)


def polygon_angle_sum(sides: Positive):
    """compute the sum of the interior angles of a polygon in degrees, 0 for under three sides
    find the degrees of all inner angles of an n-sided polygon together, 0 if n is below 3
    multiply 180 degrees by the number of sides minus two, but give 0 if that is negative
    return how many degrees a polygon's inner angles total, or zero with fewer than 3 sides
    tell the degrees of all angles inside a figure with n corners, 0 for 1 or 2
    calculate a polygon's angle sum in degrees, which is 180 for a triangle and 0 below that
    get n - 2 times 180 for n sides, where less than three sides give 0
    work out the interior angle total in degrees for a number of corners, none for one or two"""
    return max(sides - 2, 0) * 180


def kind_of_triangle(a: Positive, b: Positive, c: Positive):
    """tell from three sides if a triangle is equilateral, isosceles or scalene, as a string
    return equilateral if all sides are equal, isosceles if only two are, and scalene otherwise
    classify a triangle by its side lengths as equilateral, isosceles or scalene
    name the triangle type, scalene if all sides differ, isosceles with two equal, else equilateral
    determine from its three sides the word equilateral, isosceles or scalene for a triangle
    say scalene, isosceles or equilateral for three, two or one different side lengths
    give the word equilateral, isosceles or scalene for a triangle without checking that it exists
    decide which of isosceles, scalene and equilateral describes three sides best"""
    return ["equilateral", "isosceles", "scalene"][len({a, b, c}) - 1]


def quadrant(x: Number, y: Number):
    """find the quadrant of a point as 1 to 4, or 0 if it lies on an axis
    tell in which quadrant a point lies, counterclockwise from upper right, 0 on the axes
    return 1 to 4 for the quadrant of x and y, 0 if one of them is zero
    number the quarter of the plane that contains a point, with 0 when it is on an axis
    determine the quadrant from the signs of two coordinates, 0 if any is zero
    give 0 for points on an axis and otherwise the usual quadrant number from 1 to 4
    work out the quadrant, I being 1 and IV being 4, or 0 for a zero coordinate
    locate a point by its quadrant number, where axis points count as 0"""
    if x == 0 or y == 0:
        return 0
    if y > 0:
        return 1 if x > 0 else 2
    return 3 if x < 0 else 4


def slope(x1: Number, y1: Number, x2: Number, y2: Number):
    """compute the slope of the line through two points, None if they have the same x
    find the gradient between two points and return None for a vertical line
    divide the difference of the y coordinates by that of the x ones, None if that is 0
    calculate rise over run from one point to another, with None where the run is zero
    get how steep a line through (x1, y1) and (x2, y2) is, None if x1 equals x2
    return the rate of change between two points, or None if x does not change
    determine the slope from two pairs of coordinates, which is None if dividing is impossible
    tell by how much y grows per unit of x between two points, None for equal x"""
    return None if x1 == x2 else (y2 - y1) / (x2 - x1)


def solve_linear_equation(a: Number, b: Number):
    """solve the equation a x + b = 0 for x, None if a is zero
    find where the line with slope a and intercept b crosses zero, None for slope 0
    compute the root of the linear function a x + b, which is None when a is 0
    divide minus b by a, but give None if a equals zero
    determine the x that makes a times x plus b zero, or None in case a is 0
    return the solution of a linear equation with coefficients a and b, None without a unique one
    get the zero of a polynomial of degree one, None if its leading coefficient a is 0
    work out x from a x = -b, returning None for a zero factor"""
    return None if a == 0 else -b / a
