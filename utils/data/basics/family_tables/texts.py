"""Families of functions on texts and their characters: name, parameters, body, phrases and slots.

`|` separates phrases.
"""

from utils.data.basics.family_tables.slots import COUNTED, FEW_LETTERS, LETTERS, SIGNS, Row, forms

FAMILIES: tuple[Row, ...] = (
    # Characters of a text.
    ("number_of_{p}", "text: Text", "return sum({p} for letter in text)",
     "count the {p} in a text|return how many {p} a text has|find the number of {p} in a string", {"p": LETTERS}),
    ("without_{p}", "text: Text", 'return "".join(letter for letter in text if not ({p}))',
     "remove all {p} from a text|delete the {p} of a string|return a text without its {p}", {"p": LETTERS}),
    ("only_{p}", "text: Text", 'return "".join(letter for letter in text if {p})',
     "keep only the {p} of a text|return the {p} of a string as one string|remove all but the {p} of a text",
     {"p": LETTERS}),
    ("has_{p}", "text: Text", "return any({p} for letter in text)",
     "check whether a text contains any {p}|tell if there are {p} in a string|determine if a text has {p}",
     {"p": LETTERS}),
    ("are_all_{p}", "text: Text", "return all({p} for letter in text)",
     "check whether all characters of a text are {p}|tell if a string consists of {p} alone"
     "|determine if a text has only {p}", {"p": LETTERS}),
    ("list_{p}", "text: Text", "return [letter for letter in text if {p}]",
     "list the {p} of a text|return a list of the {p} in a string|collect all {p} of a text in a list",
     {"p": LETTERS}),
    ("set_of_{p}", "text: Text", "return {{letter for letter in text if {p}}}",
     "return the set of the {p} in a text|collect the different {p} of a string in a set|get a set of the {p}"
     " of a text",
     {"p": LETTERS}),
    ("positions_of_{p}", "text: Text", "return [index for index, letter in enumerate(text) if {p}]",
     "list the positions of the {p} in a text|find the indexes of all {p} in a string"
     "|return every index at which {p} occur in a text", {"p": LETTERS}),
    ("first_of_{p}", "text: Text", "return next((letter for letter in text if {p}), None)",
     "find the first of the {p} in a text, or None if there are none|return the first one of the {p} of a"
     " string, or None",
     {"p": LETTERS}),
    ("replace_{p}_by_{s}", "text: Text", 'return "".join("{s}" if {p} else letter for letter in text)',
     "replace the {p} of a text by {s}|turn all {p} of a string into {s}|put {s} in the place of the {p} of a text"
     "|mask the {p} in a text with {s}", {"p": LETTERS, "s": SIGNS}),
    ("double_{p}", "text: Text", 'return "".join(letter * 2 if {p} else letter for letter in text)',
     "double the {p} of a text|write all {p} of a string twice|repeat the {p} in a text", {"p": LETTERS}),
    ("capital_{p}", "text: Text", 'return "".join(letter.upper() if {p} else letter for letter in text)',
     "turn the {p} of a text into upper case|capitalize the {p} of a string", {"p": (LETTERS[0], LETTERS[1])}),
    ("more_{p}_than_{q}", "text: Text",
     "return sum({p} for letter in text) > sum({q} for letter in text)",
     "check whether a text has more {p} than {q}|tell if there are more {p} than {q} in a string",
     {"p": FEW_LETTERS, "q": FEW_LETTERS}),
    ("{p}_and_{q}", "text: Text", "return sum({p} for letter in text) + sum({q} for letter in text)",
     "count the {p} and the {q} in a text|return the number of {p} plus that of {q} in a string",
     {"p": FEW_LETTERS[:4], "q": FEW_LETTERS[1:]}),
    ("share_of_{p}", "text: Text", "return sum({p} for letter in text) / len(text) if text else 0",
     "compute the share of {p} in a text, or 0 if it is empty|return which part of the characters of a text are {p}"
     ", 0 for an empty one", {"p": LETTERS}),
    ("starts_with_{p}", "text: Text", "return bool(text) and {p}",
     "check whether a text starts with one of the {p}|tell if the first character of a string is one of the {p}",
     {"p": tuple((name, f"({code})".replace("letter", "text[0]"), words) for name, code, words in LETTERS)}),
    ("ends_with_{p}", "text: Text", "return bool(text) and {p}",
     "check whether a text ends with one of the {p}|tell if the last character of a string is one of the {p}",
     {"p": tuple((name, f"({code})".replace("letter", "text[-1]"), words) for name, code, words in LETTERS)}),
    # Texts.
    ("without_first_{k}_characters", "text: Text", "return text[{k}:]",
     "remove the first {k} characters of a text|return a string without its first {k} characters"
     "|drop {k} characters at the start of a text", {"k": COUNTED}),
    ("without_last_{k}_characters", "text: Text", "return text[:-{k}]",
     "remove the last {k} characters of a text|return a string without its last {k} characters"
     "|cut off {k} characters at the end of a text", {"k": COUNTED}),
    ("first_{k}_characters", "text: Text", "return text[:{k}]",
     "return the first {k} characters of a text|get {k} characters from the start of a string", {"k": COUNTED}),
    ("last_{k}_characters", "text: Text", "return text[-{k}:]",
     "return the last {k} characters of a text|get the final {k} characters of a string", {"k": COUNTED}),
    ("text_{k}_times", "text: Text", "return text * {k}",
     "repeat a text {k} times|return {k} copies of a string in a row", {"k": COUNTED}),
    ("{s}_at_front", "text: Text", 'return "{s}" + text',
     "put {s} before a text|add {s} at the start of a string|prefix a text with {s}", {"s": SIGNS}),
    ("{s}_at_end", "text: Text", 'return text + "{s}"',
     "put {s} after a text|add {s} to the end of a string|append {s} to a text", {"s": SIGNS}),
    ("{s}_between_letters", "text: Text", 'return "{s}".join(text)',
     "put {s} between the characters of a text|insert {s} between any two neighbouring characters of a string",
     {"s": SIGNS}),
    ("count_{s}", "text: Text", 'return text.count("{s}")',
     "count how often {s} occurs in a text|return the number of times that {s} is in a string", {"s": SIGNS}),
    ("words_to_{f}", "text: Text", "return [{f} for word in text.split()]",
     "turn each word of a sentence into {f}, as a list|list the words of a text, each as {f}", {"f": forms("word")}),
    ("number_of_letter_{f}", "text: Text, letter: Letter", "return text.{f}().count(letter.{f}())",
     "count a given letter in a text after turning both into {f}|return how often a letter occurs once all is in {f}",
     {"f": (("upper", "upper", "upper case"), ("swapped", "swapcase", "swapped case"))}),
    ("is_letter_{where}", "text: Text, letter: Letter", "return text.lower().{where}(letter.lower())",
     "check whether a text {where} a given letter, ignoring case|tell if a string {where} a letter, in upper or"
     " lower case",
     {"where": (("at_start", "startswith", "starts with/begins with"), ("at_end", "endswith", "ends with"))}),
    ("find_{which}_of_letter", "text: Text, letter: Letter", "return text.lower().{which}(letter.lower())",
     "find the {which} index of a letter in a text, ignoring case, or -1"
     "|return at which index a letter is {which} found in a text regardless of case, or -1",
     {"which": (("first", "find", "first"), ("last", "rfind", "last"))}),
    ("without_letter_in_any_case", "text: Text, letter: Letter",
     'return "".join(one for one in text if one.lower() != letter.lower())',
     "remove a given letter from a text, ignoring case|delete a letter from a string in upper and in lower case", {}),
    ("has_letter_in_any_case", "text: Text, letter: Letter", "return letter.lower() in text.lower()",
     "check whether a text contains a letter, ignoring case|tell if a letter is in a string regardless of case", {}),
)  # fmt: skip
