"""Where the class scores are in what a model returns, and what kind of scores they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ditta_adapt.errors import SegmenterError
from ditta_adapt.models.feature_maps import same_proportions
from ditta_adapt.models.readings import Kind, MapReading, Path, QueryReading, Reading, at, walk

# What libraries and papers call the answer; other names say nothing.
_MAIN = ("logits", "out", "sem_seg", "semantic", "seg", "segmentation", "main", "pred")

# What the outputs of models with queries are called: transformers', DETR's, those of the papers.
_QUERIES = (
    ("class_queries_logits", "masks_queries_logits"),
    ("logits", "pred_masks"),
    ("pred_logits", "pred_masks"),
)


@dataclass(frozen=True, slots=True)
class FoundScores:
    """The scores of a model, found in its output.

    Attributes:
        reading: reads them.
        note: what was chosen among, in plain words, where there was a choice; else empty.
    """

    reading: Reading
    note: str = ""


def find_scores(
    output: Any, images: Tensor, parameters: Sequence[nn.Parameter], threshold: float = 0.5
) -> FoundScores:
    """The scores among all that a model returns.

    Of a model with queries, their classes and masks. Else a floating-point tensor `(B, C, h, w)`
    with the proportions of the image. Of several, that which is called the answer (`logits`, `out`,
    ...); else that which depends on all that another one depends on, and more: an auxiliary head
    depends on less. Of several with as many channels, that which depends on the most weights, then
    the first.

    Args:
        output: of a run with gradients.
        images: what the model was run on.
        parameters: of the model.
        threshold: of a model with a single class.

    Raises:
        SegmenterError: there are none, or several that differ in their channels and none of which
            is known to be the answer; or they are labels, or say yes or no to each class.
    """
    check_has_scores(output, images)
    for classes, masks in _QUERIES:
        if _has_queries(output, classes, masks):
            return FoundScores(QueryReading(classes, masks))
    found = {path: leaf for path, leaf in walk(output) if _is_map(leaf, images)}
    named = [path for path in found if set(path) & set(_MAIN)]
    paths = named or [path for path in found if "aux" not in str(path).lower()] or list(found)
    note = ""
    if len(paths) > 1:
        paths = _main_ones(paths, found, parameters)
        channels = sorted({found[path].shape[1] for path in paths if found[path].shape[1] > 1})
        if len(channels) > 1:
            raise SegmenterError(
                f"the model returns maps of {' and '.join(map(str, channels))} channels, and none "
                "is known to be its answer. Say which: HookedSegmenter(model, logits=lambda "
                f"output: output{shown_path(paths[0])})."
            )
        paths = [path for path in paths if [found[path].shape[1]] == channels] or paths
    if len(found) > 1:
        note = f"logits are output{shown_path(paths[0])}, one of {len(found)} maps it returns"
    kind = kind_of_scores(found[paths[0]])
    return FoundScores(MapReading(paths[0], kind, threshold), note)


def check_has_scores(output: Any, images: Tensor) -> None:
    """Refuse an output in which nothing could be scores of the pixels of an image.

    Raises:
        SegmenterError: there is no map with the proportions of the image, and there are no masks
            of queries that have them.
    """
    masks = [
        at(output, (name,)) for classes, name in _QUERIES if _has_queries(output, classes, name)
    ]
    maps = [leaf for _, leaf in walk(output)]
    if not any(_is_map(leaf, images) for leaf in masks or maps):
        raise SegmenterError(_nothing_found(output, images))


def kind_of_scores(scores: Tensor) -> Kind:
    """What scores are, by their values and by the operation that made them.

    Raises:
        SegmenterError: sigmoids of several classes.
    """
    values = scores.detach().float()
    in_range = bool((values >= 0).all() and (values <= 1).all())
    # Hard ones are clamped.
    by_sigmoid = in_range and any(
        name in _last_operation(scores).lower() for name in ("sigmoid", "clamp")
    )
    if scores.shape[1] == 1:
        return "one probability" if by_sigmoid else "one logit"
    if in_range and bool(((values.sum(1) - 1).abs() < 1e-3).all()):
        return "probabilities"
    if by_sigmoid:
        raise SegmenterError(
            f"the model says yes or no to each of {scores.shape[1]} classes (a sigmoid), so a "
            "pixel may have several; labels here are one class a pixel. Wrap one class at a time, "
            "HookedSegmenter(model, logits=lambda output: output[:, k : k + 1]), or give the model "
            "a softmax if its classes exclude each other."
        )
    return "logits"


def shown_path(path: Path) -> str:
    """A path as code."""
    return "".join(f"[{key!r}]" for key in path)


def _has_queries(output: Any, classes: str, masks: str) -> bool:
    try:
        first, second = at(output, (classes,)), at(output, (masks,))
    except (AttributeError, KeyError, TypeError, IndexError):
        return False
    both = isinstance(first, Tensor) and isinstance(second, Tensor)
    return both and first.ndim == 3 and second.ndim == 4 and first.shape[:2] == second.shape[:2]


def _is_map(leaf: Any, images: Tensor) -> bool:
    return (
        isinstance(leaf, Tensor)
        and leaf.ndim == 4
        and leaf.is_floating_point()
        and leaf.shape[0] == images.shape[0]
        and leaf.shape[1] > 0
        and same_proportions(leaf.shape[2:], images.shape[2:])
    )


def _main_ones(
    paths: list[Path], found: Mapping[Path, Tensor], parameters: Sequence[nn.Parameter]
) -> list[Path]:
    """Those that depend on more than others do, the most weights first."""
    used = {path: _used(found[path], parameters) for path in paths}
    main = [path for path in paths if not any(used[path] < used[other] for other in paths)]
    sizes = {id(parameter): parameter.numel() for parameter in parameters}
    return sorted(main, key=lambda path: -sum(sizes[each] for each in used[path]))


def _used(scores: Tensor, parameters: Sequence[nn.Parameter]) -> frozenset[int]:
    if not scores.requires_grad:
        return frozenset()
    gradients = torch.autograd.grad(scores.sum(), parameters, allow_unused=True, retain_graph=True)
    return frozenset(
        id(parameter)
        for parameter, gradient in zip(parameters, gradients, strict=True)
        if gradient is not None
    )


# They move values, and make none.
_MOVES = ("Upsample", "View", "Slice", "Clone", "Permute", "Copy", "Pad", "Cat", "Reshape", "Alias")


def _last_operation(tensor: Tensor) -> str:
    """The name of the operation that made the values of a tensor."""
    node = tensor.grad_fn
    while node is not None and any(move in node.name() for move in _MOVES):
        node = node.next_functions[0][0]
    return "" if node is None else node.name()


def _nothing_found(output: Any, images: Tensor) -> str:
    shapes = [
        f"{str(leaf.dtype).removeprefix('torch.')} {tuple(leaf.shape)}"
        for _, leaf in walk(output)
        if isinstance(leaf, Tensor)
    ]
    labels = any(
        isinstance(leaf, Tensor) and not leaf.is_floating_point() and leaf.ndim >= 3
        for _, leaf in walk(output)
    )
    end = (
        "it returns labels, from which nothing can be learned: let it return the scores before "
        "the arg max"
        if labels
        else "name it, HookedSegmenter(model, logits=lambda output: ...), or wrap a model that "
        "labels pixels"
    )
    return (
        f"no map of class scores, floating point (B, C, h, w), is in what the model returns for "
        f"an image of {tuple(images.shape)}: {', '.join(shapes) or type(output).__name__}; {end}."
    )
