"""The model hub: adaptations pushed with a card, and fetched by their id."""

import os
import re
from pathlib import Path

from ditta_adapt.errors import CheckpointError
from ditta_adapt.io.files import as_path
from ditta_adapt.io.optional import require

# An owner and a name, in the letters that the hub allows.
_ID = re.compile(r"[\w.-]+/[\w.-]+")


def local_folder(name: str | Path) -> Path:
    """The folder itself, or one with the files of an id of the hub.

    A name is an id if it has the form `owner/name` and there is no such folder.

    Raises:
        CheckpointError: the hub does not have it, or cannot be reached.
        MissingDependencyError: it is an id, and `huggingface_hub` is not installed.
    """
    folder = as_path(name)
    if os.path.isdir(folder) or not isinstance(name, str) or not _ID.fullmatch(name):
        return folder
    hub = require("huggingface_hub")
    try:
        return Path(hub.snapshot_download(name, allow_patterns=["*.json", "*.safetensors"]))
    # What the hub and the network raise has no common root.
    except Exception as error:
        raise CheckpointError(
            f"{name} is no folder, and cannot be fetched from the model hub: {error}"
        ) from error


def push_folder(
    folder: Path, repo_id: str, *, private: bool = False, token: str | None = None
) -> str:
    """Put the files of a folder on the hub; returns the address of the commit.

    Args:
        folder: whose files are pushed.
        repo_id: `owner/name`; the repository is made if it is missing.
        private: whether a new one is.
        token: by default the one of the user who is logged in.

    Raises:
        CheckpointError: the hub does not take it, or cannot be reached.
        MissingDependencyError: `huggingface_hub` is not installed.
    """
    hub = require("huggingface_hub")
    try:
        api = hub.HfApi(token=token)
        api.create_repo(repo_id, private=private, exist_ok=True)
        done = api.upload_folder(
            repo_id=repo_id, folder_path=folder, commit_message="Adapted with ditta-adapt"
        )
    # As above.
    except Exception as error:
        raise CheckpointError(f"{repo_id} cannot be pushed to the model hub: {error}") from error
    return str(getattr(done, "commit_url", done))
