"""Rules on a segmenter's weights: what learns, what moves, and what must stay as it is."""

from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from ditta_adapt.models.parameters import (
    adaptable_parameters,
    adaptable_state,
    device_of,
    modules_of,
    other_buffers,
)
from ditta_adapt.models.private_copy import private_copy
from ditta_adapt.models.segmenter import check_output
from ditta_adapt.testing.rule import require, require_equal, rule, skip
from ditta_adapt.testing.segmenter_case import (
    SegmenterCase,
    changes,
    encode,
    loss_of,
    module_of,
    predict,
    set_train_mode,
    state_of,
    tensors_in,
    training_step,
)
from ditta_adapt.testing.segmenter_output_rules import CONTRACT


@rule(
    hint="Keep locks, open files and the like out of the adapter and the model, or give them a "
    "__deepcopy__.",
    needs=("adaptable_modules",),
)
def copies(case: SegmenterCase) -> None:
    """The adapter can be copied; the copy has adaptable parameters of its own."""
    segmenter = case.factory()
    duplicate = private_copy(segmenter)
    own = {id(parameter) for parameter in adaptable_parameters(segmenter)}
    shared = [p for p in adaptable_parameters(duplicate) if id(p) in own]
    require(not shared, f"{len(shared)} adaptable parameters are shared with the copy.")


@rule(
    hint="Reach the model through an attribute (self.model), not through a closure, a global or a "
    "container: only what is reached so is copied, and kept as it is.",
    needs=("finite",),
)
def original_untouched(case: SegmenterCase) -> None:
    """Prediction and adaptation on a copy leave the original as it is, also in train mode."""
    for train in (False, True):
        segmenter = case.factory()
        if train:
            set_train_mode(segmenter)
        before = state_of(segmenter)
        duplicate = private_copy(segmenter)
        frames = case.frames_for(duplicate)
        predict(duplicate, frames)
        training_step(duplicate, encode(duplicate, frames))
        found = changes(before, state_of(segmenter))
        mode = "train" if train else "its own"
        require(not found, f"the original, in {mode} mode, was changed: {found[:4]}.")


@rule(
    hint="Remove hooks in a finally block, and never call train(), eval() or requires_grad_() in "
    "preprocess, encode or decode.",
    needs=("finite",),
)
def prediction_is_pure(case: SegmenterCase) -> None:
    """Prediction changes no weight, buffer, train flag or `requires_grad`, and leaves no hook."""
    segmenter = case.copy()
    frames = case.frames_for(segmenter)
    before = state_of(segmenter)
    predict(segmenter, frames)
    between = state_of(segmenter)
    predict(segmenter, frames)
    after = state_of(segmenter)
    # Some libraries hook their own modules once, on first use; what may not be is one more a call.
    found = [name for name in changes(before, after) if not name.startswith("hooks of")]
    found += [name for name in changes(between, after) if name.startswith("hooks of")]
    require(not found, f"prediction changed {found[:4]}.")


@rule(
    hint="Move what adaptable_modules returns out of encode, or declare less: encodings are "
    "computed once, before adaptation.",
    needs=("finite",),
)
def encode_is_frozen(case: SegmenterCase) -> None:
    """`encode` uses no parameter that adaptation may change."""
    segmenter = case.copy()
    encoded = segmenter.encode(segmenter.preprocess(case.frames_for(segmenter)))
    learning = [tensor for tensor in tensors_in(encoded) if tensor.requires_grad]
    require(not learning, f"{len(learning)} tensors of the encoding depend on such a parameter.")


@rule(
    hint="Declare exactly what decode runs, and do not detach, copy data out, or work under "
    "no_grad in decode.",
    needs=("finite",),
)
def gradients(case: SegmenterCase) -> None:
    """Gradients of decode reach exactly the parameters of the adaptable modules."""
    segmenter = case.copy()
    output = segmenter.decode(encode(segmenter, case.frames_for(segmenter)))
    reached = _leaves(loss_of(output))
    names = {
        id(tensor): name
        for name, tensor in adaptable_state(segmenter).items()
        if isinstance(tensor, torch.nn.Parameter)
    }
    missed = [name for key, name in names.items() if key not in reached]
    require(not missed, f"{len(missed)} declared parameters get no gradient: {missed[:4]}.")
    others = [tuple(tensor.shape) for key, tensor in reached.items() if key not in names]
    require(not others, f"{len(others)} undeclared parameters get one, of shapes {others[:4]}.")


