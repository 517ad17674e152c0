"""Functions on dictionaries of texts and of lists, on lists of pairs and of records."""

from utils.data.basics.arguments import Entries, Groups, Labels, Natural, Records, Word


def dictionary_values(labels: Labels):
    """list the values of a dictionary
    return all values of a dict as a list
    get a list of the texts that are the values of a dictionary
    collect the values in a dictionary of strings into a list"""
    return list(labels.values())


def find_keys(labels: Labels, word: Word):
    """list the keys of a dictionary that have a given value
    find all keys that map to a given word in a dict, as a list
    get a list of every key whose value equals a given text
    return the keys in a dictionary of strings whose value is a certain word"""
    return [key for key, value in labels.items() if value == word]


def has_value(labels: Labels, word: Word):
    """check whether a word is among the values of a dictionary
    tell if a dict of texts has a given string as a value
    find out whether a dictionary contains a given value
    determine if some key of a dictionary maps to a given word"""
    return word in labels.values()


def value_lengths(labels: Labels):
    """map each key of a dictionary of texts to the length of its value
    compute the length of every value in a dict of strings, by key
    make a dictionary from each key to the number of characters of its value
    replace the strings in a dict by their lengths, giving a new dict"""
    return {key: len(value) for key, value in labels.items()}


def key_of_longest_value(labels: Labels):
    """return the key with the longest value in a dictionary of texts
    find the key whose string is the longest in a dict of strings
    get the key of the value with the most characters in a dictionary
    determine which key of a dictionary maps to the longest text"""
    return max(labels, key=lambda key: len(labels[key]))


def longest_group(groups: Groups):
    """return the name of the longest list in a dictionary of lists
    find the key whose list has the most items in a dict of lists
    get the name of the largest group by number of members
    determine which key of a dictionary of lists has the longest list"""
    return max(groups, key=lambda name: len(groups[name]))


def sum_per_group(groups: Groups):
    """compute the sum of each list in a dictionary of lists, as a dictionary
    map every key to the total of its numbers in a dict of lists
    add up the numbers of every group, giving a dict of names to sums
    make a dictionary from each name to the sum of its list of numbers"""
    return {name: sum(numbers) for name, numbers in groups.items()}


def group_sizes(groups: Groups):
    """compute the length of each list in a dictionary of lists, as a dictionary
    map every key to the number of items of its list in a dict of lists
    count the members of every group, giving a dict of names to sizes
    make a dictionary from each name to how many numbers its list has"""
    return {name: len(numbers) for name, numbers in groups.items()}


def average_per_group(groups: Groups):
    """compute the average of each list in a dict of lists, leaving out empty lists
    map every key with a non-empty list to the mean of its numbers
    calculate the mean per group as a dictionary, without the empty groups
    make a dict from each name to the average of its list, skipping empty lists"""
    return {name: sum(numbers) / len(numbers) for name, numbers in groups.items() if numbers}


def largest_per_group(groups: Groups):
    """find the largest number of each list in a dict, leaving out empty lists
    map every key with a non-empty list to the maximum of its list
    get the biggest number per group as a dictionary, without the empty groups
    make a dict from each name to the maximum of its list, skipping empty lists"""
    return {name: max(numbers) for name, numbers in groups.items() if numbers}


def remove_empty_groups(groups: Groups):
    """remove the empty lists from a dictionary of lists, giving a new dictionary
    keep only the keys of a dict whose lists are not empty, with their lists
    make a copy of a dictionary of lists without the names that have no items
    drop all groups that have no members from a copy of a dict of lists"""
    return {name: numbers for name, numbers in groups.items() if numbers}


def sort_groups(groups: Groups):
    """sort each list in a dictionary of lists, giving a new dictionary
    order the numbers of every value in a dict of lists ascendingly
    make a new dict with the same names and their lists sorted
    return a dictionary of lists in which every list is in ascending order"""
    return {name: sorted(numbers) for name, numbers in groups.items()}


def dictionary_from_pairs(entries: Entries):
    """make a dictionary from a list of pairs, the last pair winning
    convert a list of key and value tuples to a dict, later ones replacing earlier
    turn name and number pairs into a dictionary, keeping the last of a name
    build a dict out of a list of pairs of key and value, where the last one counts"""
    return dict(entries)


def count_entries(entries: Entries):
    """count the pairs of each name in a list of name and number pairs
    find how often each key occurs in a list of key and value tuples, as a dict
    map every name in a list of pairs to how many pairs it has
    make a dictionary from each name to its number of entries in a list of pairs"""
    counts = {}
    for name, _ in entries:
        counts[name] = counts.get(name, 0) + 1
    return counts


def group_entries(entries: Entries):
    """group a list of name and number pairs into a dictionary of lists by name
    collect the values of each key in a list of tuples, as a dict of lists
    map every name in a list of pairs to the list of its numbers
    make a dictionary from each name to a list of all numbers paired with it"""
    groups = {}
    for name, number in entries:
        groups.setdefault(name, []).append(number)
    return groups


