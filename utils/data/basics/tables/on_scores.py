"""Functions on dictionaries of names to numbers."""

from utils.data.basics.arguments import Number, Positive, Scores, Word


def total_score(scores: Scores):
    """compute the total of all scores in a dictionary of names to scores
    add up the values of a dictionary of numbers
    sum the points of all names in a dictionary
    calculate the sum of all numbers in a dict that maps names to numbers"""
    return sum(scores.values())


def average_score(scores: Scores):
    """compute the average of the scores in a dictionary of names to scores
    calculate the mean of the values of a dictionary of numbers
    find the mean score in a dict that maps names to scores
    get the average value of a dictionary with numbers as values"""
    return sum(scores.values()) / len(scores)


def highest_score(scores: Scores):
    """return the highest score in a dictionary of names to scores
    find the largest value in a dictionary of numbers
    get the maximum of the values of a dict of names to numbers
    determine the biggest number of points in a dictionary of scores"""
    return max(scores.values())


def lowest_score(scores: Scores):
    """return the lowest score in a dictionary of names to scores
    find the smallest value in a dictionary of numbers
    get the minimum of the values of a dict of names to numbers
    determine the smallest number of points in a dictionary of scores"""
    return min(scores.values())


def score_range(scores: Scores):
    """compute the difference of the highest and the lowest score in a dictionary
    calculate the largest minus the smallest value of a dictionary of numbers
    find by how much the best score in a dict of scores exceeds the worst one
    get the gap between the maximum and the minimum value in a dict of scores"""
    return max(scores.values()) - min(scores.values())


def best_name(scores: Scores):
    """return the name with the highest score in a dictionary of scores
    find the key that has the largest value in a dictionary of numbers
    determine who has the most points, given a dict of names to points
    get the name of the winner from a dictionary of names to scores"""
    return max(scores, key=scores.get)


def worst_name(scores: Scores):
    """return the name with the lowest score in a dictionary of scores
    find the key that has the smallest value in a dictionary of numbers
    determine who has the fewest points, given a dict of names to points
    get the name of the person with the minimum score in a dict of scores"""
    return min(scores, key=scores.get)


def best_names(scores: Scores):
    """list all names that share the highest score in a dictionary of scores
    find every key whose value equals the largest value of a dict, as a list
    get the list of all winners, ties included, from a dict of names to points
    return a list of all the names with the maximum score in a dictionary"""
    best = max(scores.values())
    return [name for name, score in scores.items() if score == best]


def best_pair(scores: Scores):
    """return the name with the highest score and that score as a pair
    find the key and value of the largest value in a dictionary, as a tuple
    get a tuple of the winner and the number of points from a dict of scores
    return the name and score of the best in a dictionary of scores, as a tuple"""
    return max(scores.items(), key=lambda pair: pair[1])


def names_above(scores: Scores, number: Number):
    """list the names with a score above a number
    find the keys of a dictionary whose values are greater than a limit, as a list
    get a list of those who have more than a given number of points
    return a list of the names in a dict whose score is higher than a given number"""
    return [name for name, score in scores.items() if score > number]


def names_below(scores: Scores, number: Number):
    """list the names with a score below a number
    find the keys of a dictionary whose values are less than a limit, as a list
    get a list of those who have fewer than a given number of points
    return a list of the names in a dict whose score is lower than a given number"""
    return [name for name, score in scores.items() if score < number]


def names_with_score(scores: Scores, number: Number):
    """list the names whose score equals a number
    find all keys of a dictionary that have a given number as value, as a list
    get a list of those who have exactly a given number of points
    return a list of the names in a dict whose score is the given one"""
    return [name for name, score in scores.items() if score == number]


def names_above_average(scores: Scores):
    """list the names with a score above the average of all scores
    find the keys of a dictionary whose values exceed the mean value, as a list
    get a list of those who have more points than the average of the dict
    return a list of the names in a dict whose score is higher than the mean score"""
    average = sum(scores.values()) / len(scores)
    return [name for name, score in scores.items() if score > average]


def names_by_score(scores: Scores):
    """sort the names in a dictionary by their score, highest first
    list the keys of a dictionary of numbers by descending value
    rank the names of a dict of scores from the best to the worst, as a list
    get the names in a dictionary ordered from the most points to the fewest"""
    return sorted(scores, key=scores.get, reverse=True)


def names_by_ascending_score(scores: Scores):
    """sort the names in a dictionary by their score, lowest first
    list the keys of a dictionary of numbers by ascending value
    order the names of a dict of scores from the worst to the best, as a list
    get the names in a dictionary ordered from the fewest points to the most"""
    return sorted(scores, key=scores.get)


