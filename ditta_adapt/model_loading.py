"""An image model by the name a user gives on the command line."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from ditta_adapt.errors import InputError
from ditta_adapt.io.factories import call_factory, check_factory
from ditta_adapt.io.optional import require
from ditta_adapt.io.quiet import no_loading_bars
from ditta_adapt.models.parameters import device_of
from ditta_adapt.models.registry import find_segmenter
from ditta_adapt.models.segmenter import Segmenter, is_segmenter


def check_model_name(name: str, device: str | None = None) -> None:
    """Refuse what `load_segmenter` could not load, as far as that is seen without importing.

    Raises:
        InputError: a factory whose package is not there, or a word that names no device.
    """
    if ":" in name and not Path(name).exists():
        check_factory(name)
    if device is not None:
        try:
            torch.device(device)
        except RuntimeError as error:
            raise InputError(f"device is {device!r}; expected such as cpu or cuda.") from error


def load_segmenter(name: str, device: str | None = None) -> Segmenter:
    """The segmenter of a model, on its device.

    Args:
        name: `demo`, the shipped SegFormer; `package.module:factory`, which returns a model of a
            known type or a segmenter; or a checkpoint of transformers, a folder or hub id.
        device: such as `"cpu"` or `"cuda"`; by default where the model is. A segmenter from a
            factory is not moved.

    Raises:
        InputError: the factory or checkpoint cannot be found or loaded; there is no such device,
            or a segmenter is on another one.
        UnknownModelError: the model's type has no adapter.
        MissingDependencyError: transformers is not installed.
    """
    if name == "demo":
        from ditta_adapt.demo.model import load_demo_model

        return find_segmenter(_moved(load_demo_model(), device))
    if ":" in name and not Path(name).exists():
        model = call_factory(name)
        if not is_segmenter(model):
            return find_segmenter(_moved(model, device))
        found = device_of(find_segmenter(model))
        if device is not None and found.type != torch.device(device).type:
            raise InputError(f"the segmenter of {name} is on {found}; expected {device}.")
        return find_segmenter(model)
    return find_segmenter(_moved(_from_transformers(name), device))


def _moved(model: Any, device: str | None) -> Any:
    if device is None or not hasattr(model, "to"):
        return model
    try:
        return model.to(device)
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
