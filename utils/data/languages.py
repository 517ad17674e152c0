"""The programming language of a response, guessed by rules, and whether its Python parses.

Nothing is executed. Only Python is checked: its parser comes with the interpreter.
"""

import ast
import re
import warnings

from pygments.lexers import find_lexer_class_by_name
from pygments.util import ClassNotFound

PYTHON, PROSE, UNKNOWN = "Python", "prose", "not known"

# A function's head in C and the languages derived from it; the instruction decides which.
TYPED = r"(?:static |const |unsigned |long )*(?:int|void|bool|char|float|double|long|size_t|u?int\d+_t)[ *]+\w+\("
# For each language: its names in instructions, and the beginnings of lines typical of it.
LANGUAGES = {
    PYTHON: (
        r"(?i:python\d?|django|flask|pandas|numpy|pytorch)",
        r"(?:async )?def ?\w+ ?\(|class \w+(?:\(.*\))?:|import [\w.]+(?: as \w+)?$|from [\w.]+ import |"
        r"@\w[\w.]*(?:\(|$)|print ?\(|self\.\w|"
        r"(?:el)?if .+:$|else:$|for .+ in .+:$|while .+:$|with .+:$|try:$|except\b.*:$",
    ),
    "JavaScript": (
        r"(?i:javascript|js|node(?:\.?js)?|react(?:\.?js)?|jquery|express(?:\.?js)|es6|vue(?:\.?js)?)",
        r"(?:const|let|var) [\w{\[][^:]*=|(?:async )?function\b.*\(|console\.\w|export |\$\(|document\.|"
        r"import .* from ['\"]",
    ),
    "TypeScript": (r"(?i:typescript|angular)", r"(?:export )?interface \w+ \{|(?:const|let) \w+: \w"),
    "C": (r"C", rf"#include ?<\w+\.h>|printf\(|{TYPED}"),
    "C++": (r"(?i:c\+\+)", rf"#include ?<\w+>|using namespace|std::|cout ?<<|template ?<|{TYPED}"),
    "Java": (r"(?i:java)", rf"(?:public|private|protected) [\w<>\[\], ]+[({{]|import java|System\.out|{TYPED}"),
    "C#": (
        r"(?i:c#|\.net)",
        rf"using System|namespace \w|Console\.Write|(?:public|private) (?:static )?\w+ \w+$|{TYPED}",
    ),
    "Go": (r"(?:Go|(?i:golang))", r"package \w+$|func (?:\(.*\) )?\w+\(|fmt\.|import \($"),
    "Rust": (r"(?i:rust)", r"fn \w+|let mut |use \w+::|impl |println!"),
    "Ruby": (r"(?i:ruby|rails)", r"def \w+[?!]?(?: ?\(.*\))?$|puts |require ['\"]|end$"),
    "PHP": (r"(?i:php|laravel)", r"<\?php|\$\w+ ?=|echo ['\"$]"),
    "Swift": (r"(?i:swift|swiftui)", r"func \w+\(|import (?:Foundation|UIKit|SwiftUI)|guard let"),
    "Kotlin": (r"(?i:kotlin)", r"fun \w+\(|val \w+ ?[:=]"),
    "Scala": (r"(?i:scala)", r"object \w|val \w+ =|import scala"),
    "Perl": (r"(?i:perl)", r"#! ?/usr/bin/perl|use strict|my [$@%]|sub \w+ \{"),
    "Haskell": (r"(?i:haskell)", r"\w+ :: |import Data\.|main = "),
    "Julia": (r"(?i:julia)", r"using [A-Z]\w+$|println\("),
    "R": (r"R", r"\w+ ?<- |library\("),
    "SQL": (
        r"(?i:(?:my|postgre|no)?sql(?:ite)?)",
        r"(?i:select\b|insert into|create (?:table|view|index|database)|update \w+ set|delete from|alter table)",
    ),
    "HTML": (r"(?i:html5?)", r"<(?:!DOCTYPE|html|head|body|div|form|table|ul|p|style|nav|input|button|h\d)\b"),
    "CSS": (r"(?i:css3?|sass|scss)", r"[.#]?[\w-]+(?:[ :>,.#][\w-]+)* ?\{$|@media"),
    "shell": (
        r"(?i:bash|shell|unix|zsh|powershell)",
        r"#! ?/(?:usr/)?bin/(?:env )?(?:ba|z)?sh|(?:echo|grep|find|awk|sed|curl|git|sudo|chmod|tar) |if \[|fi$|done$",
    ),
}
NAMED = {name: re.compile(rf"(?<![\w+#.'-])(?:{names})(?![\w+#'])") for name, (names, _) in LANGUAGES.items()}
LOOKS = {name: re.compile(rf"^[ \t]*(?:{look})", re.MULTILINE) for name, (_, look) in LANGUAGES.items()}
FENCE = re.compile(r"^[ \t]*```[ \t]*([\w+#]*)[^\n]*\n(.*?)(?:^[ \t]*```|\Z)", re.MULTILINE | re.DOTALL)
TRANSLATION = re.compile(r"\b(?:translat|convert|conversion|equivalent|rewrit)", re.IGNORECASE)
MAX_CHARACTERS = 200_000  # of a response, to bound the time


