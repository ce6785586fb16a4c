"""Any torch model as a segmenter, by naming its parts."""

import copy
import fnmatch
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ditta_adapt.errors import InputError, SegmenterError
from ditta_adapt.models.hooks import caught_inputs, caught_outputs
from ditta_adapt.models.own_forward import NoReference
from ditta_adapt.models.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from ditta_adapt.models.private_copy import frozen_copy
from ditta_adapt.models.probe import check_own_forward, probe
from ditta_adapt.models.segmenter import Encoded, SegmenterOutput
from ditta_adapt.models.unwrap import unwrap


class HookedSegmenter:
    """A segmenter made from any torch model, with no adapter class.

    With `decoder` named, `encode` runs the model up to the decoder's door and keeps the decoder's
    inputs; `decode` runs the decoder on them. What the model does *around* its decoder is not run.
    Resizing the logits to the image is done anyway; if a model does more, such as padding and
    cropping, that is found by a run on noise, and refused. With no decoder named, `encode` passes
    the image through, `decode` runs the whole model, and `adapt` names the parameters to adapt;
    this costs a full pass per adaptation step, where a decoder costs its own pass only.

    Args:
        model: takes a float image batch `(B, 3, H, W)`; what is wrapped around it is taken off, as
            `wrap` does.
        features: name of the layer that gives the feature map, as in `named_modules()` of the model
            without its wrappers; inside the decoder if one is named. Its output must be
            `(B, D, h, w)`. Prefix the name
            with `"input:"` to take what goes *into* the layer, such as `"input:classifier"`.
        decoder: name of the submodule that turns encoder features into logits.
        adapt: shell-style patterns of parameter names, such as `"head.*"`; only without `decoder`.
        logits: takes the decoder's (or model's) output and returns the logits `(B, C, h, w)`. By
            default a tensor is taken as it is, else `.logits`, else the entry `"out"` or
            `"logits"`, else the first item of a tuple or list.
        mean: of the normalisation, in [0, 1] units; ImageNet's by default.
        std: likewise.
        size: `(H, W)` to resize frames to, anti-aliased; by default frames keep their size.
        num_classes: found by a run on noise if not given.
        feature_dim: likewise.

    Raises:
        InputError: a name or pattern that matches nothing; both or neither of `decoder`, `adapt`;
            a model that is no module.

    Example:
        >>> HookedSegmenter(net, decoder="head", features="input:head.classifier")
        ... # doctest: +SKIP
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        features: str,
        decoder: str | None = None,
        adapt: str | Sequence[str] | None = None,
        logits: Callable[[Any], Tensor] | None = None,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        size: tuple[int, int] | None = None,
        num_classes: int | None = None,
        feature_dim: int | None = None,
    ) -> None:
        if (decoder is None) == (adapt is None):
            raise InputError(
                "name either the decoder, decoder='decode_head', or the parameters to adapt, "
                "adapt='head.*'; not both, not neither."
            )
        self.model = model = unwrap(model)
        if not isinstance(model, nn.Module):
            raise InputError(
                f"model is a {type(model).__name__}; expected a torch.nn.Module, whose parts can "
                "be named."
            )
        self._decoder = decoder
        self._features = features
        self._patterns = (adapt,) if isinstance(adapt, str) else tuple(adapt or ())
        self._logits = logits or _find_logits
        self._mean, self._std, self._size = tuple(mean), tuple(std), size
        self._num_classes, self._feature_dim = num_classes, feature_dim
        self._probed = False
        _submodule(model, features.removeprefix("input:"))
        if decoder is not None:
            _submodule(model, decoder)
        else:
            self._selected_parameters()

    def __repr__(self) -> str:
        part = "all of it at every step" if self._decoder is None else f"decoder {self._decoder!r}"
        return f"HookedSegmenter({type(self.model).__name__}, {part})"

    @property
    def num_classes(self) -> int:
        """Number of classes `C`."""
        return self._probe()[0]

    @property
    def feature_dim(self) -> int:
        """Number of feature channels `D`."""
        return self._probe()[1]

    def preprocess(self, frames: UInt8[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H2 W2"]:
        """Scale to [0, 1], resize if asked to, normalise."""
        images = frames.float() / 255
        if self._size is not None:
            images = F.interpolate(images, self._size, mode="bilinear", antialias=True)
        mean, std = (images.new_tensor(v).view(3, 1, 1) for v in (self._mean, self._std))
        return ((images - mean) / std).to(next(self.model.parameters()).dtype)

    def encode(self, images: Float[Tensor, "B 3 H2 W2"]) -> Encoded:
        """The decoder's inputs `(args, kwargs)`, or the images where no decoder is named."""
        if self._decoder is None:
            return images

        def stop(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            raise _ReachedDecoder((args, kwargs))

        decoder = _submodule(self.model, self._decoder)
        handle = decoder.register_forward_pre_hook(stop, with_kwargs=True)
        try:
            self.model(images)
        except _ReachedDecoder as reached:
            return reached.inputs
        finally:
            handle.remove()
        raise SegmenterError(
            f"the model's forward pass never called its submodule {self._decoder!r}; name the "
            "submodule that forward calls directly."
        )

    def decode(self, encoded: Encoded) -> SegmenterOutput:
        """Run the decoder (or the model), and catch the feature layer's output on the way."""
        layer = _submodule(self.model, self._features.removeprefix("input:"))
        catch = caught_inputs if self._features.startswith("input:") else caught_outputs
        with catch(layer) as caught:
            if self._decoder is None:
                output = self.model(encoded)
            else:
                args, kwargs = encoded
                output = _submodule(self.model, self._decoder)(*args, **kwargs)
        if not caught:
            raise SegmenterError(
                f"the feature layer {self._features!r} was not run by decode; name a layer inside "
                "the decoder."
            )
        features, logits = caught[-1], self._logits(output)
        for what, tensor in (("the feature layer", features), ("logits", logits)):
            if not isinstance(tensor, Tensor) or tensor.ndim != 4:
                shown = tuple(tensor.shape) if isinstance(tensor, Tensor) else type(tensor).__name__
                raise SegmenterError(f"{what} gave {shown}; expected a (B, channels, h, w) tensor.")
        if features.shape[2:] != logits.shape[2:]:
            features = F.interpolate(
                features, logits.shape[2:], mode="bilinear", align_corners=False
            )
        return SegmenterOutput(features=features, logits=logits)

    def reference(self, images: Float[Tensor, "B 3 H2 W2"]) -> Float[Tensor, "B C h2 w2"]:
        """Logits of the model's own forward pass, all of it.

        Raises:
            NoReference: its output has none that `logits`, or what is done by default, finds.
        """
        try:
            output = self.model(images)
        # Such as for want of labels, after the decoder was run.
        except Exception as error:
            raise NoReference(f"the model's forward pass raised {error}") from error
        shape = (len(images), self.num_classes)
        with suppress(Exception):
            # It was made for the output of the decoder, and may fit that of the model.
            logits = self._logits(output)
            if logits.ndim == 4 and logits.shape[:2] == shape and self._logits is not _find_logits:
                return logits
        found = [
            leaf
            for leaf in pytree.tree_leaves(output)
            if isinstance(leaf, Tensor) and leaf.ndim == 4 and leaf.shape[:2] == shape
        ]
        # Of several, such as those of an auxiliary head, none is known to be the answer.
        if len(found) == 1:
            return found[0]
        raise NoReference(
            f"{len(found)} tensors (B, {self.num_classes}, h, w) are in what the model's forward "
            f"pass returns, a {type(output).__name__}; expected one, the logits."
        )

    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        """The decoder, or the parameters that match the patterns."""
        if self._decoder is not None:
            return {"decoder": _submodule(self.model, self._decoder)}
        return {"parameters": _ParameterSubset(self._selected_parameters())}

    def _selected_parameters(self) -> dict[str, nn.Parameter]:
        selected = {
            name: parameter
            for name, parameter in self.model.named_parameters()
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in self._patterns)
        }
        if not selected:
            names = [name for name, _ in self.model.named_parameters()]
            raise InputError(
                f"no parameter matches {list(self._patterns)}; the last ones are {names[-5:]}."
            )
        return selected

    def _probe(self) -> tuple[int, int]:
        """Class and feature counts, and a look at whether the parts make up the model; once."""
        if not self._probed:
            # A stand-in, as checks of types along the way ask for the counts.
            known = copy.copy(self)
            known._num_classes, known._feature_dim = self._num_classes or 2, self._feature_dim or 1
            known._probed = True
            self._run_once(frozen_copy(known))
            self._probed = True
        assert self._num_classes is not None
        assert self._feature_dim is not None
        return self._num_classes, self._feature_dim

    def _run_once(self, own: "HookedSegmenter") -> None:
        try:
            frames, output = probe(own)
        except SegmenterError:
            if self._num_classes is None or self._feature_dim is None:
                raise
            return
        counts = output.logits.shape[1], output.features.shape[1]
        own._num_classes = self._num_classes or counts[0]
        # Without parts nothing can be lost between them.
        if self._decoder is not None:
            check_own_forward(own, frames)
        self._num_classes = self._num_classes or counts[0]
        self._feature_dim = self._feature_dim or counts[1]


