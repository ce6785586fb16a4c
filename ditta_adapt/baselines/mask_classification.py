"""I-SAM2: masks of a propagator, each labelled by a classifier of the features inside it."""

import copy
from typing import Any

from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from ditta_adapt.baselines.arguments import check_count
from ditta_adapt.baselines.automatic_masks import MaskThresholds
from ditta_adapt.baselines.image_prediction import ImagePrediction
from ditta_adapt.baselines.mask_classifier import MaskClassifier, Source, pool_masks
from ditta_adapt.baselines.masklets import Masklets
from ditta_adapt.baselines.painting import paint_by_area
from ditta_adapt.baselines.streamed import StreamedMethod
from ditta_adapt.errors import InputError, PropagationError
from ditta_adapt.models.caller_state import own_gradient_mode
from ditta_adapt.models.parameters import device_of
from ditta_adapt.teachers.live_session import LiveSession
from ditta_adapt.teachers.propagator import Propagator


class MaskClassification(StreamedMethod):
    """Find masks from a grid of points, follow them through a window, and classify each by itself.

    In every frame the features inside a mask are averaged (`pool_masks`) and a trained
    `MaskClassifier` says its class; where masks overlap, the smallest one counts. With features of
    a SAM2 propagator this is I-SAM2, with those of the image model "I-<that model>".

    Args:
        model: a model of a known type, or any `Segmenter`. Its label maps give the regions of the
            prompts, and perhaps its features.
        propagator: what follows objects, or the registered name of one; of the kind that the
            classifier was trained with.
        classifier: of `train_mask_classifier`, or loaded; copied.
        base: whether pixels without a mask take the image model's label (I-SAM2_base). If not,
            they are class 0, since a label outside the classes counts nowhere.
        points_per_side: of the grid of prompts.
        window: length of a window in frames.
        thresholds: of masks that the propagator proposes by itself.

    Raises:
        InputError: an argument out of its range, or a classifier that does not fit the model.

    Source: "Evaluating SAM2 for video semantic segmentation", I-SAM2 and I-SAM2_base; the rule for
    overlaps and class 0 are choices.
    """

    def __init__(
        self,
        model: Any,
        propagator: Propagator | str,
        classifier: MaskClassifier,
        *,
        base: bool = True,
        points_per_side: int = 16,
        window: int = 32,
        thresholds: MaskThresholds | None = None,
    ) -> None:
        check_count("points_per_side", points_per_side)
        check_count("window", window)
        super().__init__(model, propagator)
        for name, own, other, needed in (
            ("classes", classifier.num_classes, self.segmenter.num_classes, base),
            (
                "features",
                classifier.in_features,
                self.segmenter.feature_dim,
                classifier.source == "segmenter",
            ),
        ):
            if needed and own != other:
                raise InputError(
                    f"the classifier has {own} {name} and the image model {other}; expected the "
                    "same. Train the classifier with this model."
                )
        with own_gradient_mode():
            own_classifier = copy.deepcopy(classifier).to(device_of(self.segmenter))
            self._classifier = own_classifier.eval().requires_grad_(False)
        self.base, self.points_per_side, self.window = base, points_per_side, window
        self.thresholds = thresholds

    def _new_stream(self) -> "ClassifiedMasks":
        masklets = Masklets(
            self._propagator,
            points_per_side=self.points_per_side,
            window=self.window,
            thresholds=self.thresholds,
        )
        return ClassifiedMasks(masklets, self._classifier, self.base)


class ClassifiedMasks:
    """One video on its way.

    Args:
        masklets: that nothing was shown to yet.
        classifier: of what is inside of masks.
        base: whether pixels without a mask keep their label, else they are class 0.
    """

    def __init__(self, masklets: Masklets, classifier: MaskClassifier, base: bool) -> None:
        self._masklets, self._classifier, self._base = masklets, classifier, base

    def label(
        self, frame: UInt8[Tensor, "3 H W"], prediction: ImagePrediction
    ) -> Int64[Tensor, "H W"]:
        """See `Stream`."""
        labels = prediction.labels if self._base else prediction.labels.new_zeros(frame.shape[1:])
        masks = self._masklets.follow(frame, prediction.labels).masks.to(labels.device)
        masks = masks[masks.flatten(1).any(dim=1)]
        session = self._masklets.session
        if session is None or not len(masks):
            return labels
        source = self._classifier.source
        pooled = mask_features(session, prediction, masks, source)
        if pooled.shape[1] != self._classifier.in_features:
            raise PropagationError(
                f"the propagator shows {pooled.shape[1]} features, but the classifier was trained "
                f"on {self._classifier.in_features}. Use the propagator it was trained with."
            )
        classes = self._classifier(pooled).argmax(dim=1).tolist()
        return paint_by_area(labels, masks, classes)

    def close(self) -> None:
        """End the propagator's session."""
        self._masklets.close()


def mask_features(
    session: LiveSession,
    prediction: ImagePrediction,
    masks: Bool[Tensor, "N H W"],
    source: Source,
) -> Float[Tensor, "N D"]:
    """Features inside each mask on the frame last reached, from the one or the other source.

    Raises:
        PropagationError: the propagator shows no features, or broke its contract.
    """
    if source == "segmenter":
        return pool_masks(prediction.features, masks)
    if not session.shows_features:
        raise PropagationError(
            "the classifier was trained on a propagator's features, but this one shows none (its "
            "sessions have no method features). Use SAM2, or train a classifier on this one."
        )
    return pool_masks(session.features().to(masks.device), masks)
