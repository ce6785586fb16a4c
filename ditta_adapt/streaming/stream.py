"""Stage D: frame after frame through a student, with what is kept from one to the next."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from ditta_adapt.config import AdaptConfig
from ditta_adapt.errors import ShapeError
from ditta_adapt.models.forward import encode_frame
from ditta_adapt.models.segmenter import Encoded, SegmenterOutput, check_output
from ditta_adapt.ops.resize import resize_logits
from ditta_adapt.ops.soft_votes import soft_votes
from ditta_adapt.safety.acceptance import change_of
from ditta_adapt.safety.drift_monitor import Watch
from ditta_adapt.streaming.frame_prediction import FramePrediction, predict_frame
from ditta_adapt.streaming.memory import Memory, update_memory
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.checked_calls import open_warper
from ditta_adapt.teachers.propagator import DenseWarper, Propagator
from ditta_adapt.training.student import Student

# Warm-up frames whose votes count in the first streamed frame; older ones would hardly.
_REMEMBERED = 8


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame of the stream, on the decoder's grid, and what is kept of it for the next one.

    Attributes:
        size: `(H, W)` of the frame.
        output: of the decoder.
        addon_logits: of the add-on, if there is one and a frame before.
        memory: votes so far, where the teacher carries them.
        watch: whether the adapted weights still belong to the video; none if nothing is watched.
    """

    size: tuple[int, int]
    output: SegmenterOutput
    addon_logits: Float[Tensor, "1 C h w"] | None = None
    memory: Memory | None = None
    watch: Watch | None = None


