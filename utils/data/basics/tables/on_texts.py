"""Functions on a text as a whole."""

import re
from itertools import groupby

from utils.data.basics.arguments import Line, Lines, Natural, Number, Positive, Text, Word


def reverse_text(text: Text):
    """reverse a text
    return a string with its characters in reverse order
    turn a string around so that it reads backwards
    spell a text backwards, from its last character to its first"""
    return text[::-1]


def is_palindrome(word: Word):
    """check if a word is a palindrome, ignoring case
    tell whether a word reads the same backwards, whatever the case of its letters
    determine if a word equals its reverse when case does not matter
    test whether a word is a palindrome regardless of upper and lower case"""
    word = word.lower()
    return word == word[::-1]


def is_palindrome_ignoring_spaces(text: Line):
    """check if a text is a palindrome, ignoring spaces
    tell whether a sentence reads the same backwards when its spaces are left out
    determine if a string without its spaces equals its reverse
    test whether a phrase is a palindrome, not counting the spaces"""
    letters = text.replace(" ", "")
    return letters == letters[::-1]


def starts_and_ends_alike(word: Word):
    """check if a word starts and ends with the same letter
    tell whether the first and the last letter of a word are equal
    determine if a word ends with the letter it begins with
    test whether the first character of a word is also its last one"""
    return word[0] == word[-1]


def starts_with_capital(word: Word):
    """check if a word starts with a capital letter
    tell whether the first letter of a word is in upper case
    determine if a word is capitalised
    test whether a word begins with an uppercase letter"""
    return word[0].isupper()


def first_characters(text: Text, n: Natural):
    """return the first n characters of a text
    get the beginning of a string, of a given length
    take a given number of characters from the start of a text
    return only the first so many characters of a string"""
    return text[:n]


def remove_ends(text: Text):
    """remove the first and the last character of a text
    return a string without its first and last characters
    strip one character from each end of a text
    drop the character at the beginning and the one at the end of a string"""
    return text[1:-1]


def truncate(text: Text, length: Positive):
    """cut a text to a maximum length, then add three dots if something was cut off
    truncate a string after so many characters and append ... if it was longer
    shorten a text to its first n characters followed by three dots if it has more
    limit a string to n characters, with three dots after them if it was longer"""
    return text if len(text) <= length else text[:length] + "..."


def mask_text(text: Text):
    """replace all but the last four characters of a text by stars *
    mask a string with asterisks, leaving only its last four characters
    hide every character of a text except the last four behind a *
    turn all characters of a string but the final four into asterisks"""
    return "*" * len(text[:-4]) + text[-4:]


def center_text(text: Text, width: Positive):
    """center a text in a given width with spaces
    put spaces on both sides of a string so that it is centred in a given width
    pad a text with spaces left and right to a given length
    place a string in the middle of a field of given width filled with spaces"""
    return text.center(width)


def pad_left(text: Text, width: Positive):
    """add spaces to the left of a text up to a given width
    align a string to the right in a field of given width, filled with spaces
    pad a text with spaces at its beginning until it has a given length
    fill up a string with leading spaces to a given width"""
    return text.rjust(width)


def pad_right(text: Text, width: Positive):
    """add spaces to the right of a text up to a given width
    align a string to the left in a field of given width, filled with spaces
    pad a text with spaces at its end until it has a given length
    fill up a string with trailing spaces to a given width"""
    return text.ljust(width)


def repeat_text(text: Text, n: Natural):
    """repeat a text n times
    return a string written a given number of times in a row
    make a string of n copies of a text
    join a given number of copies of a string to one string"""
    return text * n


def split_into_chunks(text: Text, size: Positive):
    """split a text into a list of pieces of a given length
    cut a string into chunks of n characters, the last of which may be shorter
    divide a text into a list of parts with a given number of characters each
    break a string up into a list of blocks of a given size"""
    return [text[i : i + size] for i in range(0, len(text), size)]


def rotate_text_left(word: Word, n: Natural):
    """rotate a word to the left by n letters
    move the first letter of a word to its end, a given number of times
    shift the letters of a word n places to the left, around its end
    turn a word to the left so that letters dropping off its start join its end"""
    n %= len(word)
    return word[n:] + word[:n]


