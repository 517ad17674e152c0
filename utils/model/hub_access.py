"""How models of the hub are reached: at the commit of their first download, and without a long wait when offline."""

import re
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from threading import Thread
from typing import Any

from huggingface_hub import constants, get_session
from huggingface_hub.file_download import repo_folder_name

SECONDS = 3.0  # for the hub to answer
COMMIT = re.compile("[0-9a-f]{40}")


def recorded(repo_id: str, revision: str) -> str:
    """The commit that the hub's cache recorded when it first downloaded from a branch, else the revision as it is.

    So a model stays the same when its branch moves. For a newer one, give its commit as the revision.
    """
    if re.fullmatch(r"[\w.-]+", revision):
        ref = Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=repo_id, repo_type="model"), "refs", revision)
        if ref.is_file() and COMMIT.fullmatch(commit := ref.read_text().strip()):
            return commit
    return revision


def options(repo_id: str, revision: str) -> dict[str, Any]:
    """Options of `from_pretrained`: the recorded commit, and files at hand alone when the hub cannot be reached."""
    commit = recorded(repo_id, revision)
    if constants.HF_HUB_OFFLINE:
        return {"revision": commit}
    if not COMMIT.fullmatch(commit):
        print(f"Looking up {repo_id} on the hub, for the first time.", flush=True)
    return {"revision": commit, "local_files_only": not _answers(constants.ENDPOINT, int(time.monotonic() // 60))}


@lru_cache(maxsize=1)
def _answers(endpoint: str, minute: int) -> bool:
    """Whether the hub answers within `SECONDS`, asked once a minute; its own client tries for half a minute."""
    answers: list[bool] = []

    def ask() -> None:
        with suppress(Exception):  # of the network
            get_session().head(endpoint, timeout=SECONDS)
            answers.append(True)

    thread = Thread(target=ask, daemon=True)  # because looking up the hub's name has no time limit
    thread.start()
    thread.join(SECONDS)
    return bool(answers)
