"""What a segmenter must have, found before anything of it is copied or trained."""

from collections.abc import Iterable, Mapping
from numbers import Integral

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ditta_adapt.errors import SegmenterError
from ditta_adapt.models.forward import model_errors
from ditta_adapt.models.named_modules import named_modules
from ditta_adapt.models.parameters import adaptable_parameters, modules_of
from ditta_adapt.models.segmenter import Segmenter


def check_usable(segmenter: Segmenter) -> None:
    """Refuse a segmenter that could not be adapted, or whose labels would mean nothing.

    Raises:
        SegmenterError: a weight without memory (on the `meta` device), without a size (of a lazy
            layer that has seen no input), or in pieces on several devices; nothing to adapt, or
            nothing of floating point; fewer than two classes, or no feature; or it raises when it
            is asked.
    """
    _check_modules(_asked(segmenter, "adaptable_modules()"))
    for module in segmenter.adaptable_modules().values():
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            _check_weight(f"{type(module).__name__}.{name}", tensor)
    check_weights(modules_of(segmenter))
    adaptable_parameters(segmenter)
    name = type(segmenter).__name__
    for count, least in (("num_classes", 2), ("feature_dim", 1)):
        number = _asked(segmenter, count)
        if isinstance(number, bool) or not isinstance(number, Integral) or number < least:
            hint = ""
            if number == 1 and least == 2:
                hint = (
                    " A single channel with a sigmoid becomes two classes with the logits of "
                    "background 0 and of the object as they are: torch.cat([0 * x, x], dim=1)."
                )
            raise SegmenterError(
                f"{count} of {name} is {number!r}; expected an int, at least {least}.{hint}"
            )


def _asked(segmenter: Segmenter, what: str) -> object:
    with model_errors(segmenter, what):
        found = getattr(segmenter, what.removesuffix("()"))
        return found() if what.endswith("()") else found


def _check_modules(modules: object) -> None:
    if not isinstance(modules, Mapping) or not all(
        isinstance(name, str) and isinstance(module, nn.Module) for name, module in modules.items()
    ):
        raise SegmenterError(
            f"adaptable_modules returned {modules!r:.200}; expected a mapping from names to "
            'modules, such as {"decode_head": self.model.decode_head}.'
        )


def check_weights(modules: Iterable[nn.Module]) -> None:
    """Refuse weights that have no values here.

    Raises:
        SegmenterError: one is without memory, without a size, or in pieces on several devices.
    """
    for module in modules:
        # They may be elsewhere, if something brings them when the module is run.
        if not any(hasattr(layer, "_hf_hook") for layer in named_modules(module).values()):
            for name, parameter in module.named_parameters():
                _check_weight(f"{type(module).__name__}.{name}", parameter)


def _check_weight(shown: str, tensor: Tensor) -> None:
    if is_lazy(tensor):
        raise SegmenterError(
            f"the weight {shown} has no size yet, since its lazy layer has seen no input. Run "
            "the model on an image once, then wrap it."
        )
    if tensor.is_meta:
        raise SegmenterError(
            f"the weight {shown} is on the meta device, where nothing has values. Load the "
            "weights first: model.to_empty(device=...) and model.load_state_dict(...), or "
            "build the model outside of torch.device('meta')."
        )
    if type(tensor).__name__ == "DTensor" or type(tensor.data).__name__ == "DTensor":
        raise SegmenterError(
            f"the weight {shown} is a DTensor, in pieces on several devices. Wrap the plain "
            "model with the gathered weights."
        )
