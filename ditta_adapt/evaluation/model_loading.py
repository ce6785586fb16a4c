"""An image model by the name a user gives on the command line."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from ditta_adapt.errors import InputError, MissingDependencyError
from ditta_adapt.factories import find_factory
from ditta_adapt.registry import find_segmenter
from ditta_adapt.segmenter import Segmenter


def load_segmenter(name: str, device: str) -> Segmenter:
    """The segmenter of a model, on its device.

    Args:
        name: `demo`, the shipped SegFormer; `package.module:factory`, which returns a model of a
            known type or a segmenter; or a checkpoint of transformers, a folder or hub id.
        device: such as `"cpu"` or `"cuda"`; a segmenter from a factory is taken where it is.

    Raises:
        InputError: the factory or checkpoint cannot be found or loaded.
        UnknownModelError: the model's type has no adapter.
        MissingDependencyError: transformers is not installed.
    """
    if name == "demo":
        from ditta_adapt.demo.model import load_demo_model

        demo: Any = load_demo_model()
        return find_segmenter(demo.to(device))
    if ":" in name and not Path(name).exists():
        model = find_factory(name)()
        return find_segmenter(model.to(device) if hasattr(model, "to") else model)
    return find_segmenter(_from_transformers(name).to(device))


def _from_transformers(name: str) -> Any:
    try:
        import transformers
    except ImportError as error:
        raise MissingDependencyError.for_extra("transformers", "hf") from error
    try:
        config = transformers.AutoConfig.from_pretrained(name)
        # The auto classes go by task; the checkpoint itself knows which class wrote it.
        (architecture,) = config.architectures or ("",)
        model_class = getattr(transformers, architecture)
        return model_class.from_pretrained(name).eval()
    except (OSError, ValueError, AttributeError, RuntimeError, SafetensorError) as error:
        raise InputError(
            f"the model {name!r} cannot be loaded: {error} Expected demo, package.module:factory, "
            "or the folder or hub id of a segmentation model of transformers."
        ) from error
