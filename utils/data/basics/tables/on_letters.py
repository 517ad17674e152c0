"""Functions on the characters of a text."""

import string

from utils.data.basics.arguments import Letter, Lines, Text, Word


def count_vowels(text: Text):
    """count the vowels in a text
    find out how many vowels a string has, in either case
    determine how many letters of a text are vowels
    get the number of vowels in a given string"""
    return sum(letter in "aeiou" for letter in text.lower())


def count_digits(text: Lines):
    """count the digits in a text
    determine how many characters of a string are digits
    determine how many digits occur in a piece of text
    return the number of digits in a string"""
    return sum(letter.isdigit() for letter in text)


def count_uppercase(text: Text):
    """count the upper-case letters in a text
    find how many capital letters a string contains
    return the number of uppercase characters in a text
    determine how many letters of a string are capitals"""
    return sum(letter.isupper() for letter in text)


def count_lowercase(text: Text):
    """count the lower-case letters in a text
    find how many small letters a string contains
    return the number of lowercase characters in a text
    determine how many letters of a string are in lower case"""
    return sum(letter.islower() for letter in text)


def count_spaces(text: Text):
    """count the spaces in a text
    determine how many space characters there are in a string
    get the number of blanks in a piece of text
    find out how many spaces a string contains"""
    return text.count(" ")


def count_punctuation(text: Text):
    """count the punctuation characters in a text
    find out how many punctuation marks a string has
    determine how many characters of a text are punctuation
    return the number of punctuation marks in a string"""
    return sum(letter in string.punctuation for letter in text)


def count_letter(text: Text, letter: Letter):
    """count how many times a given letter occurs in a text
    return the number of occurrences of a character in a string
    find how often one letter appears in a string
    determine how many times a text contains a certain character"""
    return text.count(letter)


def remove_vowels(text: Text):
    """remove all vowels from a text
    delete every vowel of a string, capital or small
    return a text without its vowels
    strip a given string of all its vowels"""
    return "".join(letter for letter in text if letter.lower() not in "aeiou")


def remove_digits(text: Text):
    """remove all digits from a text
    delete the digits of a string
    return a string without the digits in it
    drop every digit that occurs in a text"""
    return "".join(letter for letter in text if not letter.isdigit())


def remove_uppercase(text: Text):
    """remove all upper-case letters from a text
    delete the capital letters of a string
    return a string without its uppercase characters
    drop every capital letter from a text"""
    return "".join(letter for letter in text if not letter.isupper())


def remove_punctuation(text: Text):
    """remove all punctuation from a text
    delete the punctuation marks of a string
    return a text without its punctuation characters
    strip a string of every punctuation mark in it"""
    return "".join(letter for letter in text if letter not in string.punctuation)


def remove_spaces(text: Text):
    """remove all spaces from a text
    delete every space of a string
    return a string without any spaces
    take out all the spaces between the words of a text and around them"""
    return text.replace(" ", "")


def remove_letter(text: Text, letter: Letter):
    """remove every occurrence of a given letter from a text
    delete a certain character wherever it is in a string
    return a string without a given character
    take all copies of one letter out of a text"""
    return text.replace(letter, "")


def keep_letters(text: Text):
    """keep only the letters of a text
    remove all characters of a string that are not letters
    return the letters of a string as one string, without digits, spaces and punctuation
    drop everything but the alphabetic characters from a text"""
    return "".join(letter for letter in text if letter.isalpha())


def keep_digits(text: Text):
    """keep only the digits of a text
    remove all characters of a string that are not digits
    return the digits of a text joined to one string
    extract the digits from a string as a string"""
    return "".join(letter for letter in text if letter.isdigit())


def keep_vowels(text: Text):
    """keep only the vowels of a text
    remove all characters of a string that are not vowels
    return the vowels of a text, in order, as one string
    drop everything but the vowels from a string"""
    return "".join(letter for letter in text if letter.lower() in "aeiou")


def keep_uppercase(text: Text):
    """keep only the upper-case letters of a text
    remove all characters of a string that are not capital letters
    return the capital letters of a text joined to one string
    drop everything but the uppercase characters from a string"""
    return "".join(letter for letter in text if letter.isupper())