@rule(
    hint="Keep everything that decode depends on and that training changes in parameters and "
    "buffers of the adaptable modules.",
    needs=("gradients",),
)
def restores(case: SegmenterCase) -> None:
    """Snapshot, training step, restore: the prediction is what it was, bit for bit."""
    segmenter = case.copy()
    frames = case.frames_for(segmenter)
    encoded = encode(segmenter, frames)
    before = predict(segmenter, frames)
    state = adaptable_state(segmenter)
    kept = {name: tensor.detach().clone() for name, tensor in state.items()}
    buffers = [(at, name, buffer.detach().clone()) for at, name, buffer in other_buffers(segmenter)]
    training_step(segmenter, encoded)
    stepped = predict(segmenter, frames)
    require(
        not torch.equal(stepped.logits, before.logits),
        "a training step changed no logit, so decode does not use the weights it trains.",
    )
    with torch.no_grad():
        for name, tensor in adaptable_state(segmenter).items():
            tensor.copy_(kept[name])
        for owner, name, buffer in buffers:
            setattr(owner, name, buffer)
    after = predict(segmenter, frames)
    require_equal(after.logits, before.logits, "logits before a step and after undoing it")


@rule(
    hint="Register buffers as persistent, and make them in the constructor, not on first use.",
    needs=("gradients",),
)
def state_dict(case: SegmenterCase) -> None:
    """Adapted modules, saved by `state_dict` and loaded into a fresh copy, predict the same."""
    original = case.factory()
    adapted, fresh = private_copy(original), private_copy(original)
    frames = case.frames_for(adapted)
    training_step(adapted, encode(adapted, frames))
    targets = fresh.adaptable_modules()
    for name, module in adapted.adaptable_modules().items():
        tensors = {key: tensor.clone().contiguous() for key, tensor in module.state_dict().items()}
        targets[name].load_state_dict(load(save(tensors)), strict=True)
    expected, found = predict(adapted, frames).logits, predict(fresh, frames).logits
    require_equal(found, expected, "logits of adapted modules and of their saved copy")


@rule(
    hint="Do not switch gradients on inside the adapter.",
    needs=("finite",),
)
def no_graph(case: SegmenterCase) -> None:
    """Under `torch.no_grad` nothing keeps a graph, so that streaming needs constant memory."""
    segmenter = case.copy()
    frames = case.frames_for(segmenter)
    encoded = encode(segmenter, frames)
    output = predict(segmenter, frames)
    for tensor in (*tensors_in(encoded), output.features, output.logits):
        require(not tensor.requires_grad, "a result of no_grad requires gradients.")


@rule(
    hint="Avoid casts by hand and fixed dtypes between layers; compare dtypes only where it "
    "matters.",
    needs=CONTRACT,
)
def autocast(case: SegmenterCase) -> None:
    """Under bfloat16 autocast the output keeps its contract."""
    segmenter = case.copy()
    with torch.autocast(device_of(segmenter).type, dtype=torch.bfloat16):
        output = predict(segmenter, case.frames_for(segmenter))
    check_output(output, segmenter.num_classes, segmenter.feature_dim)


@rule(
    hint="Let preprocess end with .to(next(self.model.parameters()).dtype).",
    needs=CONTRACT,
)
def dtype_moves(case: SegmenterCase) -> None:
    """With `.model` in bfloat16 the adapter works, and its output keeps its contract."""
    segmenter = case.copy()
    model = module_of(segmenter)
    if model is None:
        skip("the adapter has no .model")
    model.to(torch.bfloat16)
    output = predict(segmenter, case.frames_for(segmenter))
    check_output(output, segmenter.num_classes, segmenter.feature_dim)


@rule(
    hint="Make constants with new_tensor of an input, or register them as buffers; fix no device.",
    needs=CONTRACT,
)
def device_moves(case: SegmenterCase) -> None:
    """Moved to another device, the adapter works there."""
    segmenter = case.copy()
    device = second_device(device_of(segmenter))
    if device is None:
        skip("there is no second device")
    for module in modules_of(segmenter):
        module.to(device)
    output = predict(segmenter, case.frames_for(segmenter))
    for tensor in (output.features, output.logits):
        found = tensor.device.type
        require(found == device.type, f"moved to {device.type}, it answers on {found}.")


def second_device(first: torch.device) -> torch.device | None:
    """A device of another type than the first, if this machine has one."""
    available = [
        name
        for name, present in (
            ("cuda", torch.cuda.is_available()),
            ("mps", torch.backends.mps.is_available()),
            ("cpu", True),
        )
        if present and name != first.type
    ]
    return torch.device(available[0]) if available else None


def _leaves(loss: Tensor) -> dict[int, Tensor]:
    """The tensors that a backward pass would give gradients to, by identity."""
    found: dict[int, Tensor] = {}
    seen: set[Any] = set()
    stack = [loss.grad_fn]
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        if variable is not None:
            found[id(variable)] = variable
        stack += [parent for parent, _ in node.next_functions]
    return found
