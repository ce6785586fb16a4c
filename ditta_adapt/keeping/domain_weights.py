"""What was learned of a domain, in a folder: `model.safetensors` and `config.json`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save as to_bytes
from torch import Tensor

from ditta_adapt import persistence
from ditta_adapt.config import DomainConfig, LowRank
from ditta_adapt.config.domain import EncoderLearning
from ditta_adapt.errors import CheckpointError, ConfigError, InputError
from ditta_adapt.io.files import as_path, make_folder, write_files
from ditta_adapt.models.learnable import as_model, learnable
from ditta_adapt.models.parameters import weight_hash
from ditta_adapt.models.private_copy import private_copy
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.report import library_versions
from ditta_adapt.training.student import Student

KIND = "domain"


def save_domain(
    path: str | Path,
    learned: Mapping[str, Tensor],
    source: Segmenter,
    report: dict[str, Any],
    *,
    encoder: EncoderLearning,
    detail: bool,
) -> None:
    """Write the weights that were learned, and the hash of the model that they belong to.

    Args:
        path: of the folder.
        learned: the weights, see `adaptable_state`.
        source: the image model.
        report: what was done.
        encoder: what of its encoder was learned, too.
        detail: whether the model looks at enlarged parts, too, see `WithDetail`.

    Raises:
        CheckpointError: the folder cannot be written.
    """
    folder = as_path(path)
    description = persistence.identity(source) | {
        "schema_version": persistence.SCHEMA_VERSION,
        "kind": KIND,
        "encoder": encoder.to_dict() if isinstance(encoder, LowRank) else encoder,
        "detail": detail,
        "versions": library_versions(),
        "model_hash": weight_hash(source),
        "report": report,
    }
    tensors = {f"segmenter.{name}": persistence.plain(each) for name, each in learned.items()}
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
    encoder = _encoder(description, folder)
    adapted = private_copy(learnable(source, encoder, detail=bool(description.get("detail"))))
    persistence.copy_weights(folder / persistence.WEIGHTS, Student(adapted))
    return as_model(adapted)


def _encoder(description: Mapping[str, Any], folder: Path) -> EncoderLearning:
    """What of the encoder was learned.

    Raises:
        CheckpointError: nothing that is known here.
    """
    # Before there were others, it was said whether norms were.
    said = description.get("encoder", "norms" if description.get("norms") else "frozen")
    try:
        return DomainConfig.from_dict({"encoder": said}).encoder
    except ConfigError as error:
        raise CheckpointError(f"{folder} is of no known kind: {error}") from error