def replace_vowels(text: Text):
    """replace every vowel of a text by a star *
    turn all vowels of a string into asterisks
    put an asterisk * in the place of each vowel, capital or small, in a text
    hide the vowels of a string behind stars, one * for each"""
    return "".join("*" if letter.lower() in "aeiou" else letter for letter in text)


def replace_spaces(text: Text):
    """replace every space of a text by an underscore
    turn all spaces of a string into underscores
    put an underscore in the place of each space in a text
    change a string so that it has underscores instead of spaces"""
    return text.replace(" ", "_")


def replace_letter(text: Text, old: Letter, new: Letter):
    """replace every occurrence of one letter in a text by another letter
    change all copies of a character in a string to a new character
    put a new letter wherever an old one occurs in a text
    return a string in which a given character is replaced by another one"""
    return text.replace(old, new)


def vowel_positions(text: Text):
    """find the positions of the vowels in a text
    return a list of the indices at which a string has a vowel
    list the indexes of all vowels, capital or small, of a text
    get the list of positions where vowels stand in a string"""
    return [i for i, letter in enumerate(text) if letter.lower() in "aeiou"]


def uppercase_positions(text: Text):
    """find the positions of the upper-case letters in a text
    return a list of the indices at which a string has a capital letter
    list the indexes of all uppercase characters of a text
    get the list of positions where capitals stand in a string"""
    return [i for i, letter in enumerate(text) if letter.isupper()]


def letter_positions(text: Text, letter: Letter):
    """find all positions of a given letter in a text
    return a list of the indices at which a character occurs in a string
    list the indexes where a text has a certain letter
    get every position of one character in a string, as a list"""
    return [i for i, other in enumerate(text) if other == letter]


def most_common_letter(word: Word):
    """find the most common letter of a word, the first one if there are several
    return the letter that occurs most often in a word, in a tie the earliest one
    get the most frequent letter of a word, the first of those if several are equal
    determine which letter a word contains most often, taking the first in a tie"""
    return max(word, key=word.count)


def letter_frequencies(text: Text):
    """count how often each character occurs in a text
    return a dictionary from the characters of a string to their numbers of occurrences
    build a dict that tells how many times each character appears in a text
    compute the frequency of every character of a string as a dictionary of counts"""
    counts = {}
    for letter in text:
        counts[letter] = counts.get(letter, 0) + 1
    return counts


def unique_letters(word: Word):
    """list the different letters of a word in sorted order
    return a sorted list of the distinct letters in a word
    get the letters that occur in a word, each once, as a sorted list
    return a sorted list of the letters that a word consists of, each once"""
    return sorted(set(word))


def remove_duplicate_letters(text: Text):
    """remove repeated characters from a text, keeping the first of each
    return a string with only the first occurrence of every character
    drop all characters of a string that have occurred before in it
    delete duplicate characters from a text, keeping the order of the others"""
    return "".join(dict.fromkeys(text))


def first_unique_letter(word: Word):
    """find the first letter of a word that occurs only once, None if there is none
    return the first non-repeated letter of a word, or None
    get the first character that is not repeated in a word, or None without one
    determine which letter is the first to occur exactly once in a word, or None"""
    for letter in word:
        if word.count(letter) == 1:
            return letter
    return None


def has_digit(text: Text):
    """check if a text contains a digit
    tell whether at least one character of a string is a digit
    determine whether there are any digits in a text
    test if a string has a digit in it"""
    return any(letter.isdigit() for letter in text)


def double_letters(text: Text):
    """double every character of a text
    repeat each character of a string twice in a row
    turn every character of a text into two of the same
    return a string in which each character is doubled"""
    return "".join(letter * 2 for letter in text)


def alternate_case(text: Text):
    """change a text to alternating case, beginning with upper case
    make the characters of a string upper and lower case in turn, the first one upper
    turn characters at even positions of a text to upper case and the others to lower
    convert a string to upper case at even indices and to lower case at odd ones"""
    return "".join(letter.lower() if i % 2 else letter.upper() for i, letter in enumerate(text))
