"""More functions on dictionaries, groups, records and entries."""

from collections import Counter

from utils.data.basics.arguments import Groups, Labels, Name, Records, Scores


def invert_labels(labels: Labels):
    """swap the keys and values of a dictionary, the last key winning for equal values
    invert a dictionary so that values lead to keys, later keys replacing earlier ones
    return a dict from each value to its key, or to the last of several
    make keys of values and values of keys, where the final one of equal values counts
    turn a dictionary around, mapping every value to the last key that has it
    exchange keys with values, overwriting a key by a later one with the same value
    build the reverse mapping of a dictionary, in which later duplicates win
    look up keys by value in a new dictionary, with the last key for repeated values"""
    return {value: key for key, value in labels.items()}


def without_name(labels: Labels, name: Name):
    """return a copy of a dictionary without a given key, which need not be in it
    remove a key and its value from a dictionary, if present, making a new one
    drop the entry of a certain name, should there be one, and return the remaining dictionary
    copy all entries of a dict except the one with the key given, if any
    leave out one key of a dictionary, or none if it is not there
    keep every pair of a dictionary whose key differs from a given one
    delete a name from a copy of a dictionary, unchanged if the name is missing
    get the dictionary of all other keys than this one"""
    return {key: value for key, value in labels.items() if key != name}


def to_query_string(labels: Labels):
    """join the entries of a dictionary as key=value with & between them
    write a dictionary as a URL query string without escaping, like a=b&c=d
    make a text of keys, equals signs and values, separated by ampersands
    turn a dict into a query such as x=1&y=2, unescaped
    connect each key to its value by = and the pairs to one another by &
    format a dictionary as key=value pairs joined with ampersands in its order
    serialise keys and values with = and & as in web addresses, characters kept as they are
    build a query text from a dictionary, & between entries and = within them"""
    return "&".join(f"{key}={value}" for key, value in labels.items())


def label_or_unknown(labels: Labels, name: Name):
    """look up a name in a dictionary and return its value, or unknown if it is missing
    get the value of a key, with the text unknown for absent keys
    return what belongs to a key, or else the word unknown
    find the label of a name and fall back to unknown if there is none
    read a dictionary entry, using the string unknown as default
    give the value stored under a key, unknown when nothing is stored
    fetch the text for a name from a dict, answering unknown if it lacks that name
    translate a name by a dictionary, to unknown if the name is not among its keys"""
    return labels.get(name, "unknown")


def merge_keeping_first(first: Labels, second: Labels):
    """merge two dictionaries, the first one winning where both have a key
    add to a dictionary the entries of a second whose keys it does not have yet
    combine two dicts so that values of the first are never overwritten
    unite two dictionaries, preferring the first for common keys
    fill in missing keys of the first dictionary from the second, in a new one
    return all entries of the first and, for other keys, those of the second
    use the second dictionary as defaults for the first and return the result
    join two mappings, with the value from the former in case of conflict"""
    return {**second, **first}


def count_labels(labels: Labels):
    """count how often each value occurs in a dictionary
    make a dictionary from every value to the number of keys that have it
    return the frequencies of the values of a dict, by value
    tell for each different value how many keys lead to it, as a dictionary
    tally the values in a dictionary into a new dictionary of counts
    map all distinct values to their numbers of occurrences among the entries
    find out how many entries share each value, giving a dict of value and count
    compute a histogram of a dictionary's values as a dictionary"""
    return dict(Counter(labels.values()))


def changed_names(old: Scores, new: Scores):
    """list the keys in both dictionaries whose values differ, sorted
    find the names that have another score in the second than in the first, sorted
    compare two dictionaries and return the common keys with changed values, in ascending order
    get a sorted list of those keys present in both with unequal values
    determine which shared names changed their score, alphabetically as a list
    return the sorted names whose score is not the same in two dicts having both
    select keys that both dictionaries have with different numbers and sort them
    tell in sorted order which keys of both dictionaries disagree"""
    return sorted(name for name in old if name in new and old[name] != new[name])


