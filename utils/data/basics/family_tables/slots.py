"""What may stand in the slots of the families: a part of the name, its code and its words.

`/` separates words, and `@` in words is what follows the slot.
"""

Option = tuple[str, str, str]
Row = tuple[str, str, str, str, dict[str, tuple[Option, ...]]]  # name, parameters, body, phrases, slots


def numbered(name: str, code: str, words: str, values) -> tuple[Option, ...]:
    return tuple((name.format(k=k), code.format(k=k), words.format(k=k)) for k in values)


LETTERS = (
    ("vowels", 'letter.lower() in "aeiou"', "vowels"),
    ("consonants", 'letter.isalpha() and letter.lower() not in "aeiou"', "consonants/letters that are not vowels"),
    ("digits", "letter.isdigit()", "digits"),
    ("capitals", "letter.isupper()", "capital letters/upper-case letters/capitals"),
    ("small_letters", "letter.islower()", "small letters/lower-case letters"),
    ("letters", "letter.isalpha()", "letters/alphabetic characters"),
    ("spaces", 'letter == " "', "spaces/space characters/blanks"),
    ("punctuation", "letter in string.punctuation", "punctuation marks/punctuation characters"),
    ("alphanumerics", "letter.isalnum()", "letters and digits/alphanumeric characters"),
    ("hyphens", 'letter == "-"', "hyphens/dashes"),
)
FEW_LETTERS = (LETTERS[0], LETTERS[1], LETTERS[2], LETTERS[3], LETTERS[6])
SIGNS = (
    ("star", "*", "a star */an asterisk *"),
    ("dash", "-", "a dash -/a hyphen -"),
    ("dot", ".", "a dot ./a period ."),
    ("underscore", "_", "an underscore _/an underscore"),
    ("hash", "#", "a number sign #/a hash sign #"),
    ("question_mark", "?", "a question mark ?/a question mark"),
)
CONDITIONS = (  # of a number
    ("even", "{} % 2 == 0", "even/divisible by two"),
    ("odd", "{} % 2 == 1", "odd/not divisible by two"),
    ("positive", "{} > 0", "positive/greater than zero"),
    ("negative", "{} < 0", "negative/less than zero"),
    ("zero", "{} == 0", "zero/equal to zero"),
    ("not_zero", "{} != 0", "not zero/different from zero"),
    ("divisible_by_3", "{} % 3 == 0", "divisible by 3/a multiple of 3"),
    ("divisible_by_5", "{} % 5 == 0", "divisible by 5/a multiple of 5"),
    ("above_10", "{} > 10", "greater than 10/above 10"),
    ("below_5", "{} < 5", "less than 5/below 5"),
    ("at_least_10", "{} >= 10", "at least 10/not less than 10"),
)


def of(value: str, conditions=CONDITIONS) -> tuple[Option, ...]:
    return tuple((name, code.format(value), words) for name, code, words in conditions)


TWO = (
    ("sum", "a + b", "sum"),
    ("difference", "a - b", "difference"),
    ("product", "a * b", "product"),
)
CHANGES = (
    ("square", "({}) ** 2", "square"),
    ("cube", "({}) ** 3", "cube/third power"),
    ("half", "({}) / 2", "half"),
    ("double", "2 * ({})", "double"),
    ("negative", "-({})", "negative"),
    ("absolute_value", "abs({})", "absolute value/magnitude"),
    ("last_digit", "abs({}) % 10", "last digit"),
)
OPERATIONS = (  # on `number`, with a constant
    *numbered("add_{k}", "number + {k}", "add {k} to @/increase @ by {k}", (2, 3, 5, 10, 100)),
    *numbered("subtract_{k}", "number - {k}", "subtract {k} from @/decrease @ by {k}", (1, 2, 5, 10)),
    *numbered("multiply_by_{k}", "number * {k}", "multiply @ by {k}", (3, 4, 5, 7, 10, 100)),
    *numbered("divide_by_{k}", "number / {k}", "divide @ by {k}", (2, 3, 4, 5, 10)),
    *numbered("to_the_power_{k}", "number ** {k}", "raise @ to the power of {k}", (2, 3, 4, 5)),
)
GIVEN = (  # with a second parameter `n`
    ("add", "number + n", "add a given number to @/increase @ by a given number"),
    ("subtract", "number - n", "subtract a given number from @/decrease @ by a given number"),
    ("multiply_by", "number * n", "multiply @ by a given factor"),
    ("divide_by", "number / n", "divide @ by a given number"),
    ("raise_to_power", "number ** n", "raise @ to a given power"),
    ("remainders_of", "number % n", "take the remainder by a given number of @"),
)
FOLDS = (
    ("sum", "sum", "sum/total"),
    ("largest", "max", "largest/maximum/biggest"),
    ("smallest", "min", "smallest/minimum/lowest"),
)
# What one number is taken of a list.
TAKEN = (
    ("largest", "max(numbers)", "largest/maximum/biggest"),
    ("smallest", "min(numbers)", "smallest/minimum/lowest"),
    ("first", "numbers[0]", "first"),
    ("last", "numbers[-1]", "last/final"),
)
JOINTS = (
    ("sum", "{} + {}", "sum"),
    ("product", "{} * {}", "product"),
    ("difference", "{} - {}", "difference"),
    ("average", "({} + {}) / 2", "average/mean"),
)
TERMS = (  # of a sequence, by `i`
    ("squares", "i ** 2", "squares/square numbers"),
    ("cubes", "i ** 3", "cubes/cubic numbers"),
    ("even_numbers", "2 * i", "even numbers"),
    ("odd_numbers", "2 * i - 1", "odd numbers"),
    *numbered("multiples_of_{k}", "{k} * i", "multiples of {k}", (3, 4, 5, 7, 10)),
    *numbered("powers_of_{k}", "{k} ** i", "powers of {k}, from {k} on", (3, 4, 5, 10)),
)
POWERS = numbered("{k}", "{k}", "{k}", (2, 3, 4, 5, 10))
COUNTED = (("two", "2", "two/2"), ("three", "3", "three/3"), ("four", "4", "four/4"), ("five", "5", "five/5"))
FORMS = (  # of a text `{}`
    ("upper", "{}.upper()", "upper case/capital letters"),
    ("lower", "{}.lower()", "lower case/small letters"),
    ("title", "{}.title()", "title case"),
    ("capitalized", "{}.capitalize()", "a form with a capital first letter"),
    ("reversed", "{}[::-1]", "its reverse/reverse order"),
    ("first_letter", "{}[:1]", "its first letter/its first character"),
    ("last_letter", "{}[-1:]", "its last letter/its last character"),
    ("length", "len({})", "its length/its number of characters"),
    ("doubled", "{} * 2", "two copies of it"),
)


