"""The file that a stopped adaptation to a domain goes on from."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from ditta_adapt import persistence
from ditta_adapt.errors import CheckpointError, InputError
from ditta_adapt.io.files import as_path, is_file, make_folder, write_files

_ASKED, _COURSE = "asked", "course"


class Checkpoint:
    """Tensors, and values beside them, in one file: complete, or not there.

    Args:
        path: of the file; its folder is made when it is first written.
        asked: all that decides about the result, as values that JSON can hold.
    """

    def __init__(self, path: str | Path, asked: Mapping[str, Any]) -> None:
        self._path = as_path(path)
        self._asked = json.dumps(asked, sort_keys=True)

    def write(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Put it in the place of the one before.

        Raises:
            CheckpointError: it cannot be written.
        """
        plain = {name: persistence.plain(tensor) for name, tensor in tensors.items()}
        about = {_ASKED: self._asked, _COURSE: json.dumps(values)}
        try:
            make_folder(self._path.parent)
            write_files({self._path: to_bytes(plain, metadata=about)}, durable=True)
        except (InputError, SafetensorError) as error:
            raise CheckpointError(f"cannot write {self._path}: {error}") from error

    def read(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """What was written last; none if nothing was.

        Raises:
            CheckpointError: the file is none of these; or what was asked for is something else.
        """
        if not is_file(self._path):
            return None
        try:
            with safe_open(self._path, framework="pt") as file:
                about = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            asked, values = about[_ASKED], json.loads(about[_COURSE])
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise CheckpointError(
                f"{self._path} is no checkpoint of an adaptation to a domain: {error!r}. Remove "
                "it, or choose another place."
            ) from error
        if asked != self._asked:
            raise CheckpointError(
                f"{self._path} was written by an adaptation of another model, to other videos, or "
                "with other options. Remove it to begin anew, or choose another place."
            )
        return tensors, values
