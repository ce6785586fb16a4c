"""An image model by the name a user gives on the command line."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from ditta_adapt.errors import InputError
from ditta_adapt.io.factories import call_factory, check_factory
from ditta_adapt.io.optional import require
from ditta_adapt.io.quiet import no_loading_bars
from ditta_adapt.keeping.domain_weights import load_domain
from ditta_adapt.models.parameters import device_of
from ditta_adapt.models.registry import find_segmenter
from ditta_adapt.models.segmenter import Segmenter, is_segmenter

AUTO = "auto"
"""The device that is fastest here: a GPU if there is one."""


def check_model_name(name: str, device: str | None = None) -> None:
    """Refuse what `load_segmenter` could not load, as far as that is seen without importing.

    Raises:
        InputError: a factory whose package is not there, or a word that names no device.
    """
    if ":" in name and not Path(name).exists():
        check_factory(name)
    if device not in (None, AUTO):
        try:
            torch.device(device)
        except RuntimeError as error:
            raise InputError(f"device is {device!r}; expected such as cpu or cuda.") from error


def load_segmenter(
    name: str,
    device: str | None = None,
    *,
    dtype: torch.dtype | None = None,
    domain: Path | None = None,
) -> Segmenter:
    """The segmenter of a model, on its device.

    Args:
        name: `demo`, the shipped SegFormer; `package.module:factory`, which returns a model of a
            known type or a segmenter; or a checkpoint of transformers, a folder or hub id.
        device: such as `"cpu"` or `"cuda"`; `"auto"` for the fastest; by default where the model
            is. A segmenter from a factory is not moved.
        dtype: that weights are cast to; by default as they are. A segmenter is not cast.
        domain: folder of what `ditta-adapt domain` learned of it; by default nothing.

    Raises:
        InputError: the factory or checkpoint cannot be found or loaded; there is no such device,
            or a segmenter is on another one; or it is to be cast.
        UnknownModelError: the model's type has no adapter.
        MissingDependencyError: transformers is not installed.
        CheckpointError: the domain is missing, corrupt, or was learned of another model.
    """
    segmenter = _loaded(name, device, dtype)
    return segmenter if domain is None else load_domain(domain, segmenter)


def _loaded(name: str, device: str | None, dtype: torch.dtype | None) -> Segmenter:
    if name == "demo":
        from ditta_adapt.demo.model import load_demo_model

        model: Any = load_demo_model()
    elif ":" in name and not Path(name).exists():
        model = call_factory(name)
        if is_segmenter(model):
            return _as_it_is(name, model, device, dtype)
    else:
        model = _from_transformers(name)
    return find_segmenter(_moved(model, _fastest() if device == AUTO else device, dtype))


def _as_it_is(name: str, model: Any, device: str | None, dtype: torch.dtype | None) -> Segmenter:
    segmenter = find_segmenter(model)
    found = device_of(segmenter)
    if device not in (None, AUTO) and found.type != torch.device(device).type:
        raise InputError(f"the segmenter of {name} is on {found}; expected {device}.")
    if dtype is not None:
        raise InputError(
            f"{name} makes a segmenter, which is not cast to {dtype}; make it of that dtype."
        )
    return segmenter


def _fastest() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _moved(model: Any, device: str | None, dtype: torch.dtype | None) -> Any:
    if not hasattr(model, "to"):
        return model
    try:
        moved = model if device is None else model.to(device)
        return moved if dtype is None else moved.to(dtype)
    # What torch raises where it was built without the device, or has never heard of it.
    except (AssertionError, RuntimeError) as error:
        raise InputError(f"the model cannot be moved to {device!r}: {error}") from error


def _from_transformers(name: str) -> Any:
    transformers = require("transformers")
    try:
        config = transformers.AutoConfig.from_pretrained(name)
        # The auto classes go by task; the checkpoint itself knows which class wrote it.
        (architecture,) = config.architectures or ("",)
        model_class = getattr(transformers, architecture)
        with no_loading_bars():
            return model_class.from_pretrained(name).eval()
    except (OSError, ValueError, AttributeError, RuntimeError, SafetensorError) as error:
        raise InputError(
            f"the model {name!r} cannot be loaded: {error} Expected demo, package.module:factory, "
            "or the folder or hub id of a segmentation model of transformers."
        ) from error
