"""Refinement by masks: inside every object of a propagator, the class of the majority."""

from typing import Any, Literal, get_args

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from ditta_adapt.baselines.arguments import check_choice, check_count
from ditta_adapt.baselines.automatic_masks import MaskThresholds
from ditta_adapt.baselines.image_prediction import ImagePrediction
from ditta_adapt.baselines.masklets import Masklets
from ditta_adapt.baselines.painting import Overlap, class_votes, paint_by_area
from ditta_adapt.baselines.streamed import StreamedMethod
from ditta_adapt.teachers.propagator import Propagator

Vote = Literal["frame", "window"]


class MaskRefiner(StreamedMethod):
    r"""Give every mask the class most of its pixels are predicted to have.

    .. math:: c_i = \arg\max_c \sum_{x \in m_i} [S(x) = c], \qquad
              R(x) = c_i \text{ if } x \in m_i, \text{ else } S(x)

    Masks are found on the first frame of every window, from a grid of points, and followed through
    the window (see `Masklets`). Votes are always on the image model's own labels `S`; of equally
    many votes the smaller class wins; where masks overlap, the smallest one. The image model's
    labels stay where there is no mask.

    A propagator that proposes masks by itself (`MaskGenerator`, such as SAM2 of transformers) is
    asked for them; take one that follows masks, not points, so that what is followed is what was
    proposed.

    Args:
        model: a model of a known type, or any `Segmenter`.
        propagator: what follows objects, or the registered name of one.
        points_per_side: of the grid of prompts.
        window: length of a window in frames.
        vote: `"frame"`: a mask votes anew in every frame. `"window"`: it keeps its votes, so that
            its class is that of all its pixels since the window began; later frames of the window
            have no say, for a stream does not know them.
        overlap: which of overlapping masks is on top, the `"smallest"` or the `"largest"`.
        thresholds: of masks that the propagator proposes by itself.

    Raises:
        InputError: an argument out of its range.

    Source: "Evaluating SAM2 for video semantic segmentation". Of a propagator that proposes no
    masks, empty ones and near duplicates (IoU over 0.7, the larger stays) are dropped. How masks
    overlap is not said there.
    """

    def __init__(
        self,
        model: Any,
        propagator: Propagator | str,
        *,
        points_per_side: int = 16,
        window: int = 32,
        vote: Vote = "frame",
        overlap: Overlap = "smallest",
        thresholds: MaskThresholds | None = None,
    ) -> None:
        check_count("points_per_side", points_per_side)
        check_count("window", window)
        check_choice("vote", vote, get_args(Vote))
        check_choice("overlap", overlap, get_args(Overlap))
        super().__init__(model, propagator)
        self.points_per_side, self.window, self.vote = points_per_side, window, vote
        self.overlap, self.thresholds = overlap, thresholds

    def _new_stream(self) -> "_VotedLabels":
        masklets = Masklets(
            self._propagator,
            points_per_side=self.points_per_side,
            window=self.window,
            thresholds=self.thresholds,
        )
        return _VotedLabels(masklets, self.segmenter.num_classes, self.vote, self.overlap)


class VotedMasks:
    """One video: its masklets and, for a vote of the window, what they voted so far.

    Args:
        masklets: that nothing was shown to yet.
        num_classes: of the labels.
        vote, overlap: see `MaskRefiner`.
    """

    def __init__(
        self, masklets: Masklets, num_classes: int, vote: Vote, overlap: Overlap = "smallest"
    ) -> None:
        self._masklets, self._num_classes, self._vote = masklets, num_classes, vote
        self._overlap = overlap
        self._votes: Int64[Tensor, "N C"] = torch.zeros(
            0, num_classes, dtype=torch.int64, device="cpu"
        )

    def refine(
        self, frame: UInt8[Tensor, "3 H W"], labels: Int64[Tensor, "H W"]
    ) -> Int64[Tensor, "H W"]:
        """Labels of the next frame, which is kept, by the votes of its masks."""
        masks = self._masklets.follow(frame, labels).masks.to(labels.device)
        votes = class_votes(masks, labels, self._num_classes)
        if self._vote == "window":
            self._votes = votes if self._masklets.at_start else self._votes + votes
            votes = self._votes
        classes = votes.argmax(dim=1).tolist()
        return paint_by_area(labels, masks, classes, on_top=self._overlap)

    def close(self) -> None:
        """End the propagator's session."""
        self._masklets.close()


class _VotedLabels(VotedMasks):
    """The same on the image model's own labels."""

    def label(
        self, frame: UInt8[Tensor, "3 H W"], prediction: ImagePrediction
    ) -> Int64[Tensor, "H W"]:
        return self.refine(frame, prediction.labels)
