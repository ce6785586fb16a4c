"""Where a model can be cut into a frozen part and a part that is adapted."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ditta_adapt.models.discovery.trace import ModuleCall, Trace
from ditta_adapt.models.feature_maps import same_proportions
from ditta_adapt.models.named_modules import named_modules

MOST_OF_THE_WORK = 0.5
"""Share of all operations that a frozen part should do."""

_FEW_CELLS = 4


def possible_cuts(
    model: nn.Module, run: Trace, used: Sequence[ModuleCall], classifier: str | None
) -> Iterator[list[tuple[str, ...]]]:
    """Modules that could be frozen, level by level, the best choice of a level first.

    A cut is a moment of the run: what has ended by then is frozen. It has to come after the
    coarsest grid was reached, since until then the model gathers what the image is of (pooling to
    a few cells aside), and to leave a layer with weights besides the classifier to be adapted.

    The first level are the moments between the modules that the model itself calls, the second
    those between the modules that these call, and so on inwards. Of a level, the first moment is
    best by which at least half of the work is done; else the last one.

    Args:
        model: that was run.
        run: its run.
        used: the calls on which the scores depend, in the order they ended.
        classifier: name of the layer that turns features into scores, if there is one.
    """
    modules = named_modules(model)
    begin = _coarsest_reached(run, used)
    for depth in range(1, max((call.depth for call in run.calls), default=0) + 1):
        moments = [
            call
            for call in run.calls
            if call.depth == depth
            and call.end >= begin
            and _leaves_weights(call, used, modules, classifier)
        ]
        moments.sort(key=lambda call: call.end)
        late = [call for call in moments if call.flops >= MOST_OF_THE_WORK * run.flops]
        early = [call for call in moments if call.flops < MOST_OF_THE_WORK * run.flops]
        cuts = dict.fromkeys(ended_by(call.end, run) for call in late + early[::-1])
        yield [cut for cut in cuts if cut]


def can_be_stored(nest: Any) -> bool:
    """Whether an answer of a module is a nest of tensors and plain values."""
    plain = Tensor | int | float | str | bool | torch.dtype | torch.device | None
    return all(isinstance(leaf, plain) for leaf in pytree.tree_leaves(nest))


def ended_by(moment: int, run: Trace) -> tuple[str, ...]:
    """The outermost modules all of whose calls have ended by a moment."""
    still_called = {call.name for call in run.calls if call.end > moment}
    frozen: dict[str, None] = {}
    inside: set[int] = set()
    names_inside: set[str] = set()
    for number, call in enumerate(run.calls):
        if call.parent in inside:
            inside.add(number)
            names_inside.add(call.name)
        elif call.name not in still_called and can_be_stored(call.output):
            inside.add(number)
            frozen[call.name] = None
    # What is called inside of a frozen module, too, would be recorded and not be played there.
    return tuple(name for name in frozen if name not in names_inside)


def _coarsest_reached(run: Trace, used: Sequence[ModuleCall]) -> int:
    """The moment by which the coarsest grid of the run was reached, pooling aside."""
    height, width = run.images.shape[2:]
    grids = [
        (tensor.shape[2] * tensor.shape[3], call.end)
        for call in used
        for tensor in call.outputs
        if tensor.ndim == 4 and same_proportions(tensor.shape[2:], (height, width))
        # Pooling to so many cells does not care for the size of the image.
        if height != width or height % tensor.shape[2] == 0
        if tensor.shape[2] * tensor.shape[3] > _FEW_CELLS
    ]
    if not grids:
        return 0
    coarsest = min(cells for cells, _ in grids)
    return min(end for cells, end in grids if cells <= 1.2 * coarsest)


def _leaves_weights(
    moment: ModuleCall,
    used: Sequence[ModuleCall],
    modules: Mapping[str, nn.Module],
    classifier: str | None,
) -> bool:
    """Whether a layer with weights is left after a moment, besides the classifier and norms."""
    return any(
        call.start > moment.end
        and call.name != classifier
        and any(parameter.ndim > 1 for parameter in modules[call.name].parameters(recurse=False))
        for call in used
    )
