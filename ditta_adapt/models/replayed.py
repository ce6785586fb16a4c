"""A segmenter whose decoder is the model's own forward pass, with the frozen part replayed."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from ditta_adapt.errors import SegmenterError
from ditta_adapt.models.feature_maps import as_map
from ditta_adapt.models.hooks import caught_inputs, caught_outputs, stopped_after
from ditta_adapt.models.parameters import dtype_of
from ditta_adapt.models.parts import Layer, ParameterSubset, Parts
from ditta_adapt.models.replay import record, replay
from ditta_adapt.models.segmenter import Encoded, SegmenterOutput


class ReplayedSegmenter:
    """Any torch model as a segmenter, by its parts.

    `encode` runs the model until its frozen modules have answered. `decode` runs the model's own
    forward pass, in which these modules answer from the record: padding, cropping, resizing and
    whatever else a model does around its decoder stay its own.

    Args:
        model: the image model.
        parts: of the model.
        preprocessing: from uint8 RGB frames `(B, 3, H, W)` to what the model takes.
    """

    def __init__(
        self,
        model: nn.Module,
        parts: Parts,
        *,
        preprocessing: Callable[[Tensor], Tensor],
    ) -> None:
        self.model: Any = model
        self._parts = parts
        self._preprocessing = preprocessing

    @property
    def parts(self) -> Parts:
        """What is frozen, adapted, and where features and scores are."""
        return self._parts

    @property
    def preprocessing(self) -> Callable[[Tensor], Tensor]:
        """From frames to what the model takes."""
        return self._preprocessing

    @property
    def num_classes(self) -> int:
        """Number of classes `C`."""
        return self.parts.num_classes

    @property
    def feature_dim(self) -> int:
        """Number of feature channels `D`."""
        return self.parts.feature_dim

    def preprocess(self, frames: UInt8[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H2 W2"]:
        """Resize, scale and normalise, as the processor or the model says; in its precision."""
        return self.preprocessing(frames).to(dtype_of(self.model))

    def encode(self, images: Float[Tensor, "B 3 H2 W2"]) -> Encoded:
        """The answers of the frozen modules, or the images where nothing is frozen."""
        return record(self.model, self.parts.call, images, self.parts.split)

    def decode(self, encoded: Encoded) -> SegmenterOutput:
        """The model's own forward pass, from the answers of the frozen modules on."""
        parts = self.parts
        with ExitStack() as stack:
            features = self._caught(stack, parts.features)
            scores = self._caught(stack, parts.scores)
            if parts.scores is not None:
                stack.enter_context(stopped_after(self.model.get_submodule(parts.scores.name)))
            output = replay(self.model, self.parts.call, encoded, parts.split)
        logits = parts.reading.raw(scores[-1]) if scores else parts.reading(output)
        if parts.features is None:
            return SegmenterOutput(features=logits, logits=logits)
        if not features:
            raise SegmenterError(
                f"the feature layer {parts.features} was not run by decode; name one that is run "
                "after what is frozen."
            )
        return SegmenterOutput(features=self._map(features[-1], logits), logits=logits)

    def logits(self, images: Float[Tensor, "B 3 H2 W2"]) -> Float[Tensor, "B C h2 w2"]:
        """Those of `decode(encode(images))`, by one forward pass that nothing ends early."""
        with ExitStack() as stack:
            scores = self._caught(stack, self.parts.scores)
            output = self.parts.call(self.model, images)
        return self.parts.reading.raw(scores[-1]) if scores else self.parts.reading(output)

    def reference(self, images: Float[Tensor, "B 3 H2 W2"]) -> Float[Tensor, "B C h2 w2"]:
        """Logits of the model's own forward pass, all of it."""
        return self.parts.reading(self.parts.call(self.model, images))

    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        """What is adapted: modules by their names in the model, and single parameters."""
        modules = {name: self.model.get_submodule(name) for name in self.parts.modules}
        if self.parts.parameters:
            single = {name: self.model.get_parameter(name) for name in self.parts.parameters}
            modules["parameters"] = ParameterSubset(single)
        return modules

    def _caught(self, stack: ExitStack, layer: Layer | None) -> list[Any]:
        if layer is None:
            return []
        catch = caught_inputs if layer.side == "input" else caught_outputs
        return stack.enter_context(catch(self.model.get_submodule(layer.name)))

    def _map(self, caught: Any, logits: Tensor) -> Tensor:
        layer = self.parts.features
        assert layer is not None
        found = None
        if isinstance(caught, Tensor):
            linear = isinstance(self.model.get_submodule(layer.name), nn.Linear)
            found = as_map(caught, logits.shape[2:], channels_last=linear)
        if found is None:
            shown = tuple(caught.shape) if isinstance(caught, Tensor) else type(caught).__name__
            raise SegmenterError(
                f"the feature layer {layer} gave {shown}; expected a map over the image, "
                "(B, channels, h, w)."
            )
        return found