class _ReachedDecoder(Exception):
    """Carries the decoder's inputs out of a forward pass that need not go on."""

    def __init__(self, inputs: tuple[tuple[Any, ...], dict[str, Any]]) -> None:
        super().__init__("the decoder was reached")
        self.inputs = inputs


class _ParameterSubset(nn.Module):
    """Some of a model's parameters, under their own names, as a module."""

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        super().__init__()
        for name, parameter in parameters.items():
            # Module names may not contain dots.
            self.register_parameter(name.replace(".", "/"), parameter)


def _submodule(model: nn.Module, name: str) -> nn.Module:
    try:
        return model.get_submodule(name)
    except AttributeError:
        raise InputError(
            f"{type(model).__name__} has no submodule {name!r}; its top level has "
            f"{[child for child, _ in model.named_children()]}."
        ) from None


def _find_logits(output: Any) -> Tensor:
    if isinstance(output, Mapping):
        for key in ("out", "logits"):
            if key in output:
                output = output[key]
                break
    elif hasattr(output, "logits"):
        output = output.logits
    elif isinstance(output, tuple | list):
        output = output[0]
    if not isinstance(output, Tensor):
        raise SegmenterError(
            f"cannot find logits in a {type(output).__name__}; pass logits=lambda output: ..."
        )
    return output
