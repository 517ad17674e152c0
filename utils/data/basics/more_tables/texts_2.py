"""More functions on the words and lines of texts."""

import re

from utils.data.basics.arguments import Bits, Letter, Line, Lines, Text, Word


def text_after_last(text: Text, letter: Letter):
    """return the part of a text after the last occurrence of a letter, or all of it
    get everything behind the final appearance of a character, the whole string if it is absent
    keep only what follows the last given letter in a text, the full text without it
    drop all up to and including a letter's last occurrence, leaving texts without it unchanged
    take the end of a string behind the rightmost given character, or everything if missing
    extract the rest of a text after a letter occurs for the last time, all if never
    find what comes after the last of some character, or the entire text if there is none
    cut off a text's beginning through the last occurrence of a letter, if there is any"""
    return text.rpartition(letter)[2]


def sum_of_digits_in_text(text: Text):
    """add up all single digits that occur in a text, 0 if there are none
    compute the sum of the digits in a string, zero without digits
    return the total of every digit character of a text, or 0 if it has none
    sum the digits found in a sentence one by one, giving 0 when there is no digit
    take each digit of a text as a number and total them, with 0 for none
    find the digit sum of a mixed string of letters and digits, 0 if lacking digits
    calculate what all digit characters in a text amount to, zero if none appear
    total up the separate digits between other characters of a string, 0 for no digits"""
    return sum(int(character) for character in text if character.isdigit())


def to_hex_bytes(text: Text):
    """encode a text as UTF-8 and write its bytes as lower-case hexadecimal digits
    turn a string into hex, two lowercase digits for each of its UTF-8 bytes
    convert the bytes of a UTF-8 text to one hexadecimal string in small letters
    return the hexadecimal form of a string's UTF-8 encoding, in lowercase without separators
    write every byte of a text in UTF-8 as two lower-case hex digits, without spaces
    make a hex dump of a text's UTF-8 bytes as a single lower-case string
    represent a string by the lowercase hexadecimal codes of its bytes in UTF-8, joined together
    get the lower-case hex digits that stand for the UTF-8 bytes of a text"""
    return text.encode().hex()


def longest_ones(bits: Bits):
    """return the length of the longest row of ones in a string of bits, 0 if none
    find out how many 1s stand side by side at most, zero if there is no 1
    measure the longest block of consecutive ones in a bit string, 0 without ones
    get the maximal number of successive 1 digits in a binary text, or 0 for none
    split a string of bits at its zeros and return the length of the longest piece
    compute the greatest count of uninterrupted ones among bits, zero if all are 0
    determine the size of the largest group of adjacent ones, being 0 if only zeros occur
    tell how long the longest run of 1 bits is, with 0 if no bit is set"""
    return max(len(run) for run in bits.split("0"))


def number_lines(text: Lines):
    """put its number from 1, a colon and a space before each line of a text
    number the lines of a string, like 1: first line, starting with one
    prefix every line with its line number counted from 1, followed by colon and space
    return a text whose lines begin with 1:, 2: and so on, then a space
    add line numbers from one to a multi-line text, each with a colon and a blank
    write number, colon and space in front of all lines of a text, counting from 1
    label each line of a string with its number, colon and space, the first being 1
    count the lines of a text from one and show each count plus : before its line"""
    return "\n".join(f"{i}: {line}" for i, line in enumerate(text.splitlines(), 1))


def shortest_line(text: Lines):
    """return the shortest non-blank line of a text, the first if several, None if none
    find the line with the fewest characters, ignoring blank lines, first on ties, None without any
    get the earliest of the shortest lines that are not blank, or None if there is none
    skip blank lines and pick the first line of minimal length, else None
    determine the briefest line that is more than whitespace, the first of equals, otherwise None
    choose the first shortest line of a string among those not empty or blank, None if missing
    look for the non-blank line of least length, taking the first one, and None for no lines
    tell which line, apart from blank ones, is shortest, the earlier in a tie, or None"""
    return min((line for line in text.splitlines() if line.strip()), key=len, default=None)


