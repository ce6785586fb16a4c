"""One frame, decoded by whoever is asked, once each."""

from ditta_adapt.models.segmenter import Encoded, SegmenterOutput, check_output
from ditta_adapt.training.student import Student


class Decodings:
    """The outputs of several students for one frame.

    Args:
        encoded: of the frame, by the encoder that they share.
    """

    def __init__(self, encoded: Encoded) -> None:
        self._encoded = encoded
        self._outputs: dict[int, SegmenterOutput] = {}

    def of(self, student: Student) -> SegmenterOutput:
        """The output of one of them.

        Raises:
            SegmenterError: the model raised, or its output breaks its contract.
        """
        known = self._outputs.get(id(student))
        if known is None:
            known = student.decode(self._encoded)
            check_output(known, student.segmenter.num_classes, student.segmenter.feature_dim)
            self._outputs[id(student)] = known
        return known
