"""From time to time: how far do the adapted weights still agree with the pre-trained ones?"""

from ditta_adapt.ops.later import Later
from ditta_adapt.safety.disagreement import logits_disagreement
from ditta_adapt.safety.drift_monitor import DriftMonitor
from ditta_adapt.streaming.decodings import Decodings
from ditta_adapt.training.student import Student


def second_opinion(
    monitor: DriftMonitor | None, decodings: Decodings, student: Student, frozen: Student
) -> Later | None:
    """Share of what the frozen model is sure of that the student says otherwise, where it is due.

    Args:
        monitor: knows when; none to ask nobody.
        decodings: of the frame last seen.
        student: as adapted.
        frozen: the same model with pre-trained weights.

    Raises:
        SegmenterError: the model raised, or its output breaks its contract.
    """
    if monitor is None or student is frozen or not monitor.wants_second_opinion:
        return None
    outputs = decodings.of(student), decodings.of(frozen)
    part, whole = logits_disagreement(outputs[0].logits, outputs[1].logits)
    return Later(part / whole)
