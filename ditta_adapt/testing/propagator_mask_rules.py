"""Rules on the masks a propagator's sessions return."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ditta_adapt.io.frames import Frame
from ditta_adapt.models.own_forward import ODD_SIZES
from ditta_adapt.teachers.propagator import Masks, Prompt
from ditta_adapt.testing.propagator_case import (
    PropagatorCase,
    follow,
    iou,
    require_same_tracks,
)
from ditta_adapt.testing.rule import require, rule
from ditta_adapt.testing.shapes_video import LATE, LEAVER, MOVER

# A mask that stays where it was prompted scores 0.2 after five frames of the moving square.
_FOLLOWS, _HONOURED, _UNCHANGED = 0.4, 0.5, 0.95

CONTRACT = ("masks", "ids")
"""The checks that one look at a session's answer is made of."""


@rule(
    hint="Write a class with open(frames), a context manager that yields an object with "
    "prompt(t, prompts) and propagate(t, to), and a factory that returns an instance of it."
)
def builds(case: PropagatorCase) -> None:
    """The factory returns an object whose `open` yields a session with the two methods."""
    propagator = case.factory()
    shown = getattr(propagator, "__name__", type(propagator).__name__)
    good = not isinstance(propagator, type) and callable(getattr(propagator, "open", None))
    require(good, f"the factory returned {shown}, which is no object with a method open.")
    opened = propagator.open(case.frames())
    good = hasattr(opened, "__enter__") and hasattr(opened, "__exit__")
    require(good, f"open returned a {type(opened).__name__}, which is no context manager.")
    with opened as session:
        for name in ("prompt", "propagate"):
            shown = type(session).__name__
            require(
                callable(getattr(session, name, None)), f"the session, a {shown}, has no {name}."
            )


@rule(
    hint="Return ditta_adapt.Masks, resized to the frame's own size and compared with a threshold.",
    needs=("builds",),
)
def masks(case: PropagatorCase) -> None:
    """`prompt` and `propagate` return `Masks`: `(N, H, W)` bool, at the frame's own size."""
    with case.open() as session:
        prompts = [case.prompt(MOVER, 0, 1), case.prompt(LATE, 0, 2)]
        answers = {"prompt": session.prompt(0, prompts), "propagate": session.propagate(0, 1)}
    for call, answer in answers.items():
        require(isinstance(answer, Masks), f"{call} returned a {type(answer).__name__}.")
        found = answer.masks
        require(isinstance(found, Tensor), f"{call}: masks is a {type(found).__name__}, no tensor.")
        expected = (2, *case.video.truth.shape[2:])
        require(
            tuple(found.shape) == expected and found.dtype == torch.bool,
            f"{call}: masks are {tuple(found.shape)} {found.dtype}; expected {expected} bool.",
        )


@rule(
    hint="Keep a list of the ids in the order of prompting, and return it with every answer.",
    needs=("builds",),
)
def ids(case: PropagatorCase) -> None:
    """`object_ids` is int64 and holds every prompted id, in the order of prompting."""
    with case.open() as session:
        answers = [session.prompt(0, [case.prompt(MOVER, 0, 7), case.prompt(LATE, 0, 3)])]
        answers += [session.propagate(0, 1), session.propagate(1, 2)]
        answers.append(session.prompt(2, [case.prompt(LATE, 2, 5)]))
    for answer, expected in zip(answers, [[7, 3]] * 3 + [[7, 3, 5]], strict=True):
        found = answer.object_ids
        require(
            isinstance(found, Tensor) and found.dtype == torch.int64,
            f"object_ids is {found!r:.80}; expected an int64 tensor.",
        )
        require(found.tolist() == expected, f"ids are {found.tolist()}; expected {expected}.")


@rule(hint="Return empty (0,) ids and (0, H, W) masks while there is no object.", needs=CONTRACT)
def no_prompt(case: PropagatorCase) -> None:
    """Without an object, both methods work and return no mask."""
    with case.open() as session:
        for call, answer in (
            ("propagate(0, 1)", session.propagate(0, 1)),
            ("prompt(1, [])", session.prompt(1, [])),
        ):
            shapes = tuple(answer.object_ids.shape), tuple(answer.masks.shape)
            expected = (0,), (0, *case.video.truth.shape[2:])
            require(shapes == expected, f"{call} gave ids and masks of shapes {shapes}.")


@rule(hint="Handle regions of a single pixel; an empty mask later on is fine.", needs=CONTRACT)
def one_pixel(case: PropagatorCase) -> None:
    """An object of one pixel can be prompted, in a corner too, and keeps its id."""
    height, width = case.video.truth.shape[2:]
    prompts = []
    for number, (y, x) in enumerate(((26, 30), (0, 0), (height - 1, width - 1)), start=1):
        region = torch.zeros(height, width, dtype=torch.bool, device="cpu")
        region[y, x] = True
        prompts.append(Prompt.on(region, number))
    with case.open() as session:
        follow(session, case.video.frames, range(3), {0: prompts})


@rule(hint="Handle a region without background.", needs=CONTRACT)
def full_frame(case: PropagatorCase) -> None:
    """An object that fills the frame can be prompted and followed."""
    region = torch.ones(case.video.truth.shape[2:], dtype=torch.bool, device="cpu")
    with case.open() as session:
        follow(session, case.video.frames, range(3), {0: [Prompt.on(region, 1)]})