def sort_by_score(scores: Scores):
    """sort a dictionary of scores into a list of pairs, highest score first
    list the items of a dictionary of numbers by descending value
    turn a dict of scores into tuples of name and score, best score first
    get the name and score pairs of a dictionary from the largest score down"""
    return sorted(scores.items(), key=lambda pair: pair[1], reverse=True)


def sort_by_name(scores: Scores):
    """sort a dictionary of scores into a list of pairs by name
    list the items of a dictionary of numbers in the order of the sorted keys
    turn a dict of scores into tuples of name and score, names from A to Z
    get the name and score pairs of a dictionary in alphabetical order"""
    return sorted(scores.items())


def score_pairs(scores: Scores):
    """return a dictionary of scores as a list of pairs of name and score
    convert a dictionary of numbers to a list of its key and value tuples
    turn a dict of scores into a list of tuples of name and number
    list the items of a dictionary of scores as tuples, in the given order"""
    return list(scores.items())


def top_names(scores: Scores, n: Positive):
    """list the n names with the highest scores, best first
    find the n keys with the largest values in a dict, in descending order
    get the names of the best n in a dictionary of scores, highest first
    return the top n names of a dict of scores, starting with the best"""
    return sorted(scores, key=scores.get, reverse=True)[:n]


def score_ranks(scores: Scores):
    """compute the rank of each name by score, 1 for the highest score
    map every name to 1 plus the number of names with a higher score
    map each key to its place, 1 for the largest value, equal values sharing a place
    determine the rank of every name in a dict of scores, where the best is first"""
    return {name: 1 + sum(other > score for other in scores.values()) for name, score in scores.items()}


def group_by_score(scores: Scores):
    """group the names in a dictionary by score, as a dict of scores to lists
    collect the keys that have the same value into lists, in a dict by value
    make a dictionary from each score to the list of names that have it
    map every score in a dict to a list of all names with that score"""
    groups = {}
    for name, score in scores.items():
        groups.setdefault(score, []).append(name)
    return groups


def add_score(scores: Scores, name: Word, number: Number):
    """return a new dictionary of scores with the score of a name set to a number
    add a name with a number to a copy of a dictionary of scores
    make a copy of a dict of scores in which a name has a given score
    return a new dictionary like the given scores, but with one name and score added"""
    return {**scores, name: number}


def merge_scores(a: Scores, b: Scores):
    """merge two dictionaries of scores, the second one winning for common names
    join two dicts of numbers into a new one; later values replace earlier ones
    combine two dictionaries of scores, taking shared names from the second
    make one dict out of two, where values of the second override the first"""
    return {**a, **b}


def add_scores(a: Scores, b: Scores):
    """add two dictionaries of scores name by name, a missing score counting as 0
    sum the values of two dicts per key, keeping the keys of both
    combine two dictionaries of scores by adding the scores of the same name
    compute the total of each name over two dicts of points, with all names"""
    return {name: a.get(name, 0) + b.get(name, 0) for name in {**a, **b}}


def common_names(a: Scores, b: Scores):
    """list the names that two dictionaries of scores have in common, sorted
    find the keys that occur in both of two dicts, as a sorted list
    get an alphabetical list of the names that are in both dictionaries
    return the shared keys of two dictionaries of scores in sorted order"""
    return sorted(name for name in a if name in b)


def count_above(scores: Scores, number: Number):
    """count the names with a score above a number
    find how many values of a dictionary are greater than a limit
    determine how many people in a dict of scores have more than a given number of points
    get the number of entries in a dictionary whose value exceeds a given number"""
    return sum(score > number for score in scores.values())


def double_scores(scores: Scores):
    """double all scores in a dictionary, giving a new dictionary
    multiply every value of a dictionary of numbers by two
    make a new dict of scores in which each name has twice the points
    return a dictionary with the same names and their scores doubled"""
    return {name: score * 2 for name, score in scores.items()}


def add_bonus(scores: Scores, number: Number):
    """add a number to every score in a dictionary, giving a new dictionary
    increase each value of a dictionary of numbers by a given amount
    return a new dict with the same bonus added for every name in a dict of scores
    make a new dictionary in which every score is higher by a given number"""
    return {name: score + number for name, score in scores.items()}


def has_negative_score(scores: Scores):
    """check whether any score in a dictionary is negative
    tell if a dictionary of numbers has a value below zero
    find out whether someone in a dict of scores has less than 0 points
    determine if at least one value of a dict of names to numbers is negative"""
    return any(score < 0 for score in scores.values())


def format_scores(scores: Scores):
    """format a dictionary of scores as text like Ann: 3, Bob: 5
    join the names and scores of a dict with colons and commas, as in x: 1, y: 2
    make a string such as Ann: 3, Bob: 5 out of a dictionary of names to numbers
    convert a dict of scores to a text like Ann: 1, Bob: 2"""
    return ", ".join(f"{name}: {score}" for name, score in scores.items())
