"""E-mail addresses, IP addresses, keys and hidden characters in text: found, masked, or replaced by placeholders.

Placeholders keep code valid and are not found again: example.com, 192.0.2.1 and 2001:db8::1 are reserved for
documentation (RFC 2606, 5737, 3849).
"""

import ipaddress
import re
from collections.abc import Iterator
from typing import NamedTuple

from utils.data import secrets

EMAILS, IP_ADDRESSES, SECRETS, HIDDEN = "emails", "ip_addresses", "secrets", "hidden_characters"
KINDS = (EMAILS, IP_ADDRESSES, SECRETS, HIDDEN)

EMAIL = re.compile(r"(?<![\w.+-])([\w+-][\w.+-]{0,63})@((?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24})(?![\w-]|\(|\.\w)")
# Not mailboxes: the reserved names, `git@host:path`, and attributes in code (`x@self.weight`).
RESERVED_HOST = re.compile(r"(?:^|\.)example\.(?:com|net|org|edu)$|\.(?:example|test|invalid|localhost|local)$|^self\.")
NO_MAILBOX = {"git", "noreply", "no-reply"}

IP_V4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d|\.\w)")
IP_V6 = re.compile(r"(?<![\w:.])[23][0-9A-Fa-f]{3}:(?:[0-9A-Fa-f]{0,4}:){1,6}[0-9A-Fa-f]{0,4}(?![\w:])")
# What precedes four numbers that are a version.
VERSION = re.compile(r"(?:version\W{0,4}|\bver\W{0,2}|[=<>~]=\s?|(?<![/:])/v?|\w-)$", re.IGNORECASE)
PUBLIC_RESOLVERS = {"8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "1.2.3.4"}  # 1.2.3.4 is a common example
# Invisible characters: text of them alone is blank, and in code they can hide what a compiler reads (Trojan Source,
# CVE-2021-42574). The set is Unicode's `Default_Ignorable_Code_Point` and U+2800.
IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
BLANK = re.compile(f"[\\s{IGNORABLE}]*")
# Without what scripts and emoji need: joiners and variation selectors.
INVISIBLE = re.compile(f"(?![\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef])[{IGNORABLE}]")


class Found(NamedTuple):
    """A stretch of text to mask: its position, kind, masked form and placeholder."""

    start: int
    end: int
    kind: str
    mask: str
    placeholder: str


def is_blank(text: str) -> bool:
    """Whether a text has no visible character."""
    return BLANK.fullmatch(text) is not None


def find(text: str, kinds: tuple[str, ...] = KINDS) -> list[Found]:
    """The private data in a text, in order and without overlaps; a key takes precedence over an address in it.

    Ignored: reserved example addresses, IP addresses that are not global or look like a version, and obviously made-up
    values. Not covered: names, phone numbers, keys with neither a known form nor a variable named like a secret.
    """
    finders = {SECRETS: _secrets, EMAILS: _emails, IP_ADDRESSES: _ip_addresses, HIDDEN: _hidden}
    found, is_taken = [], bytearray(len(text))
    for kind, finder in finders.items():
        for match in finder(text) if kind in kinds else ():
            if not any(is_taken[match.start : match.end]):
                is_taken[match.start : match.end] = b"\1" * (match.end - match.start)
                found.append(match)
    return sorted(found)


def mask(text: str) -> str:
    return _substituted(text, find(text), "mask")


def replace(text: str, kind: str) -> str:
    return _substituted(text, find(text, (kind,)), "placeholder")


def _substituted(text: str, found: list[Found], by: str) -> str:
    parts, end = [], 0
    for match in found:
        parts += [text[end : match.start], getattr(match, by)]
        end = match.end
    return "".join([*parts, text[end:]])


def _secrets(text: str) -> Iterator[Found]:
    for start, end, shown in secrets.find(text):
        yield Found(start, end, SECRETS, shown, "REDACTED_SECRET")


def _emails(text: str) -> Iterator[Found]:
    if "@" not in text:
        return
    for match in EMAIL.finditer(text):
        user, host = match[1], match[2].lower()
        if user.lower() not in NO_MAILBOX and not RESERVED_HOST.search(host):
            yield Found(*match.span(), EMAILS, f"{user[0]}…@{host}", "user@example.com")


def _ip_addresses(text: str) -> Iterator[Found]:
    for pattern, placeholder in ((IP_V4, "192.0.2.1"), (IP_V6, "2001:db8::1")):
        for match in pattern.finditer(text):
            try:
                address = ipaddress.ip_address(match[0])
            except ValueError:
                continue
            before = text[max(0, match.start() - 12) : match.start()]
            if address.is_global and match[0] not in PUBLIC_RESOLVERS and not VERSION.search(before):
                shown = re.split(r"([.:])", match[0])[:2]
                yield Found(*match.span(), IP_ADDRESSES, "".join(shown) + "…", placeholder)


def _hidden(text: str) -> Iterator[Found]:
    for match in INVISIBLE.finditer(text):
        yield Found(*match.span(), HIDDEN, f"⟨U+{ord(match[0]):04X}⟩", "")
