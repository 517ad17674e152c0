"""A release in a repository of the Hugging Face Hub.

The token is that of `hf auth login`; it is never an argument, printed or written. The hub is `HF_ENDPOINT`, or the
public one. A push that was cut off is repeated: files whose upload was complete are not sent again. Tested with the
real client against a stand-in for the hub's HTTP interface with Xet off (`HF_HUB_DISABLE_XET=1`). Not covered: Xet, the
hub itself, and parts of one large file, which starts again.
"""

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from utils import artifacts
from utils.errors import UserError, mask_logs, masked, number_of, short, visible
from utils.release.contents import ALLOWED, additions

REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
# What a new repository on the hub may hold already.
STARTING_FILES = {".gitattributes", ".gitignore", "README.md", "LICENSE"}
MAX_REPLY = 300  # characters of the hub's own words
RESUME = "The same command resumes: what was uploaded is not sent again."
REMEDIES = {
    400: "it refused the request, usually for the metadata at the top of README.md. Correct it, and build again.",
    401: "it does not accept the token, or does not show you this repository. Log in with a token that can write "
    "(hf auth login), and check the name.",
    402: "your account's storage is used up, or does not include this. See the plan and storage in its settings.",
    403: "the token may not write there. Log in with one that can (hf auth login), or push to your own name.",
    404: "it has no such repository, or you may not see it. Check the name, the token, and HF_ENDPOINT.",
    409: "the repository changed meanwhile, or another push is in progress. Wait for it, and push again.",
    412: "the repository changed meanwhile, or another push is in progress. Wait for it, and push again.",
    413: "it does not take files of this size. Release fewer formats.",
    429: f"it has had too many requests. Wait some minutes. {RESUME}",
}


def check_repository(name: str) -> None:
    """Raise `UserError` for a name that is not OWNER/NAME."""
    if not REPOSITORY.fullmatch(name):
        raise UserError(f"repository must be OWNER/NAME, such as me/my-model, got {short(name)}.", "repository")


def operations(release_dir: Path, repo_id: str) -> list[Any]:
    """The files of a release as the operations of a commit (`CommitOperationAdd`); sends nothing.

    Raises `UserError` as `additions`, and for another repository than the card names.
    """
    check_repository(repo_id)
    stated = artifacts.require(Path(release_dir), "07_release")["facts"].get("repository")
    if stated and stated != repo_id:
        raise UserError(
            f"the card says that the model is {short(stated)}, got {repo_id}. Push it there, or state the other "
            "repository and build the release again."
        )
    return additions(release_dir)


def push(release_dir: Path, repo_id: str, private: bool = True) -> str:
    """Upload a release as one commit, to a new repository or that of an earlier release; returns the commit's URL.

    What an earlier release had and this one has not is deleted in the commit. Raises `UserError` as `operations`;
    without a login; for a repository that holds something else, or is public although `private`; and when the hub
    refuses or breaks off.
    """
    from huggingface_hub import CommitOperationDelete, HfApi

    mask_logs("huggingface_hub")
    files = operations(release_dir, repo_id)
    names = {file.path_in_repo for file in files}
    with _explained(repo_id):
        api = HfApi(token=True)
        api.whoami()
        api.create_repo(repo_id, private=private, exist_ok=True)
        before = api.model_info(repo_id)
        present = {file.rfilename for file in before.siblings or ()}
        _check_repository(repo_id, present, is_public=before.private is not True and private)
        gone = [CommitOperationDelete(name) for name in sorted(present - names) if ALLOWED.fullmatch(name)]
        commit = api.create_commit(
            repo_id,
            [*files, *gone],
            commit_message=f"Release of {number_of(len(files), 'file')}",
            parent_commit=before.sha,  # the hub refuses when somebody else has pushed meanwhile
        )
        after = api.model_info(repo_id, revision=commit.oid)
        missing = names - {file.rfilename for file in after.siblings or ()}
    if missing:
        raise UserError(
            f"the commit in {repo_id} lacks {', '.join(sorted(missing))}: its .gitignore excludes them. Remove that "
            "file there, and push again."
        )
    return visible(masked(commit.commit_url))


def _check_repository(repo_id: str, present: set[str], is_public: bool) -> None:
    """Raise `UserError` for a public repository where a private one is wanted, and for one that is not a release."""
    if is_public:
        raise UserError(
            f"{repo_id} is public, and a private repository was asked for. Nothing was uploaded. Make it private in "
            "its settings, name another one, or push with private=False."
        )
    if present - STARTING_FILES and artifacts.MANIFEST not in present:
        raise UserError(
            f"{repo_id} holds files of something else, such as {short(min(present - STARTING_FILES))}, and no "
            f"{artifacts.MANIFEST} of a release. Nothing was uploaded. Name another repository."
        )


@contextmanager
def _explained(repo_id: str) -> Generator[None]:
    """In the block, raise `UserError`, without the token, for every failure of the hub, the client and the network."""
    from huggingface_hub import get_token
    from huggingface_hub.errors import HfHubHTTPError, HTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

    try:
        yield
    except UserError:
        raise
    except Exception as error:  # also what the client raises for answers that are not the hub's
        cause: BaseException = error
        while cause.__cause__ and not isinstance(cause, HTTPError):  # an upload wraps it in an error of its own
            cause = cause.__cause__
        if isinstance(cause, LocalTokenNotFoundError):
            text = "there is no login. Log in with a token that can write: hf auth login."
        elif isinstance(cause, OfflineModeIsEnabled):
            text = "HF_HUB_OFFLINE is set. Unset it, and push again."
        elif isinstance(cause, HfHubHTTPError):
            status = cause.response.status_code
            remedy = REMEDIES.get(status, f"it cannot answer now. Wait some minutes, and push again. {RESUME}")
            reply = f" ({cause.server_message[:MAX_REPLY]})" if cause.server_message else ""
            text = f"the hub answered {status}{reply}: {remedy}"
        elif isinstance(cause, HTTPError):
            text = f"the connection failed or broke off ({cause}). Check the network, and HF_ENDPOINT. {RESUME}"
        else:
            detail = f"{type(cause).__name__}: {cause}"[:MAX_REPLY]
            text = (
                f"the hub's answer, or a file, cannot be used ({detail}). Check HF_ENDPOINT, and push again. {RESUME}"
            )
        if token := get_token():
            text = text.replace(token, "***")
        raise UserError(f"{repo_id} was not pushed: {text}") from error
