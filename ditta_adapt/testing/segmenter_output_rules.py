"""Rules on what a segmenter declares and returns."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ditta_adapt.models.feature_maps import same_proportions
from ditta_adapt.models.own_forward import ODD_SIZES
from ditta_adapt.models.parameters import adaptable_state
from ditta_adapt.models.segmenter import SegmenterOutput, check_output, is_segmenter
from ditta_adapt.testing.rule import require, require_close, require_equal, rule, skip
from ditta_adapt.testing.segmenter_case import SegmenterCase, encode, predict, tensors_in

CONTRACT = ("finite", "shared_grid", "num_classes", "feature_dim")
"""The checks that one look at the output of `decode` is made of."""


@rule(
    hint="Write a class with num_classes, feature_dim, preprocess, encode, decode and "
    "adaptable_modules, and a factory that returns an instance of it."
)
def builds(case: SegmenterCase) -> None:
    """The factory returns an object with the four methods, two classes and a feature at least."""
    segmenter = case.factory()
    require(not isinstance(segmenter, type), f"the factory returned the class {segmenter!r}.")
    require(is_segmenter(segmenter), f"a {type(segmenter).__name__} lacks one of the four methods.")
    for name, least in (("num_classes", 2), ("feature_dim", 1)):
        count = getattr(segmenter, name, None)
        good = isinstance(count, int) and not isinstance(count, bool) and count >= least
        require(good, f"{name} is {count!r}; expected an int of at least {least}.")


@rule(
    hint='Return the decoder by name, such as {"decode_head": self.model.decode_head}.',
    needs=("builds",),
)
def adaptable_modules(case: SegmenterCase) -> None:
    """`adaptable_modules` maps names to modules, with at least one parameter among them."""
    modules = case.factory().adaptable_modules()
    require(
        isinstance(modules, Mapping)
        and all(isinstance(k, str) and isinstance(v, nn.Module) for k, v in modules.items()),
        f"adaptable_modules returned {type(modules).__name__} {_shown(modules)}; expected a "
        "mapping of str to nn.Module.",
    )
    count = sum(1 for module in modules.values() for _ in module.parameters())
    require(count > 0, "the adaptable modules have no parameters.")


@rule(
    hint="Name modules by their role, never by an id, a counter or a time: saved adaptations are "
    "found again by these names.",
    needs=("adaptable_modules",),
)
def stable_names(case: SegmenterCase) -> None:
    """Two adapters from the factory name the same adaptable tensors, with the same shapes."""
    first, second = (
        {name: tuple(tensor.shape) for name, tensor in adaptable_state(case.factory()).items()}
        for _ in range(2)
    )
    different = sorted(set(first.items()) ^ set(second.items()))
    require(not different, f"names or shapes differ between two adapters: {different[:4]}.")


@rule(
    hint="Return ditta_adapt.SegmenterOutput(features=..., logits=...).",
    needs=("copies",),
)
def output_type(case: SegmenterCase) -> None:
    """`decode` returns a `SegmenterOutput` of two tensors."""
    segmenter = case.copy()
    output = predict(segmenter, case.frames_for(segmenter))
    shown = type(output).__name__
    require(isinstance(output, SegmenterOutput), f"decode returned a {shown}.")
    for name in ("features", "logits"):
        shown = type(getattr(output, name)).__name__
        require(isinstance(getattr(output, name), Tensor), f"{name} is a {shown}, no tensor.")


@rule(
    hint="preprocess gives (B, 3, H', W'), decode features (B, D, h, w) and logits (B, C, h, w), "
    "all floating point.",
    needs=("output_type",),
)
def ranks(case: SegmenterCase) -> None:
    """Images, features and logits are float, have four axes, and keep the batch size."""
    segmenter = case.copy()
    frames = case.frames_for(segmenter)
    output = predict(segmenter, frames)
    images = segmenter.preprocess(frames)
    for name, tensor in (
        ("preprocess", images),
        ("features", output.features),
        ("logits", output.logits),
    ):
        shape = tuple(tensor.shape)
        good = tensor.ndim == 4 and shape[0] == len(frames) and tensor.is_floating_point()
        require(good, f"{name}: {shape} {tensor.dtype} for a batch of {len(frames)} frames.")
    require(images.shape[1] == 3, f"preprocess gave {images.shape[1]} channels; expected 3.")


@rule(hint="Make num_classes and the logits' channels agree.", needs=("ranks",))
def num_classes(case: SegmenterCase) -> None:
    """Logits have `num_classes` channels."""
    segmenter = case.copy()
    found = predict(segmenter, case.frames_for(segmenter)).logits.shape[1]
    declared = segmenter.num_classes
    require(found == declared, f"logits have {found} channels; num_classes is {declared}.")


@rule(hint="Make feature_dim and the features' channels agree.", needs=("ranks",))
def feature_dim(case: SegmenterCase) -> None:
    """Features have `feature_dim` channels."""
    segmenter = case.copy()
    found = predict(segmenter, case.frames_for(segmenter)).features.shape[1]
    declared = segmenter.feature_dim
    require(found == declared, f"features have {found} channels; feature_dim is {declared}.")


@rule(
    hint="Check the weights, the preprocessing, and the precision; return log-probabilities "
    "clamped from below rather than the logarithm of 0.",
    needs=("ranks",),
)
def finite(case: SegmenterCase) -> None:
    """Features and logits have neither NaN nor infinity."""
    segmenter = case.copy()
    output = predict(segmenter, case.frames_for(segmenter))
    for name in ("features", "logits"):
        bad = int((~torch.isfinite(getattr(output, name))).sum())
        require(bad == 0, f"{bad} values of {name} are not finite.")


@rule(hint="Return both uncropped, and one of them resized if need be.", needs=("ranks",))
def shared_grid(case: SegmenterCase) -> None:
    """Features and logits are on one grid, or on two that lie over the same image."""
    segmenter = case.copy()
    output = predict(segmenter, case.frames_for(segmenter))
    grids = [tuple(tensor.shape[2:]) for tensor in (output.features, output.logits)]
    require(
        grids[0] == grids[1] or same_proportions(*grids),
        f"features are on a {grids[0]} grid, logits on {grids[1]}.",
    )


@rule(
    hint="Resize or pad in preprocess, so that frames of any size work.",
    needs=CONTRACT,
)
def odd_sizes(case: SegmenterCase) -> None:
    """Frames of 97 x 131 pixels work like any other."""
    segmenter = case.copy()
    frames = F.interpolate(case.frames_for(segmenter).float(), ODD_SIZES[0]).byte()
    output = predict(segmenter, frames)
    check_output(output, segmenter.num_classes, segmenter.feature_dim)
    count = output.logits.shape[0]
    require(count == len(frames), f"{len(frames)} frames gave logits for {count}.")


@rule(
    hint="Frames come as RGB. Keep the three channels apart: no conversion to grey, no mean over "
    "channels.",
    needs=("finite",),
)
def channel_order(case: SegmenterCase) -> None:
    """Red and blue exchanged give another prediction."""
    segmenter = case.copy()
    frames = case.frames_for(segmenter)
    if torch.equal(frames, frames.flip(1)):
        skip("the frames given are grey")
    logits, swapped = (predict(segmenter, x).logits.float() for x in (frames, frames.flip(1)))
    # A sum over channels in another order differs by rounding.
    differ = bool(((logits - swapped).abs() > 1e-4 * logits.std()).any())
    require(differ, "the logits of RGB frames and of the same frames as BGR are the same.")


@rule(
    hint="Keep no state between calls, and leave dropout and other randomness to the modules' "
    "train flags, which are off here.",
    needs=("finite",),
)
def deterministic(case: SegmenterCase) -> None:
    """In eval mode a frame gives the same output again, also after another frame."""
    segmenter = case.copy()
    frames = case.frames_for(segmenter)
    first, _, again = (predict(segmenter, frames[i : i + 1]) for i in (0, 1, 0))
    require_equal(again.logits, first.logits, "logits of one frame, before and after another,")
    require_equal(
        again.features, first.features, "features of one frame, before and after another,"
    )


@rule(
    hint="Keep the images of a batch apart: no statistics over the batch axis, no reshape that "
    "mixes it with another, no [0].",
    needs=("finite",),
)
def batch(case: SegmenterCase) -> None:
    """A batch of two frames gives what the two give alone, up to rounding."""
    segmenter = case.copy()
    frames = case.frames_for(segmenter)
    together = predict(segmenter, frames)
    alone = [predict(segmenter, frame[None]) for frame in frames]
    for name in ("logits", "features"):
        apart = torch.cat([getattr(output, name) for output in alone])
        require_close(getattr(together, name), apart, f"{name} of a batch and of its frames alone")


@rule(
    hint="Avoid in-place operations on what a method was given: an encoding is cached and decoded "
    "many times. An in-place activation as first layer of the decoder is the usual cause.",
    needs=("finite",),
)
def inputs_untouched(case: SegmenterCase) -> None:
    """`preprocess`, `encode` and `decode` do not write to their inputs."""
    segmenter = case.copy()
    frames = case.frames_for(segmenter)
    before = frames.clone()
    images = segmenter.preprocess(frames)
    require(torch.equal(frames, before), "preprocess changed the frames.")
    before = images.clone()
    with torch.no_grad():
        encoded = segmenter.encode(images)
    require(torch.equal(images, before), "encode changed the images.")
    kept = [tensor.clone() for tensor in tensors_in(encoded)]
    segmenter.decode(encoded)
    same = all(map(torch.equal, tensors_in(encoded), kept))
    require(same, "decode changed what encode returned.")


@rule(
    hint="Call the model's parts in the order of its own forward pass, without leaving out a "
    "layer, and let reference stop where decode does (before a final resize).",
    needs=("finite",),
)
def reference(case: SegmenterCase) -> None:
    """`decode(encode(preprocess(frames)))` is the model's own forward pass."""
    if case.reference is None:
        skip("pass reference=lambda images: model(images) to compare with the model itself")
    segmenter = case.copy()
    frames = case.frames_for(segmenter)
    with torch.no_grad():
        expected = case.reference(segmenter.preprocess(frames))
    shown = type(expected).__name__
    require(isinstance(expected, Tensor), f"reference returned a {shown}; expected the logits.")
    output = predict(segmenter, frames)
    require_close(output.logits, expected, "logits of the adapter and of the model itself")


@rule(
    hint="Return tuples, lists and dicts of tensors from encode, and let decode use nothing else: "
    "encodings are cached, and moved to the CPU and back.",
    needs=("finite",),
)
def encoding_moves(case: SegmenterCase) -> None:
    """An encoding can be stored on the CPU, tensor by tensor, and decoded later."""
    segmenter = case.copy()
    frames = case.frames_for(segmenter)
    encoded = encode(segmenter, frames)
    require(
        len(tensors_in(encoded)) > 0,
        f"no tensor is found in what encode returned, a {type(encoded).__name__}.",
    )

    def there_and_back(tensor: Tensor) -> Tensor:
        return tensor.to("cpu", copy=True).to(tensor.device)

    expected = predict(segmenter, frames).logits
    stored = pytree.tree_map_only(Tensor, there_and_back, encoded)
    # Whoever remembers the last frame in the adapter is found out.
    encode(segmenter, frames.flip(0))
    with torch.no_grad():
        found = segmenter.decode(stored).logits
    require_equal(found, expected, "logits of a stored and a fresh encoding")


def _shown(value: Any) -> str:
    return repr(list(value))[:80] if isinstance(value, Mapping) else repr(value)[:80]