def sum_per_name(entries: Entries):
    """sum the numbers of each name in a list of name and number pairs
    add up the values per key in a list of key and value tuples, as a dict
    map every name in a list of pairs to the total of its numbers
    make a dictionary from each name to the sum of all numbers paired with it"""
    totals = {}
    for name, number in entries:
        totals[name] = totals.get(name, 0) + number
    return totals


def total_of_entries(entries: Entries):
    """compute the total of the numbers in a list of name and number pairs
    add up the second items of all tuples in a list
    sum all values in a list of pairs of key and value
    calculate the sum of the numbers in a list of tuples of name and number"""
    return sum(number for name, number in entries)


def sort_entries_by_number(entries: Entries):
    """sort a list of name and number pairs by number, smallest first
    order a list of tuples by their second item, ascendingly
    return the pairs of a list in ascending order of their numbers
    sort tuples of key and value by the value, from low to high"""
    return sorted(entries, key=lambda entry: entry[1])


def swap_pairs(entries: Entries):
    """swap the two items of every pair in a list of pairs
    turn a list of name and number tuples into number and name tuples
    reverse each tuple in a list of two-item tuples
    exchange the first and second item of each tuple in a list"""
    return [(number, name) for name, number in entries]


def names_of_people(people: Records):
    """list the names in a list of person dictionaries
    get the name of every person from a list of dicts, as a list
    collect the values of the key name from a list of dictionaries
    return a list of all people's names, given dictionaries with name and age"""
    return [person["name"] for person in people]


def names_of_adults(people: Records):
    """list the names of all people aged 18 or more in a list of dictionaries
    get the names of the adults, at least 18 years old, from person dicts
    find who is 18 or older in a list of dicts with name and age, as a list of names
    return a list of the names of adults (age from 18) in a list of person dicts"""
    return [person["name"] for person in people if person["age"] >= 18]


def names_older_than(people: Records, n: Natural):
    """list the names of the people older than n years in a list of dictionaries
    get the names of all person dicts whose age is greater than n
    find who is above the age of n in dicts with name and age, as a list of names
    return a list of the names of those people whose age exceeds a given number"""
    return [person["name"] for person in people if person["age"] > n]


def average_age(people: Records):
    """compute the average age in a list of person dictionaries
    calculate the mean of the ages of people given as dicts with name and age
    find how old the people in a list of dictionaries are on average
    get the mean age of a list of dicts with name, age and city"""
    return sum(person["age"] for person in people) / len(people)


def name_of_oldest(people: Records):
    """return the name of the oldest person in a list of dictionaries
    find who has the highest age in dicts with name and age, by name
    get the name from the person dict with the greatest age
    tell the name of the person with the maximum age in a list of person dicts"""
    return max(people, key=lambda person: person["age"])["name"]


def names_in_rome(people: Records):
    """list the names of the people who live in the city Rome
    get the names of all person dicts whose city is Rome
    find who lives in Rome in a list of dicts with name and city, as a list of names
    return a list of the names of those people in a list of dicts with city Rome"""
    return [person["name"] for person in people if person["city"] == "Rome"]


def group_names_by_city(people: Records):
    """group the names of people by city, as a dictionary of lists
    map each city in a list of person dicts to the list of names there
    collect the names of the people of every city from dicts with name and city
    make a dict from each city to a list of the names of the people living there"""
    groups = {}
    for person in people:
        groups.setdefault(person["city"], []).append(person["name"])
    return groups


def sort_people_by_age(people: Records):
    """sort a list of person dictionaries by age, youngest first
    order dicts with name and age by ascending age
    return a list of people given as dicts from the youngest to the oldest
    sort a list of dictionaries by their key age, from low to high"""
    return sorted(people, key=lambda person: person["age"])


def join_names(people: Records):
    """join the names of people given as dictionaries with commas and spaces
    make a text of all names in a list of person dicts, separated by comma and space
    turn dicts with name and age into a string of names like Ann, Bob, Eve
    return the names in a list of person dicts as one string, like Ann, Bob"""
    return ", ".join(person["name"] for person in people)


def index_by_name(people: Records):
    """index a list of person dictionaries by name, the last one winning
    make a dict from each name to the person dict, later ones replacing earlier
    turn a list of person dicts into a dictionary of name to person, last one kept
    map every name to its record from a list of dicts, where the last one counts"""
    return {person["name"]: person for person in people}


def cities_of_people(people: Records):
    """list the different cities of people given as dictionaries, sorted
    find the distinct values of city in person dicts, in alphabetical order
    get a sorted list of all cities in a list of dicts, each city once
    return the unique cities where people live, given as dicts, from A to Z"""
    return sorted({person["city"] for person in people})
