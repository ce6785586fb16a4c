"""What adaptation has changed of a student: copied, interpolated, checked."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ditta_adapt.errors import AdaptationError
from ditta_adapt.models.parameters import adaptable_state, other_buffers
from ditta_adapt.training.student import Student


def copy_of_weights(student: Student) -> dict[str, Tensor]:
    """What `interpolate` goes to: what adaptation changes, cloned; see `adaptable_state`."""
    return {
        name: tensor.detach().clone() for name, tensor in adaptable_state(student.segmenter).items()
    }


def interpolate(student: Student, start: Student, end: dict[str, Tensor], share: float) -> None:
    """Set the weights of a student, in place, to `start + share * (end - start)`.

    Where both are equal they stay so, infinite ones too. An add-on, which has no start, stays.
    """
    origin = adaptable_state(start.segmenter)
    with torch.no_grad():
        for name, tensor in adaptable_state(student.segmenter).items():
            first, last = origin[name].to(tensor), end[name]
            tensor.copy_(torch.where(first == last, last, torch.lerp(first, last, share)))


@contextmanager
def buffers_kept(student: Student) -> Iterator[None]:
    """What a decoder writes into its buffers inside is undone, but for running statistics.

    So a student is what its weights say, and is the same after they were saved and loaded.
    """
    before = [
        (owner, leaf, buffer, buffer.detach().clone())
        for owner, leaf, buffer in other_buffers(student.segmenter)
    ]
    yield
    for owner, leaf, same, kept in before:
        buffer = getattr(owner, leaf)
        if buffer is not same or not torch.equal(buffer, kept):
            # Put back as a whole: it may have got another size, or be expanded from one value.
            setattr(owner, leaf, kept)


def check_finite(student: Student, start: Student) -> None:
    """Refuse weights that training has made infinite or NaN; what was so before may stay.

    Raises:
        AdaptationError: there are some.
    """
    origin = adaptable_state(start.segmenter)
    for name, tensor in adaptable_state(student.segmenter).items():
        broken = origin[name].isfinite() & ~tensor.isfinite()
        if broken.any():
            raise AdaptationError(
                f"{int(broken.sum())} values of {name} are not finite after training. Lower "
                "learning_rate, or train fewer passes."
            )
