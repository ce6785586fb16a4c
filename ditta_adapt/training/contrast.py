"""The mask-contrastive term (Eq. 6, 7) over a video: momentum model and prototypes."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from ditta_adapt.config import Contrast
from ditta_adapt.losses import mask_contrastive_loss, mask_prototypes
from ditta_adapt.models.segmenter import SegmenterOutput
from ditta_adapt.ops.resize import resize_logits
from ditta_adapt.reliability import Normalizer, reliability
from ditta_adapt.training.student import Student


class ContrastiveTerm:
    """The term with the prototypes of the video so far.

    Args:
        student: the model that is trained; with a projection head.
        options: weight, temperature and certainty.
        normalizer: of the reliability, where that is the certainty.

    Attributes:
        momentum: the momentum model, a copy of the student to begin with.
    """

    def __init__(self, student: Student, options: Contrast, normalizer: Normalizer) -> None:
        assert student.projection is not None
        self.momentum = student.clone()
        self._projection = student.projection
        self._options, self._normalizer = options, normalizer
        self._prototypes: dict[int, Tensor] = {}

    def loss(
        self, live: SegmenterOutput, momentum: SegmenterOutput, object_ids: Int64[Tensor, "H W"]
    ) -> Float[Tensor, ""]:
        """Eq. 7 for one frame, times its weight.

        Args:
            live: of the student on the frame, with gradients.
            momentum: of the momentum model on the same frame.
            object_ids: `(H, W)`, 0 where there is no object.
        """
        size = (object_ids.shape[0], object_ids.shape[1])
        with torch.no_grad():
            ids, prototypes = self._update(momentum, object_ids, size)
        features = _unit_features(self._projection(live.features.float()), size)
        loss = mask_contrastive_loss(
            features, object_ids, ids, prototypes, temperature=self._options.temperature
        )
        return loss * self._options.weight

    def follow(self, student: Student) -> None:
        """Move the momentum model towards the student, after a step."""
        self.momentum.ema_update(student, self._options.ema_rate)

    def _update(
        self, momentum: SegmenterOutput, object_ids: Int64[Tensor, "H W"], size: tuple[int, int]
    ) -> tuple[Int64[Tensor, " N"], Float[Tensor, "N D"]]:
        """Prototypes of this frame (Eq. 6), averaged with those of earlier steps."""
        assert self.momentum.projection is not None
        features = _unit_features(self.momentum.projection(momentum.features.float()), size)
        certainty = self._certainty(momentum.logits, size)
        ids, prototypes = mask_prototypes(features, object_ids, certainty)
        for row, object_id in enumerate(ids.tolist()):
            if object_id in self._prototypes:
                mean = (prototypes[row] + self._prototypes[object_id]) / 2
                prototypes[row] = F.normalize(mean, dim=0)
            self._prototypes[object_id] = prototypes[row]
        return ids, prototypes

    def _certainty(
        self, logits: Float[Tensor, "1 C h w"], size: tuple[int, int]
    ) -> Float[Tensor, "H W"]:
        resized = resize_logits(logits, size)
        if self._options.certainty == "reliability":
            return reliability(resized, normalizer=self._normalizer)[0]
        entropy = torch.special.entr(resized.softmax(dim=1).softmax(dim=1)).sum(dim=1)[0]
        low, high = entropy.min(), entropy.max()
        # An even map ranks no pixel over another: 0 / 0 counts as certain everywhere.
        spread = torch.where(high > low, high - low, torch.ones_like(high))
        certainty: Tensor = 1 - (entropy - low) / spread
        return certainty


def _unit_features(
    features: Float[Tensor, "1 D h w"], size: tuple[int, int]
) -> Float[Tensor, "D H W"]:
    """Unit length over channels, resized to the frame, unit length again."""
    unit = F.normalize(features, dim=1)
    resized = F.interpolate(unit, size=size, mode="bilinear", align_corners=False)
    return F.normalize(resized[0], dim=0)