def forms(value: str) -> tuple[Option, ...]:
    return tuple((name, code.format(value), words) for name, code, words in FORMS)


OF_NUMBERS = (  # made of a list `numbers`
    ("sum", "sum(numbers)", "sum/total"),
    ("length", "len(numbers)", "length/number of items"),
    ("largest", "max(numbers, default=None)", "largest number/maximum"),
    ("smallest", "min(numbers, default=None)", "smallest number/minimum"),
    ("sorted", "sorted(numbers)", "sorted list/numbers in ascending order"),
    ("reversed", "numbers[::-1]", "reverse/numbers in reverse order"),
    ("distinct", "set(numbers)", "set"),
    ("first_two", "numbers[:2]", "first two numbers"),
    ("even", "[number for number in numbers if number % 2 == 0]", "even numbers"),
    ("positive", "[number for number in numbers if number > 0]", "positive numbers"),
)
PARTS = (  # of a matrix
    ("first_row", "matrix[0]", "first row/top row"),
    ("last_row", "matrix[-1]", "last row/bottom row"),
    ("first_column", "[row[0] for row in matrix]", "first column/left column"),
    ("last_column", "[row[-1] for row in matrix]", "last column/right column"),
)
DIAGONALS = (
    ("diagonal", "matrix[i][i]", "main diagonal/diagonal from top left"),
    ("anti_diagonal", "matrix[i][-1 - i]", "anti-diagonal/diagonal from top right"),
)
AXES = (("x", "x", "x/x coordinate"), ("y", "y", "y/y coordinate"))
SEPARATORS = (
    ("spaces", " ", "spaces/single spaces"),
    ("dashes", "-", "dashes/hyphens"),
    ("commas_only", ",", "commas without spaces"),
    ("semicolons", "; ", "semicolons and spaces/a semicolon and a space"),
    ("new_lines", "\\n", "line breaks/new lines"),
    ("plus_signs", " + ", "plus signs with spaces/a plus sign between spaces"),
    ("slashes", "/", "slashes"),
    ("and", " and ", "the word and"),
    ("or", " or ", "the word or"),
    ("underscores", "_", "underscores"),
    ("arrows", " -> ", "arrows ->"),
    ("commas", ", ", "commas and spaces/a comma and a space"),
)
BY_ELEMENT = (
    ("sums", "x + y", "sum/total"),
    ("differences", "x - y", "difference"),
    ("products", "x * y", "product"),
    ("larger", "max(x, y)", "larger one/maximum"),
    ("smaller", "min(x, y)", "smaller one/minimum"),
    ("averages", "(x + y) / 2", "average/mean"),
    ("distances", "abs(x - y)", "absolute difference/distance"),
    ("squared_sums", "(x + y) ** 2", "square of the sum"),
    ("pairs", "(x, y)", "tuple/pair"),
    ("equal", "x == y", "equality/comparison for equality"),
    ("is_larger", "x > y", "comparison whether the first is larger"),
)
SET_OPERATIONS = (
    ("union", "a | b", "union/items of either set"),
    ("intersection", "a & b", "intersection/items in both sets/common items"),
    ("difference", "a - b", "difference/items of the first that the second lacks"),
    ("symmetric_difference", "a ^ b", "symmetric difference/items in only one of both"),
)