def sort_lines(text: Lines):
    """sort the lines of a text alphabetically, ignoring case
    put the lines of a string in alphabetical order, whatever their case, as one text
    arrange a multi-line text so that its lowercased lines are ascending, equal ones in old order
    return a text with the same lines in ascending order regardless of case
    order lines from a to z without distinguishing capitals and join them again
    reorder the lines of a text by their lower-case form
    rearrange lines alphabetically in a case-insensitive way and return the new text
    bring the lines of a string into dictionary order, upper case counting like lower case"""
    return "\n".join(sorted(text.splitlines(), key=str.lower))


def unique_lines(text: Lines):
    """remove repeated lines from a text, keeping the first of each
    return a text in which every line occurs once, in the order of first occurrence
    drop lines that already came earlier in a multi-line string
    delete duplicate lines, leaving the rest in their original order, as one text
    keep just the first copy of each line of a text and join them again
    strip a text of all lines identical to a previous one
    deduplicate the lines of a string without changing their order
    write every different line of a text only once, where it first appears"""
    return "\n".join(dict.fromkeys(text.splitlines()))


def lines_with_digits(text: Lines):
    """list the lines of a text that contain a digit
    return all lines of a string in which at least one digit occurs, as a list
    get those lines of a multi-line text that have a digit in them
    select the lines with any number in digits from a text as a list
    filter the lines of a text, keeping a list of those with some digit
    pick out every line that includes one of the characters 0 to 9, in a list
    collect the lines where a digit can be found into a list
    split a text into lines and leave out the ones free of digits"""
    return [line for line in text.splitlines() if re.search("[0-9]", line)]


def count_blank_lines(text: Lines):
    """count the lines of a text that are empty or only whitespace
    find out how many blank lines a multi-line string has
    return the number of lines with nothing or only spaces in a text
    tell how many lines of a text have no visible character
    determine the number of empty lines, those of mere spaces included
    compute how often a line of a string is blank
    get the count of lines that are empty once stripped
    tally the lines in a text which contain nothing to be seen"""
    return sum(not line.strip() for line in text.splitlines())


def words_per_line(text: Lines):
    """list the number of words in each line of a text
    count the words of every line and return a list of these counts
    get how many words the single lines of a string have, as a list
    return a list with one word count for each line, zero for blank lines
    determine line by line how many whitespace-separated words there are, in a list
    compute a list of the word numbers of all lines in a multi-line text
    map the lines of a text to their counts of words
    tell for every line of a text how many words are in it, listing the numbers"""
    return [len(line.split()) for line in text.splitlines()]


def comment_lines(text: Lines):
    """put a hash sign and a space before each line that is not blank
    comment out all lines of a text with # and a space, except blank ones
    turn every non-blank line into a Python comment and leave blank lines unchanged
    add # plus space at the start of all lines but those that are blank
    prefix the lines of a string with a hash and a blank unless they are blank
    return a text with its lines made comments by # and a space, blank lines kept
    write a hash mark followed by a space in front of lines with any visible content
    mark non-empty lines, whitespace lines not being such, as comments beginning with hash and space"""
    return "\n".join("# " + line if line.strip() else line for line in text.splitlines())


def wordiest_line(text: Lines):
    """return the line of a text with the most words, the first if several, None if empty
    find the first of the lines that have the most words, or None for an empty text
    get that line of a string in which most words stand, earliest on ties, else None
    determine which line has the highest word count, the earlier in a tie, None without lines
    pick the line consisting of the most words, None if no lines exist, the first of equals
    choose the first line with a maximal number of words, and None from an empty string
    look for the wordiest line of a multi-line text, first one if tied, None if nothing there
    select the line that counts most words, preferring earlier ones, with None for no line"""
    return max(text.splitlines(), key=lambda line: len(line.split()), default=None)


def reverse_each_word(text: Line):
    """reverse the letters of each word but keep the order of the words
    write every word of a line backwards, leaving the words in place
    turn around the single words of a text without changing their sequence
    return a text in which each word is spelled from back to front, in the same order
    spell all words of a sentence in reverse, one by one where they stand
    flip every word of a line separately and join them by spaces again
    mirror each of the words in a text while the word order stays
    make each word read backwards, with the first word still being the first"""
    return " ".join(word[::-1] for word in text.split())


