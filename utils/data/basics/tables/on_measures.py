"""Functions on measures and everyday formulas."""

import math

from utils.data.basics.arguments import Float, Natural, Positive, Year


def celsius_to_fahrenheit(celsius: Float):
    """convert a temperature from Celsius to Fahrenheit
    turn degrees Celsius into degrees Fahrenheit
    return the Fahrenheit value of a temperature given in Celsius
    compute how many degrees Fahrenheit a Celsius temperature is"""
    return celsius * 9 / 5 + 32


def fahrenheit_to_celsius(fahrenheit: Float):
    """convert a temperature from Fahrenheit to Celsius
    turn degrees Fahrenheit into degrees Celsius
    return the Celsius value of a temperature given in Fahrenheit
    compute how many degrees Celsius a Fahrenheit temperature is"""
    return (fahrenheit - 32) * 5 / 9


def celsius_to_kelvin(celsius: Float):
    """convert a temperature from Celsius to Kelvin
    turn degrees Celsius into kelvins
    return the Kelvin value of a temperature given in Celsius
    compute how many kelvins a Celsius temperature is"""
    return celsius + 273.15


def kelvin_to_celsius(kelvin: Float):
    """convert a temperature from Kelvin to Celsius
    turn kelvins into degrees Celsius
    return the Celsius value of a temperature given in Kelvin
    compute how many degrees Celsius a Kelvin temperature is"""
    return kelvin - 273.15


def kilometers_to_miles(kilometers: Float):
    """convert kilometers to miles, a mile being 1.609344 km
    turn a distance in km into miles (1 mile is 1.609344 km)
    return the number of miles in a number of kilometers, at 1.609344 km per mile
    compute how many miles a distance in kilometers is, with 1.609344 km a mile"""
    return kilometers / 1.609344


def miles_to_kilometers(miles: Float):
    """convert miles to kilometers, a mile being 1.609344 km
    turn a distance in miles into km (1 mile is 1.609344 km)
    return the number of kilometers in a number of miles, at 1.609344 km per mile
    compute how many kilometers a distance in miles is, with 1.609344 km a mile"""
    return miles * 1.609344


def inches_to_centimeters(inches: Float):
    """convert inches to centimeters
    turn a length in inches into cm
    return the number of centimeters in a given number of inches
    compute how many centimeters a length in inches is"""
    return inches * 2.54


def rectangle_perimeter(width: Float, height: Float):
    """compute the perimeter of a rectangle
    return the perimeter of a rectangle from its width and height
    find the distance around a rectangle with two given sides
    calculate the perimeter of a rectangle of a given width and height"""
    return 2 * (width + height)


def circle_area(radius: Float):
    """compute the area of a circle from its radius
    return the area of a circle with a given radius
    find how much area a circle of some radius covers
    calculate the area of a circle, given the radius"""
    return math.pi * radius**2


def circle_circumference(radius: Float):
    """compute the circumference of a circle from its radius
    return the perimeter of a circle with a given radius
    find the distance around a circle of some radius
    calculate the circumference of a circle, given the radius"""
    return 2 * math.pi * radius


def triangle_area(base: Float, height: Float):
    """compute the area of a triangle from its base and height
    return the area of a triangle with a given base and height
    find how much area a triangle of some base and height covers
    calculate the area of a triangle, given the base and the height"""
    return base * height / 2


def trapezoid_area(a: Float, b: Float, height: Float):
    """compute the area of a trapezoid from its two parallel sides and its height
    return the area of a trapezoid with two given parallel sides and a height
    find how much area a trapezoid covers from its two bases and height
    calculate the area of a trapezoid, given both bases and the height"""
    return (a + b) * height / 2


def is_triangle(a: Positive, b: Positive, c: Positive):
    """check whether three side lengths can form a triangle
    tell if a triangle with three given sides exists, flat ones not counted
    determine if every two of three lengths are together longer than the third
    test whether three given lengths make a valid triangle"""
    return a + b > c and a + c > b and b + c > a


def box_volume(length: Float, width: Float, height: Float):
    """compute the volume of a box
    return the volume of a box from its length, width and height
    find how much space a rectangular box with three given sides holds
    calculate the volume of a box of a given length, width and height"""
    return length * width * height


def sphere_volume(radius: Float):
    """compute the volume of a sphere from its radius
    return the volume of a ball with a given radius
    find how much space a sphere of some radius takes up
    calculate the volume of a sphere, given the radius"""
    return 4 / 3 * math.pi * radius**3


def cylinder_volume(radius: Float, height: Float):
    """compute the volume of a cylinder from its radius and height
    return the volume of a cylinder with a given radius and height
    find how much space a cylinder of some radius and height takes up
    calculate the volume of a cylinder, given the radius and the height"""
    return math.pi * radius**2 * height


