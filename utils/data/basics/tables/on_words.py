"""Functions on the words of a sentence."""

from utils.data.basics.arguments import Letter, Line, Lines, Natural, Text, Word


def count_words(text: Text):
    """count the words of a text
    determine how many words a sentence has
    find out how many words there are in a string
    return the number of words in a sentence"""
    return len(text.split())


def longest_word(text: Text):
    """find the longest word of a text, the first one if there are several
    return the word of a sentence with the most letters, in a tie the first
    get the longest word in a string, and the earliest of those of equal length
    determine which word of a sentence is the longest, taking the first in a tie"""
    return max(text.split(), key=len)


def average_word_length(text: Text):
    """compute the average length of the words of a text
    find out how long the words of a sentence are on average
    calculate the mean number of characters per word in a string
    return the mean word length of a sentence"""
    words = text.split()
    return sum(len(word) for word in words) / len(words)


def word_lengths(text: Text):
    """list the lengths of the words of a text
    return a list with the number of characters of each word in a sentence
    find how long every word of a string is, as a list of numbers
    get the word lengths of a sentence in a list"""
    return [len(word) for word in text.split()]


def reverse_words(text: Text):
    """reverse the order of the words of a text
    return a sentence with its last word first and its first word last
    put the words of a string in the opposite order, separated by spaces
    turn a sentence around word by word, leaving the words themselves as they are"""
    return " ".join(text.split()[::-1])


def capitalize_words(text: Line):
    """capitalize every word of a text
    return a sentence in which each word begins with a capital letter
    make the first letter of every word of a string upper case
    change a sentence so that all its words start with a capital"""
    return " ".join(word.capitalize() for word in text.split())


def sort_words(text: Line):
    """sort the words of a text alphabetically, giving a text again
    return a sentence with its words in alphabetical order
    put the words of a string in order from a to z, joined by spaces
    arrange the words of a sentence alphabetically, as a sentence"""
    return " ".join(sorted(text.split()))


def sort_words_by_length(text: Line):
    """sort the words of a text by length, shortest first, giving a text again
    return a sentence with its words ordered from the shortest to the longest
    put the words of a string in order of increasing length, joined by spaces
    arrange the words of a sentence by their length, short ones first, as a sentence"""
    return " ".join(sorted(text.split(), key=len))


def first_word(text: Text):
    """return the first word of a text
    get the word with which a sentence begins
    find the word that comes first in a string
    return only the first word of a sentence"""
    return text.split()[0]


def last_word(text: Text):
    """return the last word of a text
    get the word with which a sentence ends
    find the word that comes last in a string
    return only the last word of a sentence"""
    return text.split()[-1]


def first_words(text: Text, n: Natural):
    """return the first n words of a text, as a text
    shorten a sentence to a given number of words
    keep only the first so many words of a string, joined by spaces
    cut a sentence off after its first n words"""
    return " ".join(text.split()[:n])


def remove_first_word(text: Text):
    """remove the first word of a text
    return a sentence without the word it begins with
    drop the first word of a string, joining the others with spaces
    leave out the first of the words of a sentence"""
    return " ".join(text.split()[1:])


def acronym(text: Text):
    """make an acronym of the first letters of the words of a text, in upper case
    join the first letters of all words of a sentence to one upper-case string
    build the acronym of a phrase in capital letters
    form an upper-case abbreviation of a phrase from the first letter of each word"""
    return "".join(word[0].upper() for word in text.split())


def contains_word(text: Line, word: Word):
    """check if a text contains a given word as a whole word
    tell whether one of the words of a sentence is a certain word
    determine if a given word is among the words of a string
    test whether a word occurs in a sentence as a word of its own"""
    return word in text.split()


def remove_word(text: Line, word: Word):
    """remove every occurrence of a given word from a text
    return a sentence without a certain word, wherever it occurred
    drop all words of a string that are equal to a given word
    delete a given word from a sentence each time it occurs as a whole word"""
    return " ".join(other for other in text.split() if other != word)


