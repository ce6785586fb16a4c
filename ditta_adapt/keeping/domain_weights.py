"""What was learned of a domain, in a folder: `model.safetensors` and `config.json`."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save as to_bytes

from ditta_adapt import persistence
from ditta_adapt.errors import CheckpointError, InputError
from ditta_adapt.io.files import as_path, make_folder, write_files
from ditta_adapt.models.parameters import adaptable_state, weight_hash
from ditta_adapt.models.private_copy import private_copy
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.models.with_detail import WithDetail
from ditta_adapt.models.with_norms import WithNorms
from ditta_adapt.report import library_versions
from ditta_adapt.training.student import Student

KIND = "domain"


def save_domain(
    path: str | Path,
    adapted: Segmenter,
    source: Segmenter,
    report: dict[str, Any],
    *,
    norms: bool,
    detail: bool = False,
) -> None:
    """Write the modules that were adapted, and the hash of the model that they were made of.

    Args:
        path: of the folder.
        adapted: with what was learned.
        source: the image model.
        report: what was done.
        norms: whether those of the encoder were adapted, too, see `WithNorms`.
        detail: whether it looks at enlarged parts, too, see `WithDetail`.

    Raises:
        CheckpointError: the folder cannot be written.
    """
    folder = as_path(path)
    description = persistence.identity(source) | {
        "schema_version": persistence.SCHEMA_VERSION,
        "kind": KIND,
        "norms": norms,
        "detail": detail,
        "versions": library_versions(),
        "model_hash": weight_hash(source),
        "report": report,
    }
    changed: Segmenter = WithNorms(adapted) if norms else adapted
    state = {f"segmenter.{k}": v for k, v in adaptable_state(changed).items()}
    tensors = {name: persistence.plain(tensor) for name, tensor in state.items()}
    try:
        make_folder(folder)
        write_files(
            {
                folder / persistence.WEIGHTS: to_bytes(tensors),
                folder / persistence.CONFIG: json.dumps(description, indent=2) + "\n",
            },
            durable=True,
        )
    except (InputError, SafetensorError) as error:
        raise CheckpointError(f"cannot write to {folder}: {error}") from error


def is_domain(path: str | Path) -> bool:
    """Whether a folder holds what was learned of a domain.

    Raises:
        CheckpointError: its config is missing, corrupt, or of another format version.
    """
    return persistence.read_config(as_path(path) / persistence.CONFIG).get("kind") == KIND


def check_domain(path: str | Path | None) -> None:
    """Refuse a folder, if there is one, that holds nothing that was learned of a domain.

    Raises:
        CheckpointError: its config is missing, corrupt, of another format version, or of something
            else.
    """
    if path is not None and not is_domain(path):
        raise CheckpointError(
            f"{path} holds what was adapted to one video; expected what was learned of a domain."
        )


def load_domain(path: str | Path, source: Segmenter) -> Segmenter:
    """A copy of an image model with what was learned of a domain.

    Raises:
        CheckpointError: missing, corrupt, of another format version, or of a different model.
    """
    folder = as_path(path)
    description = persistence.read_config(folder / persistence.CONFIG)
    check_domain(folder)
    persistence.check_model(folder, description, source)
    whole: Segmenter = WithDetail(source) if description.get("detail") else source
    if not description.get("norms"):
        adapted = private_copy(whole)
        persistence.copy_weights(folder / persistence.WEIGHTS, Student(adapted))
        return adapted
    with_norms = private_copy(WithNorms(whole))
    persistence.copy_weights(folder / persistence.WEIGHTS, Student(with_norms))
    return with_norms.segmenter