class Stream:
    """A student, and what is kept of the frames before.

    Args:
        student: as adapted.
        frozen: the same model with pre-trained weights, which the watchdog falls back to.
        teacher: gives the teacher; asked only where it warps votes.
        config: of memory, reliability and fusion.
        watch: the watchdog, before the first frame; none to have none, as where nothing is carried.
    """

    def __init__(
        self,
        student: Student,
        frozen: Student,
        teacher: Callable[[], Propagator],
        config: AdaptConfig,
        watch: Watch | None = None,
    ) -> None:
        self.student = student
        self._frozen = frozen
        self._teacher = teacher
        self._config = config
        self.watch = watch if student.carries else None
        self.last: Seen | None = None

    def begin_after(self, warm_up: WarmUp) -> None:
        """Take the warm-up as what was seen so far.

        Raises:
            PropagationError: the teacher raised, or broke its contract, while it warped votes.
        """
        segmenter, end = self.student.segmenter, len(warm_up.frames)
        memory: Memory | None = None
        trusts: list[float] = []
        with torch.no_grad():
            output = segmenter.decode(warm_up.encodings[end - 1])
            if self.student.carries:
                with open_warper(self._teacher(), warm_up.video) as session:
                    for t in range(max(end - _REMEMBERED, 0), end):
                        logits = segmenter.decode(warm_up.encodings[t]).logits
                        frame = warm_up.frames[t]
                        memory = self._remember(session, memory, frame, logits, (t - 1, t))
                        trusts.append(memory.trust)
        if self.watch is not None and len(trusts) > 1:
            # The first of them was not carried from anywhere.
            self.watch = replace(self.watch, usual=sum(trusts[1:]) / (len(trusts) - 1))
        self.last = Seen(warm_up.size, output, None, memory, self.watch)

    def look(self, frame: UInt8[Tensor, "3 H W"], *, fuse: bool = True) -> Seen:
        """Everything the model and its memory say about the next frame; nothing is kept yet.

        Raises:
            ShapeError: another size than the frames before it.
            SegmenterError: the model's output breaks its contract, such as NaN in the logits.
            PropagationError: the teacher raised, or broke its contract, while it warped votes.
        """
        size = (frame.shape[1], frame.shape[2])
        if self.last is not None and size != self.last.size:
            raise ShapeError(
                f"frame is {size} (H, W) but the stream so far was {self.last.size}. Resize the "
                "frame, or call clear_memory() before a stream of another size, or reset() before "
                "another video."
            )
        watch = self.watch if self.last is None else self.last.watch
        with torch.no_grad():
            encoded = encode_frame(self.student.segmenter, frame)
            output = self._decode(encoded, watch)
            second = memory = None
            addon = self.student.addon
            if fuse and addon is not None and self.last is not None:
                before = self.last.output
                second = addon(output.features, before.features, before.logits)
            if self.student.carries:
                memory = self._carried(frame, output.logits, fuse)
        seen = Seen(size, output, second, memory, watch)
        return seen if watch is None else self._watched(seen, watch, frame, encoded)

    def labels(self, seen: Seen) -> Int64[Tensor, "H W"]:
        """`(H, W)` labels of a frame, without the cost of its probabilities where possible."""
        if seen.addon_logits is not None:
            return self.prediction(seen).labels
        scores = seen.output.logits if seen.memory is None else seen.memory.votes.unsqueeze(0)
        # Several times faster than argmax on a CPU.
        labels: Tensor = resize_logits(scores, seen.size).max(dim=1).indices[0]
        return labels

    def prediction(self, seen: Seen) -> FramePrediction:
        """Labels, probabilities and reliability of a frame."""
        with torch.no_grad():
            return predict_frame(
                seen.output.logits,
                seen.addon_logits,
                None if seen.memory is None else seen.memory.votes,
                seen.size,
                normalizer=self._config.reliability_normalizer,
                threshold=self._config.fusion_threshold,
            )

    def _decode(self, encoded: Encoded, watch: Watch | None) -> SegmenterOutput:
        alarmed = watch is not None and watch.alarm is not None
        segmenter = (self._frozen if alarmed else self.student).segmenter
        output = segmenter.decode(encoded)
        check_output(output, segmenter.num_classes, segmenter.feature_dim)
        return output

    def _carried(
        self, frame: UInt8[Tensor, "3 H W"], logits: Float[Tensor, "1 C h w"], fuse: bool
    ) -> Memory:
        before = self.last.memory if fuse and self.last is not None else None
        if before is None:
            return self._remember(None, None, frame, logits, (0, 0))
        pair = (before.frame.permute(1, 2, 0), frame.permute(1, 2, 0))
        with open_warper(self._teacher(), pair) as session:
            return self._remember(session, before, frame, logits, (0, 1))

    def _remember(
        self,
        session: DenseWarper | None,
        before: Memory | None,
        frame: UInt8[Tensor, "3 H W"],
        logits: Float[Tensor, "1 C h w"],
        steps: tuple[int, int],
    ) -> Memory:
        if before is None or session is None:
            return Memory(frame, soft_votes(logits))
        decay, tolerance = self._config.memory_decay, self._config.photometric_tolerance
        return update_memory(
            session, before, frame, logits, steps, decay=decay, tolerance=tolerance
        )

    def _watched(
        self, seen: Seen, watch: Watch, frame: UInt8[Tensor, "3 H W"], encoded: Encoded
    ) -> Seen:
        """The frame once the watchdog has seen it: from other weights, if it says so."""
        assert seen.memory is not None
        with torch.no_grad():
            if watch.wants_opinion:
                watch = watch.with_opinion(
                    change_of(
                        self.student.segmenter.decode(encoded).logits,
                        self._frozen.segmenter.decode(encoded).logits,
                    )
                )
            before = (
                frame if self.last is None or self.last.memory is None else self.last.memory.frame
            )
            after = watch.after(before, frame, seen.memory.trust)
            if (after.alarm is None) == (seen.watch is None or seen.watch.alarm is None):
                return replace(seen, watch=after)
            # The memory holds votes of the other weights: it starts anew.
            output = self._decode(encoded, after)
        return replace(
            seen, output=output, memory=Memory(frame, soft_votes(output.logits)), watch=after
        )
