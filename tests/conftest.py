"""What several test files need: a clean environment, the shared data, and skipping that CI does not forgive."""

import os

import pytest

from utils.artifacts import ROOT

CHOICES = ["PRESET", "PAIRS", "OVERRIDES", "DATA", "RUN", "FRESH", "GPTEACHER_FILE", "RESPONSE_FIELD"]


@pytest.fixture(autouse=True)
def _no_choices(monkeypatch):
    """The notebooks' parameters of whoever runs the tests do not reach them."""
    for name in CHOICES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def needs():
    """`needs(condition, reason)`: go on when the machine has what a test needs, else skip, or fail where `CI=true`."""

    def check(condition: bool, reason: str) -> None:
        if not condition and os.environ.get("CI") == "true":
            pytest.fail(f"{reason} (with CI=true this is a failure)")
        if not condition:
            pytest.skip(reason)

    return check


@pytest.fixture(scope="session")
def shared_data():
    """The folder with copies of the real data; the test is skipped where there is none, in CI too."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not there")
    return folder
