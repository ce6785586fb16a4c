"""Which Cutie to load, and how; by the `rf-cutie` package."""

import tempfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from ditta_adapt import InputError, PropagationError
from ditta_adapt.io import require

WEIGHTS = "https://github.com/hkchengrex/Cutie/releases/download/v1.0/cutie-base-mega.pth"
"""Of the authors, of their base model: 35 million weights, 140 MB in float32."""
_DEEP = "pixel_encoder.layer3.0.conv3.weight"
"""Bottlenecks of a ResNet-50, which the base model has and the small one has not."""


def load_network(checkpoint: str | Path | None, device: torch.device | str | None) -> Any:
    """Build a `CUTIE` with the weights of a file, or the authors', on CUDA if there is one.

    Raises:
        MissingDependencyError: rf-cutie is not installed.
        InputError: the file holds no weights of Cutie.
        PropagationError: the authors' weights cannot be fetched.
    """
    weights = _fetched() if checkpoint is None else _read(Path(checkpoint))
    network = build_network("base" if _DEEP in weights else "small")
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{str(checkpoint or WEIGHTS)!r} does not fit Cutie: {reason}. Expected weights of "
            "its authors, such as cutie-base-mega.pth or cutie-small-mega.pth."
        ) from error
    return network.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))


def build_network(size: str) -> Any:
    """A frozen `CUTIE`, `"base"` or `"small"`, of random weights; the caller's random state stays.

    Raises:
        MissingDependencyError: rf-cutie is not installed.
    """
    model = _package("model.cutie")
    resnet = _package("model.utils.resnet")
    settings = configuration(size)
    with torch.random.fork_rng(devices=[]), tempfile.TemporaryDirectory() as folder:
        # It would fetch ImageNet's weights, to be overwritten by its own. Where they are to be
        # found can be told.
        for kind in {settings.model.pixel_encoder.type, settings.model.mask_encoder.type}:
            name = resnet.model_urls[kind].rpartition("/")[2]
            torch.save(getattr(resnet, kind)(pretrained=False).state_dict(), Path(folder, name))
        settings.model.resnet_model_path = folder
        return model.CUTIE(settings).eval().requires_grad_(False)


def configuration(size: str) -> Any:
    """The package's own settings for DAVIS, which Hydra would put together.

    Raises:
        MissingDependencyError: rf-cutie is not installed.
    """
    _package("model.cutie")
    omegaconf = require("omegaconf").OmegaConf
    folder = files("cutie.config")

    def read(*path: str) -> Any:
        settings = omegaconf.create(folder.joinpath(*path).read_text("utf-8"))
        for of_hydra in ("defaults", "hydra"):
            settings.pop(of_hydra, None)
        return settings

    settings = read("eval_config.yaml")
    settings.model = read("model", "base.yaml")
    if size == "small":
        settings.model = omegaconf.merge(settings.model, read("model", "small.yaml"))
    davis = settings.datasets["d17-val"]
    settings.mem_every, settings.use_long_term = davis.mem_every, davis.use_long_term
    return settings


def inference_core(network: Any, size: tuple[int, int], store: Any) -> Any:
    """The package's `InferenceCore`, which follows objects frame by frame.

    Args:
        network: a `CUTIE`.
        size: `(H, W)` of its images, multiples of 16.
        store: from which it takes image features.
    """
    settings = configuration("base")
    settings.model = network.cfg.model
    # Of fewer cells than it looks for, it could not find so many.
    settings.top_k = min(settings.top_k, size[0] // 16 * (size[1] // 16))
    return _package("inference.inference_core").InferenceCore(
        network, settings, image_feature_store=store
    )


def check_network(network: Any) -> None:
    """Check a network that a user built.

    Raises:
        InputError: no `CUTIE`, in training mode, or not in float32.
    """
    if not all(hasattr(network, name) for name in ("encode_image", "encode_mask", "pixel_fusion")):
        raise InputError(
            f"network is a {type(network).__name__}; expected a CUTIE of cutie.model.cutie. A file "
            "of weights goes to checkpoint=."
        )
    if network.training:
        raise InputError("network is in training mode; call network.eval() first.")
    kinds = {parameter.dtype for parameter in network.parameters()}
    if kinds != {torch.float32}:
        raise InputError(f"network is in {kinds}; expected torch.float32: call network.float().")


def forget_places(network: Any) -> None:
    """Drop encodings of places that the package keeps from call to call, on whatever device."""
    for module in network.modules():
        if hasattr(module, "cached_penc"):
            module.cached_penc = None


def _package(module: str) -> ModuleType:
    return require(f"cutie.{module}")


def _read(file: Path) -> Mapping[str, Tensor]:
    if not file.is_file():
        raise InputError(f"checkpoint is {str(file)!r}; there is no such file.")
    try:
        weights = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        # Loaders raise too many kinds to name: of pickle, zip files, the system.
        raise InputError(
            f"checkpoint {str(file)!r} cannot be read as weights: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(weights, Mapping):
        raise InputError(f"checkpoint {str(file)!r} holds a {type(weights).__name__}, no weights.")
    return weights


def _fetched() -> Mapping[str, Tensor]:
    _package("model.cutie")
    try:
        weights: Mapping[str, Tensor] = torch.hub.load_state_dict_from_url(
            WEIGHTS, map_location="cpu", progress=False, weights_only=True
        )
    except OSError as error:
        raise PropagationError(
            f"could not fetch {WEIGHTS}: {error}. Without a network, download it elsewhere and "
            "give checkpoint=FILE."
        ) from error
    return weights