def new_names(old: Scores, new: Scores):
    """list the keys of the second dictionary that the first does not have, sorted
    find the names that were added in the second of two dictionaries, in ascending order
    return a sorted list of all keys only in the second dictionary
    determine which names the latter dict has but the former lacks, sorted
    get the sorted names that are new compared with an old dictionary
    tell in order which keys of the second are missing from the first
    compare two dictionaries and sort the keys occurring in just the second
    subtract the keys of the first dictionary from those of the second, as sorted list"""
    return sorted(name for name in new if name not in old)


def percent_shares(scores: Scores):
    """compute each value's percentage of the total, one decimal, or an empty dictionary for total zero
    return the percent of the sum every name has, rounded to one place, none if it is 0
    map names to their shares of all points in percent with one decimal, empty when totalling 0
    turn values into percentages of their sum rounded to tenths, an empty dict for sum zero
    find what percentage of the total each key holds, to one decimal, nothing for zero in total
    divide each score by the sum times 100, one decimal place, or return empty if zero
    give the share in percent, to a tenth, of each name, an empty dict if they total 0
    express scores as percent of the whole rounded to one digit, an empty dictionary without a nonzero whole"""
    total = sum(scores.values())
    return {name: round(100 * score / total, 1) for name, score in scores.items() if total}


def numbers_with_group(groups: Groups):
    """list all numbers of the groups as tuples of group name and number
    flatten a dictionary of lists to a list of key and number tuples
    return one tuple of key and element for each element of the lists, in order
    pair every number with the key of its list, key first, in a flat list
    unfold groups into pairs of name and number as tuples
    make a list of tuples, each with a group's key and one of its numbers
    write out a dict of lists as a row of tuples, the key repeated before each number
    convert lists by key into single entries, being tuples of the key and one value"""
    return [(key, number) for key, numbers in groups.items() for number in numbers]


def groups_by_number(groups: Groups):
    """map each number to the list of groups containing it, each group named once
    invert a dictionary of lists, giving for every number the keys it occurs under, without repeats
    find for all numbers in which groups they are, as a dictionary of key lists, keys unrepeated
    make a dictionary from number to the keys of the lists with it, in order, once each
    return a reverse index of groups, number to list of distinct keys in their order
    tell under which keys each number is found, as a dict of lists without duplicate keys
    build an index that leads from a number to all different groups that have it, as lists
    turn groups inside out, so that numbers point to lists of their groups, none listed twice"""
    result = {}
    for key, numbers in groups.items():
        for number in set(numbers):
            result.setdefault(number, []).append(key)
    return result


def group_spreads(groups: Groups):
    """compute the difference of largest and smallest number in each group, leaving out empty ones
    map each key to the range of its numbers, maximum minus minimum, without empty groups
    return how far the numbers of every non-empty group are apart, as a dictionary
    get the spread of each list in a dict, skipping those without numbers
    subtract the least from the greatest number of each group, omitting empty groups
    find for all groups with numbers the gap between their extremes, by key
    make a dictionary of key and maximum minus minimum, where empty lists do not appear
    tell the distance of highest and lowest number per group, ignoring groups that are empty"""
    return {key: max(numbers) - min(numbers) for key, numbers in groups.items() if numbers}


def group_with_largest_sum(groups: Groups):
    """return the key of the group with the largest sum, first on ties, None without groups
    find the name whose numbers add up to most, the earlier if tied, or None for none
    get the key of the list with greatest total, first of equals, None if the dictionary is empty
    determine which group has the highest sum, empty ones having 0, the first in ties, else None
    pick the first key whose list totals most, and None from an empty dict
    tell the group that sums to the maximum, preferring earlier ones, None when no group exists
    choose the group's key by largest sum of numbers, earliest in a tie, None if there is none
    look for the group of maximal total and return its key, first if several, None if empty"""
    return max(groups, key=lambda key: sum(groups[key]), default=None)


def shared_by_all_groups(groups: Groups):
    """return the set of numbers that are in every group, empty if there are no groups
    find the numbers common to all lists of a dictionary, an empty set without lists
    intersect all groups as sets, giving an empty set for no groups
    get a set of those numbers that no group lacks, with an empty one for an empty dictionary
    determine which numbers occur under each of the keys, as a set, none without keys
    collect the numbers shared by all the groups in a set, empty when the dict is
    compute the intersection of the lists of a dict as set, or an empty set if none
    tell as a set what numbers appear in each group, nothing if groups are missing entirely"""
    sets = [set(numbers) for numbers in groups.values()]
    return set.intersection(*sets) if sets else set()


