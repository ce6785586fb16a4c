"""The labels of any other method, refined by masks."""

from collections.abc import Iterable
from typing import get_args

from jaxtyping import Int64, UInt8
from torch import Tensor

from ditta_adapt.baselines.arguments import check_choice, check_count
from ditta_adapt.baselines.automatic_masks import MaskThresholds
from ditta_adapt.baselines.mask_refiner import Vote, VotedMasks
from ditta_adapt.baselines.masklets import Masklets
from ditta_adapt.baselines.method import Method, Positioned
from ditta_adapt.baselines.painting import Overlap
from ditta_adapt.errors import InputError
from ditta_adapt.io.frames import Frame, frame_to_tensor, frames_to_tensors
from ditta_adapt.progress import ProgressCallback, silent
from ditta_adapt.teachers.propagator import Propagator
from ditta_adapt.teachers.registry import find_propagator


class RefinedMethod:
    """`MaskRefiner` on top of another method, such as a video network or label maps in files.

    Masks run through the warm-up, too. If the propagator or the method fails while streaming, the
    masks begin anew with the next frame.

    Args:
        method: whose labels are refined.
        propagator: what follows objects, or the registered name of one.
        num_classes: of the labels.
        points_per_side: of the grid of prompts.
        window: length of a window in frames.
        vote: see `MaskRefiner`.
        overlap: likewise.
        thresholds: likewise.

    Attributes:
        method: likewise.

    Raises:
        InputError: an argument out of its range.

    Source: the SAM2-CFFM, SAM2-MRCFA and SAM2-TV3S rows of "Evaluating SAM2 for video semantic
    segmentation".
    """

    def __init__(
        self,
        method: Method,
        propagator: Propagator | str,
        num_classes: int,
        *,
        points_per_side: int = 16,
        window: int = 32,
        vote: Vote = "frame",
        overlap: Overlap = "smallest",
        thresholds: MaskThresholds | None = None,
    ) -> None:
        for name, count in (
            ("num_classes", num_classes),
            ("points_per_side", points_per_side),
            ("window", window),
        ):
            check_count(name, count)
        check_choice("vote", vote, get_args(Vote))
        check_choice("overlap", overlap, get_args(Overlap))
        self.method = method
        self._propagator = find_propagator(propagator)
        self._num_classes, self._vote, self._overlap = num_classes, vote, overlap
        self._points_per_side, self._window = points_per_side, window
        self._thresholds = thresholds
        self._masks: VotedMasks | None = None

    def adapt(self, frames: Iterable[Frame], *, progress: ProgressCallback = silent) -> object:
        """Adapt the method, then run over its labels of the same frames. See `Method.adapt`.

        Returns:
            What the method said of its adaptation.

        Raises:
            PropagationError: the propagator raised or broke its contract.
            InputError: a label outside of the classes.
        """
        tensors = frames_to_tensors(frames)
        video = [tensor.permute(1, 2, 0) for tensor in tensors]
        report = self.method.adapt(video, progress=progress)
        try:
            self.clear_memory()
            for frame in video:
                self(frame)
        except BaseException:
            self.reset()
            raise
        return report

    def __call__(self, frame: Frame) -> Int64[Tensor, "H W"]:
        """Label the next frame of the stream: `(H, W)` int64, on the device of the method's labels.

        Raises:
            PropagationError: the propagator raised or broke its contract.
            InputError: a label outside of the classes; else see `Method`.
        """
        try:
            labels = self.method(frame)
            low, high = int(labels.min()), int(labels.max())
            if low < 0 or high >= self._num_classes:
                raise InputError(
                    f"the labels to refine go from {low} to {high}; expected classes in "
                    f"[0, {self._num_classes})."
                )
            return self._refine(frame_to_tensor(frame), labels)
        except BaseException:
            self._forget()
            raise

    def go_to(self, t: int) -> None:
        """See `Positioned`."""
        if isinstance(self.method, Positioned):
            self.method.go_to(t)

    def clear_memory(self) -> None:
        """The video starts over, for the method, too."""
        self._forget()
        self.method.clear_memory()

    def reset(self) -> None:
        """Next video, for the method, too."""
        self._forget()
        self.method.reset()

    def _refine(
        self, frame: UInt8[Tensor, "3 H W"], labels: Int64[Tensor, "H W"]
    ) -> Int64[Tensor, "H W"]:
        if self._masks is None:
            masklets = Masklets(
                self._propagator,
                points_per_side=self._points_per_side,
                window=self._window,
                thresholds=self._thresholds,
            )
            self._masks = VotedMasks(masklets, self._num_classes, self._vote, self._overlap)
        return self._masks.refine(frame, labels)

    def _forget(self) -> None:
        masks, self._masks = self._masks, None
        if masks is not None:
            masks.close()
