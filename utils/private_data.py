"""E-mail addresses, IP addresses and keys in text: found, masked for showing, replaced by placeholders.

A placeholder keeps code valid, is found by nothing here, and belongs to nobody: example.com, 192.0.2.1 and
2001:db8::1 are reserved for documentation (RFC 2606, 5737, 3849).
"""

import ipaddress
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

EMAILS, IP_ADDRESSES, SECRETS = "emails", "ip_addresses", "secrets"
KINDS = (EMAILS, IP_ADDRESSES, SECRETS)

EMAIL = re.compile(r"(?<![\w.+-])([\w+-][\w.+-]{0,63})@((?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24})(?![\w-]|\(|\.\w)")
# Nobody's mailbox: the reserved names, `git@host:path`, and attributes in code (`x@self.weight`).
RESERVED_HOST = re.compile(r"(?:^|\.)example\.(?:com|net|org|edu)$|\.(?:example|test|invalid|localhost|local)$|^self\.")
NO_MAILBOX = {"git", "noreply", "no-reply"}

IP_V4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d|\.\w)")
IP_V6 = re.compile(r"(?<![\w:.])[23][0-9A-Fa-f]{3}:(?:[0-9A-Fa-f]{0,4}:){1,6}[0-9A-Fa-f]{0,4}(?![\w:])")
# What stands just before four numbers that are a version.
VERSION = re.compile(r"(?:version\W{0,4}|\bver\W{0,2}|[=<>~]=\s?|(?<![/:])/v?|\w-)$", re.IGNORECASE)
PUBLIC_RESOLVERS = {"8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "1.2.3.4"}  # and the counting example

# Each with a text that has to be there, which is quick to look for.
KEYS = {
    "AKIA": r"\bAKIA[0-9A-Z]{16}\b",
    "ASIA": r"\bASIA[0-9A-Z]{16}\b",
    "gh": r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b",
    "github_pat_": r"\bgithub_pat_\w{40,255}\b",
    "glpat-": r"\bglpat-[\w-]{20,64}",
    "hf_": r"\bhf_[A-Za-z0-9]{30,64}\b",
    "sk-": r"\bsk-(?:[a-z]{2,10}-)?[A-Za-z0-9_-]{20,200}",
    "sk_live_": r"\bsk_live_[A-Za-z0-9]{16,128}\b",
    "xox": r"\bxox[abeoprs]-[A-Za-z0-9-]{10,200}",
    "AIza": r"\bAIza[\w-]{35}",
    "eyJ": r"\beyJ[\w-]{10,2000}\.eyJ[\w-]{10,4000}\.[\w-]{10,2000}",
    "PRIVATE KEY-----": r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.{20,20000}?-----END [A-Z ]{0,30}PRIVATE KEY-----",
}
KEY_PATTERNS = {text: re.compile(pattern, re.DOTALL) for text, pattern in KEYS.items()}
ASSIGNED = re.compile(
    r"(?:secret|token|passw(?:or)?d|api_?-?key|access_?-?key|auth_?-?key|private_?-?key)\w{0,20}[\"']?\s{0,3}(?:[:=]|=>)"
    r"\s{0,3}[\"']([A-Za-z0-9+/=_.~!@#$%^&*-]{16,200})[\"']",
    re.IGNORECASE,
)
ASSIGNED_NAMES = ("secret", "token", "passw", "key")
PRETENDED = re.compile(r"your|example|sample|dummy|test|change|placeholder|redacted|secret|xxxx|1234567|abcdef", re.I)
MIN_ENTROPY_BITS = 3.5  # per character; English words joined by _ have about 3, random letters and digits above 4


class Found(NamedTuple):
    """A stretch of text that is private: where, of which kind, how it is shown, and what may stand there instead."""

    start: int
    end: int
    kind: str
    mask: str
    placeholder: str


def find(text: str, kinds: tuple[str, ...] = KINDS) -> list[Found]:
    """What is private in a text, in order and without overlaps; a key wins over an address within it.

    Not counted: reserved example addresses, IP addresses that are not global or that read like a version, and
    values that say they are made up. Not covered: names, phone numbers, keys without a known form or a telling name.
    """
    finders = {SECRETS: _secrets, EMAILS: _emails, IP_ADDRESSES: _ip_addresses}
    found: list[Found] = []
    for finder in (finders[kind] for kind in (SECRETS, EMAILS, IP_ADDRESSES) if kind in kinds):
        for one in finder(text):
            if all(one.end <= other.start or one.start >= other.end for other in found):
                found.append(one)
    return sorted(found)


def mask(text: str) -> str:
    """The text with the middle of everything private left out."""
    return _substituted(text, find(text), "mask")


def replace(text: str, kind: str) -> str:
    """The text with a placeholder for everything private of one kind."""
    return _substituted(text, find(text, (kind,)), "placeholder")


def _substituted(text: str, found: list[Found], by: str) -> str:
    parts, end = [], 0
    for one in found:
        parts += [text[end : one.start], getattr(one, by)]
        end = one.end
    return "".join([*parts, text[end:]])


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


def _secrets(text: str) -> Iterator[Found]:
    for needed, pattern in KEY_PATTERNS.items():
        if needed in text:
            for match in pattern.finditer(text):
                if not PRETENDED.search(match[0]) and (_entropy_bits(match[0][4:]) >= 3 or "PRIVATE KEY" in needed):
                    yield Found(*match.span(), SECRETS, _masked_key(match[0]), "REDACTED_SECRET")
    lower = text.lower()
    if any(name in lower for name in ASSIGNED_NAMES):
        for match in ASSIGNED.finditer(text):
            value = match[1]
            is_mixed = re.search(r"\d", value) and re.search(r"[A-Za-z]", value)
            if is_mixed and _entropy_bits(value) >= MIN_ENTROPY_BITS and not PRETENDED.search(value):
                yield Found(*match.span(1), SECRETS, _masked_key(value), "REDACTED_SECRET")


def _masked_key(key: str) -> str:
    """Its first characters, a fifth at most, and how long it is."""
    start = "-----BEGIN … PRIVATE KEY-----" if key.startswith("-----") else key[: min(4, len(key) // 5)]
    return f"{start}…({len(key)} characters)"


def _entropy_bits(text: str) -> float:
    """Bits per character, as far as the frequencies of its characters tell."""
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * math.log2(share) for share in shares)