def last_per_group(groups: Groups):
    """map each key to the last number of its group, None for empty groups
    get the final element of every list in a dictionary, or None where the list is empty
    return a dictionary with the most recently added number per group, None if it has none
    take the last item of each group, using None for those without items
    find what number ends the list of each key, None if there is no number
    replace all lists of a dict by their last elements, empty ones by None
    keep just the number at the end of each group, putting None for an empty group
    tell for every key the last of its numbers, with None when it has no numbers"""
    return {key: numbers[-1] if numbers else None for key, numbers in groups.items()}


def count_people_by_city(people: Records):
    """count how many people live in each city
    make a dictionary from every city to its number of people
    return the count of records per city as a dict
    tell for each city how often it occurs among the records
    tally the people of a list by the key city
    determine the number of inhabitants in the list for all cities, by city
    compute how many of the given people come from each of their cities
    map cities to how many records have them"""
    return dict(Counter(person["city"] for person in people))


def oldest_per_city(people: Records):
    """find the name of the oldest person in each city, the first if several are
    make a dictionary from city to the name of its oldest inhabitant, first on ties
    return who is the eldest per city by name, the earlier record in a tie
    map every city to the name with the highest age there, the first of equals
    tell for each city which person is oldest, by name, preferring earlier ones if tied
    determine the names of the most aged people by city, earliest listed when ages are equal
    get a dict of each city and its oldest person's name, the first such person
    pick from all people of a city the name of the first one of greatest age, by city"""
    oldest = {}
    for person in people:
        if person["city"] not in oldest or person["age"] > oldest[person["city"]]["age"]:
            oldest[person["city"]] = person
    return {city: person["name"] for city, person in oldest.items()}


def average_age_by_city(people: Records):
    """compute the average age of the people in each city
    make a dictionary from every city to the mean age of its people
    return how old people are on average per city, as a dict
    tell for each city the arithmetic mean of the ages there
    group the ages by city and average each group
    determine the mean age of all the records with the same city, by city
    map cities to the sum of ages divided by the number of people in them
    find the average age for all cities among the records"""
    ages = {}
    for person in people:
        ages.setdefault(person["city"], []).append(person["age"])
    return {city: sum(numbers) / len(numbers) for city, numbers in ages.items()}


def describe_people(people: Records):
    """write each person as a name followed by age and city in brackets, like Ann (34, Rome)
    list texts such as Bob (20, Oslo), one for each record
    format records as strings of name, space and, in round brackets, age, comma, space, city
    return a list of descriptions in the form Eve (51, Lima)
    turn every record into a text with the name and then (age, city)
    describe all people in the style Dan (7, Rome), as a list
    make a list of lines reading Cleo (18, Oslo) from dictionaries with name, age and city
    show people by name, with age and city in parentheses after it, like Finn (40, Lima)"""
    return [f"{person['name']} ({person['age']}, {person['city']})" for person in people]


def a_year_older(people: Records):
    """return copies of all records in which the age is one higher
    make everyone a year older, as a new list of records
    add 1 to the age of each person without changing the rest
    let all the people have their birthday and list the updated records
    increase every age in a list of records by one
    get new records with the same name and city but age plus one
    increment the key age of all dictionaries in a list, in copies
    copy the people of a list with their ages raised by a single year"""
    return [{**person, "age": person["age"] + 1} for person in people]


def most_common_city(people: Records):
    """return the city most people live in, the first if tied, None if there are no people
    find the city that occurs most often, earliest on ties, or None without records
    get the most frequent city among records, first seen of equals, None for an empty list
    determine where the most people come from, the earlier city in a tie, else None if empty
    pick the commonest city in a list of people, None when it is empty, first on ties
    tell which city has the most people, preferring the one listed first, None for no people
    count the cities and return the top one, first in a tie, and None for none
    choose the city shared by most of the records, the first of several, None if there is none"""
    cities = [person["city"] for person in people]
    return max(cities, key=cities.count, default=None)
