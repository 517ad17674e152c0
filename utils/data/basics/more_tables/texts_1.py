"""More functions on the characters of texts."""

import string
from itertools import groupby
from os.path import commonprefix

from utils.data.basics.arguments import Line, Text, Word


def count_letters(text: Text):
    """count the letters in a text, not digits, spaces or punctuation
    find out how many characters of a string are letters of the alphabet
    return the number of alphabetic characters in a text
    tell how many letters a sentence contains, ignoring everything else
    determine the number of letters, large or small, in a string
    compute how often a letter of any kind occurs in a text
    get the count of alphabetic characters only in the given string
    tally up all letters of a phrase, leaving out blanks, digits and signs"""
    return sum(character.isalpha() for character in text)


def middle_letters(word: Word):
    """return the middle letter of a word, or the middle two if its length is even
    get the letter at the centre of a word, both central ones for an even length
    find the middle of a word, one letter for odd and two for even length
    take the one or two characters that stand exactly in the centre of a word
    extract the central character of a word, or the central pair when there is no single one
    pick out the middle character of a string, two characters if their number is even
    cut equally many letters off both ends of a word until one or two remain
    give back what is in the middle of a word, a letter or a pair of letters"""
    return word[(len(word) - 1) // 2 : len(word) // 2 + 1]


def character_codes(text: Text):
    """list the code numbers of all characters of a text
    convert each character of a string to its Unicode code point, as a list
    get the list of ASCII codes of the characters in a text
    turn a text into a list of integers, the ord of every character
    return a list that holds the character code of each letter and sign of a string
    translate a string into its numeric character codes, one after the other in a list
    look up the ordinal number of every character in a text and list them in order
    make a list of the code points that a string is made of"""
    return [ord(character) for character in text]


def atbash(text: Line):
    """replace each lower-case letter by its mirror in the alphabet, a by z, leaving spaces
    encrypt a lowercase text with the Atbash cipher, keeping spaces as they are
    swap a with z, b with y and so on in a lower-case string, spaces unchanged
    mirror the letters of a lowercase text in the alphabet but do not touch blanks
    apply the Atbash code to the small letters of a line and keep its spaces
    exchange every small letter for the one equally far from the alphabet's end, but not spaces
    encode a line of small letters with the alphabet reversed, leaving the gaps between words
    write a lowercase line in the reversed alphabet, where z stands for a, preserving spaces"""
    alphabet = string.ascii_lowercase
    return text.translate(str.maketrans(alphabet, alphabet[::-1]))


def is_isogram(word: Word):
    """check if no letter occurs twice in a word, ignoring case
    tell whether a word is an isogram, whatever the case of its letters
    determine if all letters of a word are different when case is disregarded
    test that a word repeats none of its letters, upper and lower case being the same
    see if every letter appears only once in a word, case-insensitively
    find out if a word is free of repeated letters, taking capitals as small letters
    decide whether the characters of a lower-cased word are all distinct
    say if a word uses each of its letters just a single time, regardless of case"""
    return len(set(word.lower())) == len(word)


def missing_letters(text: Text):
    """return the letters from a to z missing from a text in either case, as one alphabetical string
    find which letters of the alphabet a text lacks, ignoring case, joined in order
    write down all lower-case letters that a string has neither small nor as capitals, from a to z
    determine what a sentence lacks to be a pangram, as a text of small letters in alphabetical order
    strike the letters of a text from the lowercase alphabet, regardless of case, and return the rest
    get the alphabet in small letters without those that a phrase contains, capital or not
    tell in an ordered string which small letters do not occur in the lower-cased text
    keep those letters of a to z that are not used in a text, whatever its case"""
    return "".join(letter for letter in string.ascii_lowercase if letter not in text.lower())


def count_consonants(text: Text):
    """count the consonants in a text, in either case
    find out how many letters of a string are none of aeiou, ignoring case
    return the number of letters, large or small, in a text that are no vowels
    tell how many consonants a sentence has, counting capitals too and y as one
    compute the number of uppercase and lowercase consonants in a string
    determine how often a consonant of any case occurs in a text
    get the count of all letters except vowels, whether capital or not, in a phrase
    tally the alphabetic characters of a string other than aeiou, whatever their case"""
    return sum(letter.isalpha() and letter not in "aeiou" for letter in text.lower())


def longest_run(text: Text):
    """return the length of the longest run of equal characters in a text, 0 if empty
    find out how often a character repeats in a row at most, 0 for an empty string
    get the largest number of identical consecutive characters of a string, zero if it is empty
    measure the longest stretch of one and the same character, with 0 for no characters
    compute the maximal run length of a text, which is 0 when there is no text
    determine how many equal characters follow each other at most, or 0 in an empty text
    tell the size of the biggest block of same characters in a string, 0 if it has none
    count the characters in the longest series of a single repeated character, zero for empty texts"""
    return max((len(list(run)) for _, run in groupby(text)), default=0)


def collapse_spaces(text: Text):
    """reduce all runs of spaces to one space and strip those at both ends
    normalise the whitespace of a text to single spaces, with none at its ends
    remove superfluous spaces from a string, leaving just one between words
    squeeze several blanks into one and trim the text on the left and right
    clean up the spacing of a text so that words are separated by exactly one space
    collapse repeated whitespace in a string to a single space after stripping it
    write a text with one blank between its words and no blanks around it
    get rid of extra spaces before, after and between the words of a sentence"""
    return " ".join(text.split())


def swap_first_and_last(word: Word):
    """swap the first and the last letter of a word, leaving a single letter as it is
    exchange the outer two letters of a word, if it has more than one
    return a word whose first and last characters have traded places, one-letter words unchanged
    put the last letter first and the first one last, keeping all between, or a lone letter
    interchange the initial and the final letter of a word unless it has only one
    switch the letters at both ends of a word, doing nothing to words of one letter
    let the first and last letter of a word change positions, a one-letter word staying the same
    make a word begin with its last letter and end with its first, if there are two"""
    if len(word) < 2:
        return word
    return word[-1] + word[1:-1] + word[0]


def sort_letters(word: Word):
    """sort the letters of a word, capitals before small letters
    return a word with its characters in ascending order of their codes
    put the letters of a word in alphabetical order, with any uppercase ones first
    arrange the characters of a word by character code, as a string
    rearrange a word so that its letters ascend, upper case coming before lower case
    order the letters of a word from A to Z and then a to z
    build a string of the sorted characters of a word, uppercase ahead of lowercase
    make a text of all letters of a word, sorted by their code points"""
    return "".join(sorted(word))


def alphabet_positions(text: Text):
    """list the places of a text's letters in the alphabet from 1, ignoring case and other characters
    turn every letter of a string into its number, a or A being 1, skipping non-letters
    convert the letters of a text to numbers from 1 to 26 regardless of case, nothing else
    get a list with the alphabet index of each letter, case-insensitive, counting from one, letters only
    replace letters by their position in the alphabet, 1 for a and A, and drop the rest
    return the numbers of all letters, 26 for z or Z, leaving out what is no letter
    map the letters in a sentence to 1 through 26 in either case, omitting other signs
    number the letters of a phrase by the alphabet starting with one, without regard to case, letters only"""
    return [ord(letter) - ord("a") + 1 for letter in text.lower() if letter.isalpha()]


def is_strong_password(text: Text):
    """check if a text has eight characters or more, with a capital, small letter and digit
    tell whether a password has 8 or more characters with upper case, lower case and digits
    determine if a string of length eight or more has an uppercase letter, a lowercase one, a digit
    test a password for a length of at least 8, a digit and letters of both cases
    see if a text is no shorter than 8 and includes digit, small and capital letter
    validate that a password mixes capitals, small letters and digits in not less than eight characters
    decide if a string with digit, lowercase and uppercase letter is also 8 characters long or longer
    make sure a password has one digit, one capital and one lower-case letter or more, and 8 characters"""
    has_both_cases = any(map(str.isupper, text)) and any(map(str.islower, text))
    return len(text) >= 8 and has_both_cases and any(map(str.isdigit, text))


def to_camel_case(text: Line):
    """convert lower-case words to camelCase, with capitals for all words but the first
    join the words of a lowercase line, capitalising each one after the first
    turn a phrase of small letters into a name in camel case
    write lower-case words without spaces, every word except the first beginning with a capital
    make a camelCase identifier out of the words of a lowercase text
    remove the spaces of a lower-case line and put a capital wherever one stood
    build a name from a line of lowercase words in the style camelCase
    glue lowercase words together so that the second and later ones start in upper case"""
    return "".join(word.capitalize() if i else word for i, word in enumerate(text.split()))


def pig_latin(word: Word):
    """add way to a word starting with a vowel, else move its first letter behind plus ay
    translate a word to Pig Latin, moving one consonant before ay, or adding way after an initial vowel
    return a word plus way if it begins with a vowel, otherwise its tail, first letter and ay
    append way to words with initial vowel, shift the first letter to the end plus ay otherwise
    turn a word into simple Pig Latin, way for vowels, one first letter moved plus ay for consonants
    put the leading letter last followed by ay unless it is a vowel, then just append way
    speak a word in Pig Latin, where only one consonant moves before ay and vowels take way
    form a word's Pig Latin, adding way after a vowel start, else first letter plus ay"""
    if word[0].lower() in "aeiou":
        return word + "way"
    return word[1:] + word[0] + "ay"


def mumble(word: Word):
    """repeat each letter as often as its place in the word, counting from 1, and join with hyphens
    write the first letter once, the second twice and so on, with hyphens in between
    stretch abc to a-bb-ccc, each letter as many times as its position
    join groups of letters by hyphens, the nth letter of a word being written n times
    mumble a word like a-bb-ccc, every letter one time more than the one before
    spell a word with growing groups of its letters, of length 1, 2, 3, separated by dashes
    multiply each letter of a word by its position from one and put hyphens between them
    turn a word into dashed blocks, where block number n holds n copies of letter n"""
    return "-".join(letter * i for i, letter in enumerate(word, 1))


def split_in_half(text: Text):
    """split a text into two halves as a tuple, the second longer if the length is odd
    cut a string in the middle and return both parts, the first not being longer
    divide a text into a tuple of first and second half, an odd character going to the second
    break a string into two parts of equal length, or with one more character in the second
    return the pair of halves of a text, with the middle character in the latter half
    halve a string and give both pieces as a tuple, the left one shorter when uneven
    separate a text at half its length, rounded down, into a tuple of two texts
    get the front half and the back half of a string, any extra character in the back"""
    middle = len(text) // 2
    return text[:middle], text[middle:]


def common_prefix(first: Word, second: Word):
    """return the longest common beginning of two words, empty if they start differently
    find the letters that two words have in common at their start, or an empty string
    get the shared prefix of two strings, an empty text if there is none
    determine how far two words agree from the start, and return that possibly empty part
    give the longest text that both words start with, even if it is empty
    take letters from the front as long as two words have the same, none if they differ
    compare two words from the left and return the part before their first difference, maybe empty
    extract the largest initial part that two words share, which may be an empty text"""
    return commonprefix([first, second])


def letter_differences(first: Word, second: Word):
    """count the positions where two words differ, plus the letters by which one is longer
    compute the Hamming distance of two words, each surplus letter of the longer counting too
    return how many letters differ place by place, adding the difference of the lengths
    compare two words letter by letter and count mismatches, extra letters at the end included
    find the number of unequal places in two strings, with missing letters being unequal
    tell at how many places two words do not agree, also where one has already ended
    add up the differing letters at equal positions and the difference in length of two words
    determine the count of positions with different characters, overhanging ones of the longer word included"""
    differing = sum(a != b for a, b in zip(first, second))
    return differing + abs(len(first) - len(second))


def is_anagram(first: Word, second: Word):
    """check if two words consist of the same letters, ignoring case
    tell whether two words are anagrams of each other, whatever their case
    determine if one word can be rearranged into another when case does not matter
    test whether a word has exactly the letters of a second one, regardless of case
    see if sorting the lower-cased letters of two words gives the same result
    find out if two strings use each letter equally often, case being irrelevant
    decide if the letters of one word, lower-cased, are a permutation of those of another
    say if you can shuffle the first word to get the second, not minding capitals"""
    return sorted(first.lower()) == sorted(second.lower())


def is_rotation(first: Word, second: Word):
    """check if a word is a rotation of another one
    tell whether you get the second word by moving letters from the start to the end
    determine if two words are equal up to a cyclic shift
    test whether one string can be rotated to become the other
    see if two words have the same length and one occurs in the other written twice
    find out if turning the first word around its end can produce the second
    decide if a word is a circular shift of a second word, or equal to it
    say if shifting letters cyclically makes one word out of another"""
    return len(first) == len(second) and second in first * 2
