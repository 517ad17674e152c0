"""Keys and passwords in text: known formats, or random characters assigned to a name like `token`."""

import math
import re
from collections import Counter
from collections.abc import Iterator

# By a substring they contain, which is quick to search for.
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
    "PRIVATE KEY-----": r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?:(?!-----BEGIN ).){20,20000}?"
    r"-----END [A-Z ]{0,30}PRIVATE KEY-----",
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


def find(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and masked form of every secret."""
    for needed, pattern in KEY_PATTERNS.items():
        if needed in text:
            for match in pattern.finditer(text):
                if not PRETENDED.search(match[0]) and (_entropy_bits(match[0][4:]) >= 3 or "PRIVATE KEY" in needed):
                    yield *match.span(), _masked_key(match[0])
    lower = text.lower()
    if any(name in lower for name in ASSIGNED_NAMES):
        for match in ASSIGNED.finditer(text):
            value = match[1]
            is_mixed = re.search(r"\d", value) and re.search(r"[A-Za-z]", value)
            if is_mixed and _entropy_bits(value) >= MIN_ENTROPY_BITS and not PRETENDED.search(value):
                yield *match.span(1), _masked_key(value)


def _masked_key(key: str) -> str:
    """Its first characters, at most a fifth, and its length."""
    start = "-----BEGIN … PRIVATE KEY-----" if key.startswith("-----") else key[: min(4, len(key) // 5)]
    return f"{start}…({len(key)} characters)"


def _entropy_bits(text: str) -> float:
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * math.log2(share) for share in shares)