def swap_case(text: Text):
    """swap upper and lower case in a text
    turn capital letters of a string into small ones and small ones into capitals
    invert the case of every letter in a text
    exchange uppercase and lowercase letters in a string"""
    return text.swapcase()


def slugify(text: Text):
    """turn a text into a slug of lower-case words and numbers joined by hyphens
    convert a title to a URL slug with hyphens, without punctuation or capitals
    make a lowercase slug of a string, with hyphens between letters and digits only
    create the slug of a text, in lower case with single hyphens for all else"""
    return "-".join(re.findall("[a-z0-9]+", text.lower()))


def to_snake_case(text: Text):
    """convert the words of a text to snake_case
    join the words of a string with underscores, all in lower case
    turn a phrase into a snake_case name
    make a lowercase name of a text, with underscores between its words"""
    return "_".join(text.lower().split())


def camel_to_snake(name: Text):
    """convert a camelCase name to snake_case
    put an underscore before each capital but a leading one, then lower all letters
    change a name from camel case to snake case
    turn an identifier in camelCase into one in snake_case"""
    return re.sub("(?<!^)([A-Z])", r"_\1", name).lower()


def initials(name: Text):
    """return the initials of a name in upper case, each followed by a dot
    get the first letter of each word of a name as a capital with a dot, not spaced
    make upper-case initials of a full name, with a dot after every letter
    turn a full name into capital initials with dots and no spaces"""
    return "".join(word[0].upper() + "." for word in name.split())


def caesar_cipher(text: Line, shift: Number):
    """shift each letter of a lower-case text in the alphabet, leaving spaces
    encrypt a lowercase string with a Caesar cipher of a given shift, keeping spaces
    move the letters of a lower-case text n places on in the alphabet, but not spaces
    apply the Caesar cipher with a given shift to the letters of a lowercase text"""
    result = ""
    for letter in text:
        if letter.isalpha():
            letter = chr((ord(letter) - ord("a") + shift) % 26 + ord("a"))
        result += letter
    return result


def run_length_encode(text: Word):
    """encode a text by run lengths, each letter followed by its count as in a3b1
    compress a string by writing every run as its character and then its length
    replace each run of equal letters in a string by the letter and the run's length
    return the run-length encoding of a text, with the number after each letter"""
    return "".join(f"{letter}{len(list(run))}" for letter, run in groupby(text))


def extract_numbers(text: Text):
    """find all whole numbers in a text, as a list of integers
    extract the numbers made of consecutive digits from a string as a list of ints
    list the integers that are written in digits in a text
    get a list with every unsigned whole number that occurs in a string"""
    return [int(number) for number in re.findall("[0-9]+", text)]


def count_lines(text: Lines):
    """count the lines of a text
    determine how many lines a string consists of
    find out how many lines there are in a multi-line text
    return the number of lines in a string"""
    return len(text.splitlines())


def longest_line(text: Lines):
    """find the longest line of a text
    return the line of a string that has the most characters
    get that line of a multi-line text which is longer than all others
    determine which line of a string is the longest"""
    return max(text.splitlines(), key=len)


def non_empty_lines(text: Lines):
    """list the lines of a text that are not blank
    return the list of all lines of a string but the empty ones
    split a multi-line text into a list of lines, leaving out blank ones
    get the non-empty lines of a string as a list"""
    return [line for line in text.splitlines() if line.strip()]


def reverse_lines(text: Lines):
    """reverse the order of the lines of a text
    return a multi-line string with its last line first and its first line last
    put the lines of a text in the opposite order, as one text
    turn a multi-line string upside down, line by line"""
    return "\n".join(text.splitlines()[::-1])


def indent_lines(text: Lines):
    """indent every line of a text by four spaces
    put four spaces before each line of a string
    shift all lines of a multi-line text to the right by four spaces
    add four spaces at the beginning of every line in a string"""
    return "\n".join("    " + line for line in text.splitlines())
