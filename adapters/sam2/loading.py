"""Which SAM 2 model to load, and how; by the `sam2` package."""

from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from ditta_adapt import InputError, MissingDependencyError, PropagationError

DEFAULT_HUB_ID = "facebook/sam2.1-hiera-large"


def check_source(
    predictor: Any, config: str | None, checkpoint: str | Path | None, hub_id: str
) -> None:
    """Find what is wrong with a model's source before it is loaded.

    Raises:
        MissingDependencyError: sam2, or what it needs, is not installed.
        InputError: arguments that do not go together, an unknown hub id, or no such file.
    """
    if (config is None) != (checkpoint is None):
        raise InputError(
            f"config is {config!r} and checkpoint {checkpoint!r}; they belong together: a config "
            "alone has random weights, and a checkpoint does not say what it is of."
        )
    if (predictor is not None) + (config is not None) + (hub_id != DEFAULT_HUB_ID) > 1:
        raise InputError("give one of these only: predictor, config with checkpoint, hub_id.")
    if predictor is not None and not hasattr(predictor, "add_new_points_or_box"):
        raise InputError(
            f"predictor is a {type(predictor).__name__}; expected a SAM2VideoPredictor. Name a "
            "model on the hub with hub_id=..., or files with config=... and checkpoint=..."
        )
    if predictor is not None and predictor.training:
        raise InputError("predictor is in training mode; call predictor.eval() first.")
    if checkpoint is not None and not Path(checkpoint).is_file():
        raise InputError(f"checkpoint is {str(checkpoint)!r}; there is no such file.")
    if predictor is None and hub_id not in (known := _build_sam().HF_MODEL_ID_TO_FILENAMES):
        raise InputError(f"hub_id is {hub_id!r}; sam2 knows {sorted(known)}.")


def load_predictor(
    config: str | None,
    checkpoint: str | Path | None,
    hub_id: str,
    device: str | torch.device | None,
) -> Any:
    """Build a `SAM2VideoPredictor`, on CUDA if there is one and no device is given.

    Raises:
        MissingDependencyError: huggingface_hub is needed and not installed.
        InputError: the checkpoint does not fit the config.
        PropagationError: the model could not be fetched from the hub.
    """
    build_sam = _build_sam()
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    try:
        if config is None:
            predictor = build_sam.build_sam2_video_predictor_hf(hub_id, device=device)
        else:
            predictor = build_sam.build_sam2_video_predictor(config, str(checkpoint), device)
    except ImportError as error:
        raise _missing(error) from error
    except Exception as error:
        # The package and its loaders raise too many kinds to name: of hydra, pickle, the network.
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        if config is None:
            raise PropagationError(
                f"could not load {hub_id!r} from the hub onto {device}: {reason}. Without a "
                "network, give config=... and checkpoint=... (a file) instead."
            ) from error
        raise InputError(
            f"could not load checkpoint {str(checkpoint)!r} into config {config!r}: {reason}. "
            "Both must be of the same model: the same size, and both of SAM 2 or of SAM 2.1."
        ) from error
    if device.type != "cuda" or find_spec("sam2._C") is None:
        # Needs the package's CUDA extension; without, it would only warn at every step.
        predictor.fill_hole_area = 0
    return predictor


def _build_sam() -> ModuleType:
    try:
        from sam2 import build_sam
    except ImportError as error:
        raise _missing(error) from error
    module: ModuleType = build_sam
    return module


def _missing(error: ImportError) -> MissingDependencyError:
    advice = MissingDependencyError.for_extra((error.name or "sam2").partition(".")[0], "sam2")
    return MissingDependencyError(
        f"{advice} That brings torchvision, which is not needed to run it: installing sam2 with "
        "pip's --no-deps, beside hydra-core, iopath, tqdm, pillow and huggingface_hub, is enough."
    )
