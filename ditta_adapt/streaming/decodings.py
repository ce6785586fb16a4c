"""One frame, decoded by whoever is asked, once each."""

import torch
from torch import Tensor

from ditta_adapt.models.segmenter import (
    Encoded,
    SegmenterOutput,
    all_finite,
    check_finite,
    check_form,
)
from ditta_adapt.ops.later import Later, answers_late
from ditta_adapt.training.student import Student


class Decodings:
    """The outputs of several students for one frame.

    Args:
        encoded: of the frame, by the encoder that they share.
    """

    def __init__(self, encoded: Encoded) -> None:
        self._encoded = encoded
        self._outputs: dict[int, SegmenterOutput] = {}
        self._sound: list[Tensor] = []

    @property
    def finite(self) -> Later | None:
        """Whether what was decoded so far is finite, 1 or 0 each; none where that was checked."""
        return Later(torch.stack(self._sound)) if self._sound else None

    def of(self, student: Student) -> SegmenterOutput:
        """The output of one of them.

        On a GPU its values are not checked here, which would wait for them, but put into `finite`.

        Raises:
            SegmenterError: the model raised, or its output breaks its contract.
        """
        known = self._outputs.get(id(student))
        if known is None:
            known = student.decode(self._encoded)
            own = student.segmenter
            check_form(known, own.num_classes, own.feature_dim)
            if answers_late(known.logits):
                self._sound += [all_finite(known.logits), all_finite(known.features)]
            else:
                check_finite(known)
            self._outputs[id(student)] = known
        return known