def censor_word(text: Line, word: Word):
    """replace a given word by as many stars as it has letters, wherever it is a whole word
    censor each occurrence of a word in a line with one asterisk per letter, whole words only
    put stars * of equal length in place of all words equal to a given one
    hide a certain word in a sentence behind asterisks, one for each of its letters, otherwise unchanged
    mask whole words that equal the given word with the same number of * characters
    black out every copy of a word by stars of its length, not inside longer words
    swap a forbidden word, when it stands alone, for asterisks as long as it is
    turn all words of a text that match one exactly into stars, letter by letter"""
    return " ".join("*" * len(word) if other == word else other for other in text.split())


def word_positions(text: Line, word: Word):
    """list the positions of a word among the words of a line, counting from 0
    find out at which word indices, from zero, a given word stands in a text
    return the zero-based numbers of all words that are equal to a given word
    get the list of places, in words from 0, where a word occurs in a sentence
    look up every index at which a word appears in the list of words of a line
    determine where a word is found in a text, counting words and starting with zero
    number the words of a line from 0 and list the numbers of those matching a word
    search a line for a whole word and return all its zero-based word positions"""
    return [i for i, other in enumerate(text.split()) if other == word]


def every_other_word(text: Line):
    """keep every other word of a line, beginning with the first
    return a text of the first, third, fifth word and so on
    drop each second word of a sentence
    take the words with odd numbers, counting from 1, joined by spaces
    remove the second, fourth and all further even-numbered words from a text
    leave out every second word of a line, starting to drop at the second
    skip one word after each word you keep, the first being kept
    select alternate words from a line, first one included, as a text"""
    return " ".join(text.split()[::2])


def word_pairs(text: Line):
    """list all pairs of neighbouring words of a line as tuples
    get the bigrams of a text, as a list of tuples of two words
    return a list of each word together with the next one, in tuples
    pair every word of a sentence with its successor, listing the tuples
    make a list of two-word tuples from words that follow each other
    form tuples out of any two adjacent words in a line and list them
    compute the word bigrams of a line in order, as a list of tuples
    collect each two consecutive words of a text as a tuple in a list"""
    words = text.split()
    return list(zip(words, words[1:]))


def shortest_word(text: Line):
    """return the shortest word of a line, the first if several, None if there is none
    find the word with the fewest letters, earliest on ties, or None for an empty text
    get the first of the shortest words in a sentence, None when it has no words
    determine which word of a text is shortest, the earlier in a tie, None if empty
    pick the word of least length, taking the first of equals and None without words
    look for the briefest word of a line, first one if tied, otherwise None if no word
    choose from the words of a text the first one of minimal length, or None from none
    tell the smallest word by number of letters, preferring the first, with None for empty lines"""
    return min(text.split(), key=len, default=None)


def remove_doubled_words(text: Line):
    """remove each word that is the same as the word right before it
    drop words repeated immediately, keeping one of every row of equal words
    collapse directly successive equal words of a line into a single one
    correct a text in which words were written twice in a row by mistake
    delete a word if the preceding word is identical
    return a line without words that merely repeat their left neighbour
    squeeze runs of the same word to one word, leaving later repeats elsewhere
    keep only those words of a sentence that differ from the previous word"""
    words = text.split()
    return " ".join(words[:1] + [word for before, word in zip(words, words[1:]) if word != before])


def word_with_most_vowels(text: Line):
    """return the word of a lower-case line with the most vowels, first on ties, None if empty
    find the first word that has the most vowels aeiou, or None if there are no words
    get that lowercase word in which most vowels occur, the earlier if tied, None for no word
    determine which of the lower-case words counts most vowels, first of equals, else None if empty
    pick the word richest in vowels from a lowercase text, earliest in a tie, None without words
    choose the first word with a maximal number of letters a, e, i, o, u, None from nothing
    look for the small-letter word containing the most vowels, the first such, and None for empty lines
    tell the word whose vowel count is highest, preferring earlier words, None in an empty text"""
    words = text.split()
    return max(words, key=lambda word: sum(letter in "aeiou" for letter in word), default=None)
