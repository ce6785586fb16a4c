"""How much memory a run may use: a choice of the machine, not of the method."""

from dataclasses import dataclass

from ditta_adapt.config.record import Record, Size

_GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheBudget(Record):
    """What may be kept of the warm-up: encodings, and logits on their grid.

    Attributes:
        device_bytes: on the model's device.
        cpu_bytes: on the CPU, for what does not fit there; the rest is computed again. For a model
            on the CPU the two add up.
    """

    device_bytes: Size = 2 * _GIB
    cpu_bytes: Size = 4 * _GIB
