"""A whole video through a video model: adapt to its first frames, label all, adapt again."""

from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TypeVar

from jaxtyping import Int64, UInt8
from torch import Tensor

from ditta_adapt.adaptation import Adaptation
from ditta_adapt.errors import InputError
from ditta_adapt.io.frames import FrameLike, check_iterable, frame_to_tensor, frames_to_tensors
from ditta_adapt.keeping.kept import Kept
from ditta_adapt.models.caller_state import autocast_mode
from ditta_adapt.models.parameters import device_of
from ditta_adapt.progress import ProgressCallback, silent
from ditta_adapt.streaming.known import Known
from ditta_adapt.streaming.prediction import Evidence, predict_labels
from ditta_adapt.targets.warm_up import warmup_length

T = TypeVar("T")


class WholeVideo(Kept):
    """The part of `VideoSegmenter` that takes all frames at once."""

    @abstractmethod
    def _adapt(
        self, frames: Sequence[UInt8[Tensor, "3 H W"]], progress: ProgressCallback
    ) -> Adaptation:
        """Adapt to frames that are ours to keep."""

    @abstractmethod
    def clear_memory(self) -> None:
        """Forget the previous frame, and keep what was adapted."""

    @abstractmethod
    def reset(self) -> None:
        """Pre-trained weights, empty memory."""

    def segment(
        self,
        frames: Iterable[FrameLike],
        *,
        warmup: int | float = 8,
        readapt_every: int | None = None,
        progress: ProgressCallback = silent,
    ) -> Iterator[Int64[Tensor, "H W"]]:
        """Label a whole video: adapt to its first frames, freeze, then label every frame.

        Args:
            frames: any iterable, also a generator or a camera. Beyond the warm-up one frame is
                held at a time. A video shorter than the warm-up is adapted to as a whole.
            warmup: number of frames (int) or share of the video (float), see `warmup_length`. With
                0 nothing is adapted.
            readapt_every: after so many frames behind the warm-up, and again after as many, adapt
                to the latest frames, as many as the warm-up had, which are held for that. It
                starts from the pre-trained weights, so that nothing adds up over an endless
                stream, and takes as long as the first time; the next frame waits. None: never.
            progress: see `adapt`.

        Yields:
            `(H, W)` int64 labels, one per frame, from the very first frame on.

        Raises:
            InputError: a wrong `warmup` or `readapt_every`, or no frame at all; else see `adapt`
                and `predict`.
        """
        return self.answers(
            frames, predict_labels, warmup=warmup, readapt_every=readapt_every, progress=progress
        )

    def answers(
        self,
        frames: Iterable[FrameLike],
        answer: Callable[[Evidence], T],
        *,
        warmup: int | float = 8,
        readapt_every: int | None = None,
        progress: ProgressCallback = silent,
    ) -> Iterator[T]:
        """As `segment`, with whatever is made of a frame, such as `predict_frame`; see `answer`."""
        check_iterable(frames)
        length = warmup_length(frames, warmup)
        if readapt_every is not None:
            _check_readapt_every(readapt_every, length)
        return self._answers(frames, answer, length, readapt_every, progress)

    def _answers(
        self,
        frames: Iterable[FrameLike],
        answer: Callable[[Evidence], T],
        warmup: int,
        readapt_every: int | None,
        progress: ProgressCallback,
    ) -> Iterator[T]:
        stream = iter(frames)
        latest: deque[Tensor] = deque(maxlen=warmup if readapt_every else 0)
        if warmup:
            first = frames_to_tensors(islice(stream, warmup), layout=self._layout)
            mode = autocast_mode(device := device_of(self.segmenter))
            warm_up = self._adapt(first, progress).warm_up
            self.clear_memory()
            for t, tensor in enumerate(first):
                # What was encoded in another precision is encoded again.
                encoded = warm_up.encodings[t] if autocast_mode(device) == mode else None
                looks = warm_up.looks
                votes = looks.votes(t) if looks is not None and t in looks else None
                known = Known(encoded, votes, taught=True)
                with self._alone:
                    made = self._stream.step(tensor, answer, known=known)
                yield made
            latest.extend(first)
            del first, warm_up
        else:
            self.reset()
            opening = list(islice(stream, 1))
            if not opening:
                raise InputError("no frames: the iterable was empty.")
            stream = chain(opening, stream)
        for count, frame in enumerate(stream):
            tensor = frame_to_tensor(frame, layout=self._layout)
            if latest and latest[-1].shape != tensor.shape:
                # The memory was cleared for frames of another size.
                latest.clear()
            # Before a frame, not after one: behind the last one it would be for nobody.
            if latest and readapt_every and count and count % readapt_every == 0:
                self._adapt(list(latest), progress)
            with self._alone:
                made = self._stream.step(tensor, answer)
            latest.append(tensor)
            yield made


def _check_readapt_every(readapt_every: object, warmup: int) -> None:
    if isinstance(readapt_every, bool) or not isinstance(readapt_every, int) or readapt_every < 1:
        raise InputError(
            f"readapt_every is {readapt_every!r}; expected a number of frames of at least 1, or "
            "None."
        )
    if not warmup:
        raise InputError(
            f"readapt_every is {readapt_every} and warmup 0; expected a warm-up, whose length is "
            "that of what is adapted to again."
        )