@rule(
    hint="Start from the prompt's point or from its region; points are (x, y): column, row.",
    needs=CONTRACT,
)
def prompted_object(case: PropagatorCase) -> None:
    """On the prompted frame, a mask covers the object of its prompt (IoU of 0.5 or more)."""
    shapes = (MOVER, LATE)
    with case.open() as session:
        found = session.prompt(0, [case.prompt(shape, 0, shape + 1) for shape in shapes])
    for shape, mask in zip(shapes, found.masks.cpu(), strict=True):
        score = iou(mask, case.video.truth[0, shape])
        require(score >= _HONOURED, f"the mask has an IoU of {score:.2f} with the prompted object.")


@rule(hint="Move masks from frame t to frame t + 1.", needs=("prompted_object",))
def forward(case: PropagatorCase) -> None:
    """A moving object is followed forward in time (IoU of 0.4 or more after five frames)."""
    _require_followed(case, range(case.last + 1))


@rule(hint="Move masks from frame t to frame t - 1 too.", needs=("prompted_object",))
def backward(case: PropagatorCase) -> None:
    """A moving object is followed backward in time (IoU of 0.4 or more after five frames)."""
    _require_followed(case, range(case.last, -1, -1))


@rule(
    hint="Prompt the new object alone; do not start the others again from their last masks or "
    "their first prompts.",
    needs=CONTRACT,
)
def late_object(case: PropagatorCase) -> None:
    """An object added later leaves the masks of the others as they are (IoU of 0.95 or more)."""
    order = range(case.last + 1)
    with case.open() as session:
        prompts = {0: [case.prompt(MOVER, 0, 1)]}
        alone = follow(session, case.video.frames, order, prompts)
    with case.open() as session:
        prompts = {0: [case.prompt(MOVER, 0, 1)], 2: [case.prompt(LATE, 2, 2)]}
        joined = follow(session, case.video.frames, order, prompts)
    for t, expected in alone.items():
        score = iou(joined[t][0], expected[0])
        require(
            score >= _UNCHANGED,
            f"with another object added on frame 2, the first one's mask on frame {t} has an IoU "
            f"of {score:.2f} with what it is alone.",
        )


@rule(hint="Keep the id, with an empty mask.", needs=("prompted_object",))
def leaving_object(case: PropagatorCase) -> None:
    """An object that leaves the image keeps its id, and does not grow over the image."""
    prompts = {0: [case.prompt(LEAVER, 0, 1), case.prompt(MOVER, 0, 2)]}
    with case.open() as session:
        tracks = follow(session, case.video.frames, range(case.last + 1), prompts)
    start = int(case.video.truth[0, LEAVER].sum())
    largest = max(int(masks[0].sum()) for masks in tracks.values())
    require(largest <= 2 * start, f"leaving, an object of {start} pixels grows to {largest}.")


@rule(
    hint="Resize masks to the frame's own size, not to a multiple of a stride, and crop what was "
    "padded before.",
    needs=("prompted_object",),
)
def odd_sizes(case: PropagatorCase) -> None:
    """Frames of 97 x 131 pixels work like any other (IoU of 0.5 or more with the prompt)."""
    frames: list[Frame] = []
    for frame in case.video.frames[:3]:
        image = torch.from_numpy(frame).permute(2, 0, 1)[None].float()
        frames.append(F.interpolate(image, ODD_SIZES[0])[0].byte().permute(1, 2, 0).numpy())
    region = F.interpolate(case.video.truth[0, MOVER][None, None].float(), ODD_SIZES[0])[0, 0] > 0
    with case.open(frames=frames) as session:
        tracks = follow(session, frames, range(3), {0: [Prompt.on(region, 1)]})
    score = iou(tracks[0][0], region)
    require(score >= _HONOURED, f"the mask has an IoU of {score:.2f} with the prompted object.")


@rule(hint="Take numpy arrays and torch tensors.", needs=CONTRACT)
def tensor_frames(case: PropagatorCase) -> None:
    """Frames as torch tensors give the same masks as frames as numpy arrays."""
    tensors: list[Frame] = [torch.from_numpy(frame.copy()) for frame in case.video.frames]
    results = []
    for frames in (case.frames(), tensors):
        prompts = {0: [case.prompt(MOVER, 0, 1)]}
        with case.open(frames=frames) as session:
            results.append(follow(session, frames, range(3), prompts))
    require_same_tracks(results[1], results[0], "tensors against arrays")


@rule(hint="Work on copies of frames and regions.", needs=CONTRACT)
def inputs_untouched(case: PropagatorCase) -> None:
    """Frames and prompts are not written to."""
    frames = case.frames()
    prompts = [case.prompt(MOVER, 0, 1), case.prompt(LATE, 0, 2)]
    kept = [prompt.region.clone() for prompt in prompts]
    with case.open(frames=frames) as session:
        follow(session, frames, range(3), {0: prompts})
    same = all(map(np.array_equal, frames, case.video.frames))
    require(same and len(frames) == case.last + 1, "the frames were changed.")
    same = all(torch.equal(p.region, region) for p, region in zip(prompts, kept, strict=True))
    require(same, "the region of a prompt was changed.")


def _require_followed(case: PropagatorCase, order: Sequence[int]) -> None:
    prompts: dict[int, list[Prompt]] = {order[0]: [case.prompt(MOVER, order[0], 1)]}
    with case.open() as session:
        tracks = follow(session, case.video.frames, order, prompts)
    score = iou(tracks[order[-1]][0], case.video.truth[order[-1], MOVER])
    require(
        score >= _FOLLOWS,
        f"after {len(order) - 1} frames the mask has an IoU of {score:.2f} with the object.",
    )