def word_frequencies(text: Text):
    """count how often each word occurs in a text, ignoring case
    return a dictionary from the lower-case words of a sentence to their counts
    build a dict of the lower-case words of a string and how many times each appears
    compute the frequency of every word in a text, lower-cased, as a dictionary"""
    counts = {}
    for word in text.lower().split():
        counts[word] = counts.get(word, 0) + 1
    return counts


def most_common_word(text: Line):
    """find the most common word of a text, the first one if there are several
    return the word that occurs most often in a sentence, in a tie the earliest one
    get the most frequent word of a string, the first of those if several are equal
    determine which word a sentence contains most often, taking the first in a tie"""
    words = text.split()
    return max(words, key=words.count)


def unique_words(text: Text):
    """list the different words of a text in lower case and sorted
    return a sorted list of the distinct words in a sentence, in lower case
    get the lowercased words of a string, each once, as a sorted list
    find the unique words of a sentence, ignoring case, as a sorted lower-case list"""
    return sorted(set(text.lower().split()))


def count_unique_words(text: Text):
    """count the different words of a text, ignoring case
    determine how many distinct words a sentence has when case does not matter
    find out how many different words occur in a string regardless of case
    return the number of unique words in a sentence, ignoring upper and lower case"""
    return len(set(text.lower().split()))


def has_repeated_words(text: Line):
    """check if a word occurs more than once in a text
    tell whether a sentence contains some word twice or more
    determine if there are any duplicate words in a string
    test whether any word of a sentence is repeated in it"""
    words = text.split()
    return len(set(words)) < len(words)


def words_longer_than(text: Text, length: Natural):
    """list the words of a text that are longer than a given length
    return a list of the words in a sentence with more than n characters
    find all words of a string whose length is above a given number, as a list
    get the list of those words of a sentence that have more than so many letters"""
    return [word for word in text.split() if len(word) > length]


def remove_short_words(text: Text, length: Natural):
    """remove the words shorter than a given length from a text
    return a sentence without its words of fewer than n characters
    drop all words of a string that have less than so many letters, giving a string
    delete short words, those below a given length, from a sentence"""
    return " ".join(word for word in text.split() if len(word) >= length)


def words_starting_with(text: Lines, letter: Letter):
    """list the words of a text that start with a given letter
    return a list of the words in a sentence beginning with a certain letter
    find all words of a string whose first letter is the given one, as a list
    get the list of those words of a sentence that begin with a letter"""
    return [word for word in text.split() if word.startswith(letter)]


def count_words_starting_with(text: Lines, letter: Letter):
    """count the words of a text that start with a given letter
    determine how many words in a sentence begin with a certain letter
    find out how many words of a string have the given letter as their first one
    return the number of words in a sentence that begin with a letter"""
    return sum(word.startswith(letter) for word in text.split())


def words_ending_with(text: Lines, letter: Letter):
    """list the words of a text that end with a given letter
    return a list of the words in a sentence ending in a certain letter
    find all words of a string whose last letter is the given one, as a list
    get the list of those words of a sentence that have a given letter at their end"""
    return [word for word in text.split() if word.endswith(letter)]


def words_containing(text: Line, letter: Letter):
    """list the words of a text that contain a given letter
    return a list of the words in a sentence with a certain letter in them
    find all words of a string in which a given letter occurs, as a list
    get the list of those words of a sentence that have a letter anywhere in them"""
    return [word for word in text.split() if letter in word]


def capitalized_words(text: Text):
    """list the words of a text that start with a capital letter
    return a list of the capitalised words in a sentence
    find all words of a string whose first letter is in upper case, as a list
    get the list of those words of a sentence that begin with an uppercase letter"""
    return [word for word in text.split() if word[0].isupper()]


def palindromic_words(text: Line):
    """list the words of a text that are palindromes
    return a list of the words in a sentence that read the same backwards
    find all words of a string that equal their own reverse, as a list
    get the list of the palindromes among the words of a sentence"""
    return [word for word in text.split() if word == word[::-1]]
