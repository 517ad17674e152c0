"""Invisible characters: text of them alone is blank, and in code they can hide what a compiler reads.

The set is Unicode's `Default_Ignorable_Code_Point` and U+2800. Source of the attack: Trojan Source, CVE-2021-42574.
"""

import re

IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
BLANK = re.compile(f"[\\s{IGNORABLE}]*")
# Without what scripts and emoji need: joiners and variation selectors.
HIDDEN = re.compile(f"(?![\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef])[{IGNORABLE}]")


def is_blank(text: str) -> bool:
    """Whether a text has no visible character."""
    return BLANK.fullmatch(text) is not None
