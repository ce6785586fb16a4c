"""Any torch model as a segmenter: its parts are found by running it, or named."""

import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, overload

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from ditta_adapt.errors import InputError, SegmenterError
from ditta_adapt.models.carried import NOTHING_SAID, preprocessing_for
from ditta_adapt.models.discovery.discover import Discovery
from ditta_adapt.models.discovery.hints import Hints
from ditta_adapt.models.discovery.known import discovery_of
from ditta_adapt.models.forward import model_errors
from ditta_adapt.models.image_function import ImageFunction
from ditta_adapt.models.named_modules import named_modules
from ditta_adapt.models.parameters import dtype_of
from ditta_adapt.models.parts import Layer, Parts
from ditta_adapt.models.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from ditta_adapt.models.replay import call_model
from ditta_adapt.models.replayed import ReplayedSegmenter
from ditta_adapt.models.unwrap import unwrap
from ditta_adapt.models.usable import check_weights


class HookedSegmenter(ReplayedSegmenter):
    """A segmenter made from any torch model, with no adapter class; `wrap(model)` makes it.

    What is not named is found when it is first needed, by running the model on noise: which part
    of it is frozen, which layer is the classifier, where the logits are in what it returns, which
    sizes it takes; see `ditta_adapt.describe`. `decode` is the model's own forward pass, in which
    the frozen modules answer from what `encode` recorded.

    Args:
        model: takes a float image batch `(B, 3, H, W)`; what is wrapped around it is taken off, as
            `wrap` does.
        features: name of the layer that gives the feature map, as in `named_modules()` of the model
            without its wrappers; `"input:classifier"` for what goes into a layer.
        decoder: name of the submodule that is adapted; what runs before it is frozen.
        adapt: shell-style patterns of the names of parameters that are adapted, such as
            `"head.*"`; in place of `decoder`. All of the model is then run at every step.
        frozen: names of the submodules that are frozen, in place of `decoder`; what is run after
            them is adapted.
        start: name of a submodule, in place of `decoder`: what runs before it is frozen, and what
            is run after that is adapted.
        call: how the model is run, `call(model, images)`, such as for a second input; by default
            `model(images)`.
        calls_vary: whether the number of times that the frozen part is called depends on the size
            of the image, as where a window slides.
        logits: takes the model's output, or the decoder's, and returns the scores `(B, C, h, w)`.
        mean: of the normalisation, in [0, 1] units.
        std: likewise.
        size: `(H, W)` to resize frames to, anti-aliased; by default frames keep their size.
        processor: what images are prepared with, see `wrap`; in place of `mean`, `std` and `size`.
        threshold: probability above which a pixel is of the class, of a model with a single one.
        num_classes: checked against what is found.
        feature_dim: likewise.

    Raises:
        InputError: a name or pattern that matches nothing; more than one way to say what is
            adapted; a model that is no module; a processor that cannot be used.

    Example:
        >>> HookedSegmenter(net, decoder="head", features="input:head.classifier")
        ... # doctest: +SKIP
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        features: str | None = None,
        decoder: str | None = None,
        adapt: str | Sequence[str] | None = None,
        frozen: str | Sequence[str] | None = None,
        start: str | None = None,
        call: Callable[[Any, Tensor], Any] | None = None,
        calls_vary: bool = False,
        logits: Callable[[Any], Tensor] | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        size: tuple[int, int] | None = None,
        processor: Any = None,
        threshold: float = 0.5,
        num_classes: int | None = None,
        feature_dim: int | None = None,
    ) -> None:
        self.model: Any = unwrap(model)
        if not isinstance(self.model, nn.Module):
            raise InputError(
                f"model is a {type(self.model).__name__}; expected a torch.nn.Module, whose parts "
                "can be found."
            )
        if sum(named is not None for named in (decoder, adapt, frozen, start)) > 1:
            raise InputError(
                "decoder, adapt, frozen and start are ways to say the same; give one of them at "
                "most, such as decoder='decode_head' or adapt='head.*'."
            )
        decoder, start = self._name(decoder), self._name(start)
        layer = None if features is None else Layer.parse(features)
        if layer is not None:
            layer = replace(layer, name=self._name(layer.name))
        patterns = _all_of(adapt)
        self._check_patterns(patterns)
        self._declared = {"num_classes": num_classes, "feature_dim": feature_dim}
        self._images = self._given_preprocessing(mean, std, size, processor)
        self._hints = Hints(
            call=call or call_model,
            decoder=decoder,
            adapt=patterns,
            frozen=tuple(map(self._name, _all_of(frozen))),
            start=start,
            calls_vary=calls_vary,
            features=layer,
            logits=logits,
            sizes=_known_sizes(self.model, size),
            threshold=threshold,
        )
        self._discovery: Discovery | None = None

    @property
    def discovery(self) -> Discovery:
        """What was found of the model, by running it when this is first asked for.

        Raises:
            SegmenterError: the model cannot be run on an image alone, returns no scores of
                classes, lets no gradient pass, or has no weights here.
        """
        if self._discovery is None:
            check_weights([self.model])
            with model_errors(self, "a run on noise"):
                found = discovery_of(self.model, self._hints)
            self._check_declared(found.parts)
            self._discovery = found
        return self._discovery

    @property
    def parts(self) -> Parts:
        """What is frozen, adapted, and where features and scores are."""
        return self.discovery.parts

    @property
    def preprocessing(self) -> Preprocessing | ImageFunction:
        """From frames to images of a size that the model takes."""
        return self._images.for_sizes(self.discovery.sizes)

    def preprocess(
        self, frames: UInt8[Tensor, "B 3 H W"], *, scale: float = 1.0
    ) -> Float[Tensor, "B 3 H2 W2"]:
        """Resize, rescale and normalise, as the processor or the model says; in its precision.

        Args:
            frames: RGB.
            scale: how many times larger than usual the model is to see them; one of a fixed size
                sees them as usual.
        """
        return self.preprocessing(frames, scale=scale).to(dtype_of(self.model))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know, in plain words; empty where nothing had to be assumed."""
        said = () if str(self._images) != NOTHING_SAID else (NOTHING_SAID,)
        return (*self.discovery.notes, *said)

    def __repr__(self) -> str:
        head = f"{type(self).__name__}({type(self.model).__name__}"
        if self._discovery is None:
            return f"{head}, not run yet)"
        parts, found = self.parts, self.discovery
        adapted = ", ".join((*parts.modules, *parts.parameters))
        frozen = "all of it is run at every step"
        if parts.split.frozen:
            frozen = f"frozen: {', '.join(parts.split.frozen)}"
        notes = "".join(f"; {note}" for note in self.notes)
        return (
            f"{head}, {parts.num_classes} classes, {found.sizes}; {frozen}; adapted: {adapted}"
            f"{notes})"
        )

    def _given_preprocessing(
        self,
        mean: Sequence[float] | None,
        std: Sequence[float] | None,
        size: tuple[int, int] | None,
        processor: Any,
    ) -> Preprocessing | ImageFunction:
        given = [value for value in (mean, std, size) if value is not None]
        if not given:
            return preprocessing_for(self.model, processor)
        if processor is not None:
            raise InputError("give either processor, or mean, std and size; not both.")
        settings: dict[str, Any] = {
            "image_mean": IMAGENET_MEAN if mean is None else tuple(mean),
            "image_std": IMAGENET_STD if std is None else tuple(std),
        }
        if size is not None:
            settings |= {"do_resize": True, "size": {"height": size[0], "width": size[1]}}
        return Preprocessing(settings, "as mean, std and size say")

    @overload
    def _name(self, name: str) -> str: ...
    @overload
    def _name(self, name: None) -> None: ...
    def _name(self, name: str | None) -> str | None:
        """The name a module goes by, of the several that one in several places has."""
        if name is None:
            return None
        try:
            module = self.model.get_submodule(name)
        except AttributeError:
            module = self.model
        if module is self.model:
            raise InputError(
                f"{type(self.model).__name__} has no submodule {name!r}; its top level has "
                f"{[child for child, _ in self.model.named_children()]}."
            )
        return next(key for key, each in named_modules(self.model).items() if each is module)

    def _check_patterns(self, patterns: Sequence[str]) -> None:
        names = [name for name, _ in self.model.named_parameters()]
        if patterns and not any(
            fnmatch.fnmatchcase(name, pattern) for name in names for pattern in patterns
        ):
            raise InputError(
                f"no parameter matches {list(patterns)}; the last ones are {names[-5:]}."
            )

    def _check_declared(self, parts: Parts) -> None:
        for name, declared in self._declared.items():
            found = getattr(parts, name)
            if declared not in (None, found):
                raise SegmenterError(
                    f"{name} is given as {declared}, and the model has {found}. Leave it out, or "
                    "name other parts."
                )


def _all_of(names: str | Sequence[str] | None) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names or ())


def _known_sizes(model: nn.Module, size: tuple[int, int] | None) -> tuple[tuple[int, int], ...]:
    """`(H, W)` that the caller or the configuration of a model names."""
    named: list[Any] = [size]
    configs = [getattr(model, "config", None)]
    configs.append(getattr(configs[0], "backbone_config", None))
    named += [getattr(config, "image_size", None) for config in configs]
    for module in named_modules(model).values():
        named += [getattr(module, key, None) for key in ("img_size", "image_size")]
    sizes: dict[tuple[int, int], None] = {}
    for each in named:
        pair = (each, each) if isinstance(each, int) else each
        if isinstance(pair, Sequence) and len(pair) == 2 and all(isinstance(s, int) for s in pair):
            sizes[pair[0], pair[1]] = None
    return tuple(sizes)