def discounted_price(price: Float, percent: Float):
    """compute the price after a discount in percent
    reduce a price by a given percentage
    return what is left to pay when a percentage is taken off a price
    calculate the final price after a percentage discount"""
    return price * (1 - percent / 100)


def price_with_tax(price: Float, percent: Float):
    """compute the price including a tax in percent
    increase a price by a given percentage of tax
    return what is to pay when a percentage of tax is added to a price
    calculate the total price after adding a tax rate given in percent"""
    return price * (1 + percent / 100)


def percent_of(percent: Float, number: Float):
    """compute a given percentage of a number
    find how much some percent of a value is
    return the part of a number that a percentage of it makes
    calculate what a certain percentage of a number amounts to"""
    return number * percent / 100


def percentage(part: Float, whole: Float):
    """compute what percentage a part is of a whole
    find how many percent of the second number the first number is
    return the share of a part in a whole in percent
    calculate the percentage that one number is of another"""
    return part / whole * 100


def percentage_change(old: Float, new: Float):
    """compute the percentage change from an old to a new value
    find by how many percent a value has grown from old to new
    return the change between an old and a new number in percent of the old one
    calculate the percent increase or decrease from an old to a new value"""
    return (new - old) / old * 100


def simple_interest(principal: Float, rate: Float, years: Float):
    """compute the simple interest on a principal at a yearly rate in percent
    find the interest without compounding on a sum at a percent rate over some years
    return the simple interest from the principal, the rate in percent and the years
    calculate simple interest, given principal, percentage rate and time in years"""
    return principal * rate * years / 100


def compound_amount(principal: Float, rate: Float, years: Natural):
    """compute the final amount with interest compounded yearly at a rate in percent
    find how much a principal grows to at a percent rate compounded every year
    return the balance after some years of compound interest at a percentage a year
    calculate the total of a deposit after some years of compound interest in percent"""
    return principal * (1 + rate / 100) ** years


def body_mass_index(weight: Float, height: Float):
    """compute the body mass index from weight in kilograms and height in meters
    return the BMI of a person, given kilograms and meters
    find the BMI as the weight in kg divided by the squared height in m
    calculate the BMI from a weight in kg and a height in meters"""
    return weight / height**2


def to_seconds(hours: Natural, minutes: Natural, seconds: Natural):
    """convert hours, minutes and seconds to seconds
    turn a time of hours, minutes and seconds into a total number of seconds
    return how many seconds some hours, minutes and seconds are together
    compute the total seconds of a duration in hours, minutes and seconds"""
    return hours * 3600 + minutes * 60 + seconds


def to_hours_and_minutes(minutes: Natural):
    """convert minutes to a pair of hours and remaining minutes
    split a number of minutes into whole hours and minutes left over, as a tuple
    return the full hours and the rest in minutes of a number of minutes
    turn a total of minutes into a tuple of hours and minutes"""
    return minutes // 60, minutes % 60


def format_seconds(seconds: Natural):
    """convert seconds to a text of the form h:mm:ss
    format a number of seconds as h:mm:ss
    turn a duration in seconds into a clock string such as 0:02:05 (h:mm:ss)
    return a number of seconds as a string of hours, minutes and seconds, h:mm:ss"""
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


def average_speed(distance: Float, time: Float):
    """compute the average speed from a distance and a time
    divide the distance travelled by the time taken to get the speed
    return the speed of something that covers a distance in a given time
    calculate the speed, given the distance and the time"""
    return distance / time


def travel_minutes(distance: Float, speed: Float):
    """compute the travel time in minutes from a distance in km and a speed in km/h
    find how many minutes it takes to cover some kilometers at a speed in km per hour
    return the minutes needed for a distance in km when moving at some km/h
    calculate how many minutes a trip takes from its km and its speed in km/h"""
    return distance / speed * 60


def age_in_year(birth_year: Year, year: Year):
    """compute the age that a person reaches in a year from the birth year
    return the number of years between a birth year and a given year
    find how old somebody born in one year turns in another year
    calculate an age from the year of birth and the current year"""
    return year - birth_year


def price_per_item(total: Float, count: Positive):
    """compute the price per item from a total price and the number of items
    divide a total price by the number of items bought
    return what one item costs when some of them cost a given total
    calculate the cost of a single item from the total cost and the count"""
    return total / count


def split_bill(total: Float, tip: Float, people: Positive):
    """compute what each person pays of a bill with a tip in percent
    find the share of each of some people in a bill after adding a percentage tip
    return the cost per person of a bill plus a tip given in percent
    calculate how much everyone owes when a bill and its percent tip are split evenly"""
    return total * (1 + tip / 100) / people


def degrees_to_radians(degrees: Float):
    """convert an angle from degrees to radians
    turn degrees into radians
    return the radians of an angle given in degrees
    compute how many radians a number of degrees is"""
    return math.radians(degrees)