def guess(row: dict[str, str]) -> str:
    """The language of a row's response.

    In this order: a code fence that names it; the language the instruction names (the last of several where it asks
    for a translation, else the first), if a line of the response looks like it; the language most lines look like.
    """
    response = row["response"][:MAX_CHARACTERS]
    fenced = [_fenced_language(tag) for tag, _ in FENCE.findall(response)] if "```" in response else []
    if language := next(filter(None, fenced), ""):
        return language
    named = _named(row["instruction"])
    if named and LOOKS[named].search(response):
        return named
    num_lines = {name: len(look.findall(response)) for name, look in LOOKS.items()}
    likeliest = max(num_lines, key=num_lines.__getitem__)
    if num_lines[likeliest]:
        return likeliest
    if any(map(is_sentence, response.split("\n"))):
        return PROSE
    return named or UNKNOWN


def _fenced_language(tag: str) -> str:
    """The language of a code fence's tag, by pygments' aliases; empty for none of ours."""
    try:
        name = find_lexer_class_by_name(tag).name
    except ClassNotFound:
        return ""
    name = {"Bash": "shell", "S": "R", "JSX": "JavaScript", "TSX": "TypeScript"}.get(name, name)
    return name if name in LANGUAGES else ""


def _named(instruction: str) -> str:
    found = [(match.start(), name) for name, names in NAMED.items() if (match := names.search(instruction))]
    if not found:
        return ""
    return (max if TRANSLATION.search(instruction) else min)(found)[1]


def is_sentence(line: str) -> bool:
    """Whether an unindented line reads like prose: at least five words (three before a colon), and little else."""
    words = line.split() if re.match(r"['\"`(*-]*[A-Z0-9]|'\w+' ", line) else []
    num_plain = sum(re.sub(r"\W", "", word).isalpha() and not re.search(r"\w[\[(=]|[{}]", word) for word in words)
    return len(words) >= (3 if line.endswith(":") else 5) and num_plain >= 0.7 * len(words)


def python_fault(row: dict[str, str], language: str) -> str:
    """Why the Python of a row's response does not parse; empty when it does, or when it is not checked.

    Checked are fenced blocks that are tagged Python or untagged, else the whole response unless it has sentences. A
    part of a function may be indented. Not covered: whether the code runs, and interactive sessions (`>>>`).
    """
    response = row["response"]
    if language != PYTHON or len(response) > MAX_CHARACTERS:
        return ""
    if "```" in response:
        blocks = [code for tag, code in FENCE.findall(response) if not tag or _fenced_language(tag) == PYTHON]
    else:
        blocks = [] if any(map(is_sentence, response.split("\n"))) else [response]
    # A block must also look like Python: it may be a program's output.
    faults = (_syntax_fault(code) for code in blocks if LOOKS[PYTHON].search(code) and ">>>" not in code)
    return next(filter(None, faults), "")


def _syntax_fault(code: str) -> str:
    # A part of a function begins indented.
    above = "if True:\n" if re.match(r"(?:[ \t]*\n)*[ \t]+\S", code) else ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in the data
            ast.parse(above + code)
    except SyntaxError as error:
        return f"line {error.lineno - bool(above)}: {error.msg}" if error.lineno else str(error.msg)
    except ValueError as error:  # a NUL character
        return str(error)
    except (RecursionError, MemoryError):  # nested too deeply for the parser: not checked
        pass
    return ""
