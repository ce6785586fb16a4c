"""Every error the library raises on purpose, under one root.

Each message says what came, what was expected, and what to do about it.
"""


class DittaError(Exception):
    """Root of all errors raised by ditta-adapt."""


class InputError(DittaError, ValueError):
    """A value handed to a public function cannot be used."""


class ShapeError(InputError):
    """A tensor or frame has the wrong shape or dtype."""


class ConfigError(DittaError, ValueError):
    """A field of `AdaptConfig` is out of its range."""


class UnknownModelError(DittaError, TypeError):
    """`wrap` was given a model for which no adapter is known."""


class SegmenterError(DittaError):
    """An image model, or its adapter, breaks the `Segmenter` contract."""


class PropagationError(DittaError):
    """A propagator raised, or breaks the `Propagator` contract."""


class AdaptationError(DittaError):
    """Adaptation could not be completed; the model is as it was before."""


class CheckpointError(DittaError):
    """A saved adaptation is missing, corrupt, or belongs to a different model."""


class MissingDependencyError(DittaError, ImportError):
    """An optional third-party library is needed and not installed."""

    @classmethod
    def for_extra(cls, library: str, extra: str) -> "MissingDependencyError":
        """Error for an absent `library`, naming the extra of ditta-adapt that brings it."""
        return cls(
            f"{library} is not installed. Install it with: pip install 'ditta-adapt[{extra}]'"
        )


class DamagedFileWarning(UserWarning):
    """Only a part of a file could be read; the message says how much."""
