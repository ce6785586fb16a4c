"""What of a model is learned of a domain, beside its decoder."""

from ditta_adapt.config import LowRank
from ditta_adapt.config.domain import EncoderLearning
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.models.with_detail import WithDetail
from ditta_adapt.models.with_low_rank import WithLowRank
from ditta_adapt.models.with_more import WithMore
from ditta_adapt.models.with_norms import WithNorms


def learnable(segmenter: Segmenter, encoder: EncoderLearning, *, detail: bool) -> Segmenter:
    """A segmenter whose adaptable modules are all that is learned.

    That is the segmenter itself, not a copy, where only its decoder is learned.

    Args:
        segmenter: the image model.
        encoder: what of its encoder is.
        detail: whether it looks at enlarged parts, too, see `WithDetail`.

    Raises:
        SegmenterError: its encoder has nothing of the kind.
    """
    whole: Segmenter = WithDetail(segmenter) if detail else segmenter
    if isinstance(encoder, LowRank):
        return WithLowRank(whole, encoder.rank)
    return WithNorms(whole) if encoder == "norms" else whole


def without_more(segmenter: Segmenter) -> Segmenter:
    """The model alone, whose adaptable modules are its decoder; nothing is copied."""
    return segmenter.segmenter if isinstance(segmenter, WithMore) else segmenter


def as_model(segmenter: Segmenter) -> Segmenter:
    """With what was learned, as a model of its own kind."""
    return segmenter.plain() if isinstance(segmenter, WithMore) else segmenter
