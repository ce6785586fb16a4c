"""Networks that take a clip and label its last frame, such as CFFM, MRCFA and TV3S."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from ditta_adapt.baselines.image_prediction import ImagePrediction
from ditta_adapt.errors import InputError, SegmenterError
from ditta_adapt.io.frames import (
    Frame,
    check_stream_size,
    frame_size,
    frame_to_tensor,
    frames_to_tensors,
)
from ditta_adapt.models.caller_state import own_gradient_mode
from ditta_adapt.models.preprocessing import IMAGENET_MEAN, IMAGENET_STD, normalise
from ditta_adapt.ops.resize import resize_logits
from ditta_adapt.progress import Progress, ProgressCallback, check_progress, silent


class ClipNetwork:
    r"""A `Method` around any network that sees frames before the one it labels.

    The network is called with a clip `(1, T, 3, h, w)` float32, oldest frame first, and returns
    logits `(1, C, h', w')` of the last one, which are resized to frame size; or a pair of these and
    of features `(1, D, h'', w'')`, which `ClipClassification` needs. Before the video began its
    first frame stands for those that are missing. Adapting learns nothing.

    A network that keeps a state of its own from clip to clip says so by a method `reset()`: it is
    called before every video, and the network is then shown every frame from the first one on,
    also those of the warm-up. If it raises, what it has of its state is its own affair.

    Args:
        network: an `nn.Module` is put in eval mode while it runs, and left as it was.
        offsets: of the frames of a clip from the one that is labelled, rising, the last one 0.
        size: `(h, w)` that frames are resized to, bilinearly with anti-aliasing; none for their
            own.
        mean: of the normalisation, RGB in [0, 1]; by default ImageNet's.
        std: likewise.
        device: where clips are put; by default where the weights of an `nn.Module` are.

    Attributes:
        device: likewise.

    Raises:
        InputError: offsets that do not rise to 0; no network.
    """

    def __init__(
        self,
        network: Callable[[Tensor], Tensor],
        *,
        offsets: Sequence[int] = (-9, -6, -3, 0),
        size: tuple[int, int] | None = None,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        device: torch.device | str | None = None,
    ) -> None:
        if not callable(network):
            raise InputError(f"network is a {type(network).__name__}; expected one to be called.")
        if list(offsets) != sorted(set(offsets)) or not offsets or offsets[-1] != 0:
            raise InputError(f"offsets are {tuple(offsets)}; expected rising ones, the last one 0.")
        self._network, self._offsets, self._size = network, tuple(offsets), size
        self._mean, self._std = tuple(mean), tuple(std)
        self.device = torch.device(device or _device_of(network))
        self._reset_network = getattr(network, "reset", None)
        self._past: deque[Tensor] = deque(maxlen=1 - offsets[0])
        self._frame_size: tuple[int, int] | None = None
        self.reset()

    def adapt(self, frames: Iterable[Frame], *, progress: ProgressCallback = silent) -> None:
        """Show the network the first frames of a video; nothing is trained. See `Method`."""
        check_progress(progress)
        tensors = frames_to_tensors(frames)
        before = list(self._past), self._frame_size
        self.reset()
        try:
            for t, tensor in enumerate(tensors):
                self._remember(tensor)
                if self._reset_network is not None:
                    self._outputs()
                progress(Progress("track", t + 1, len(tensors)))
        except BaseException:
            self._past.clear()
            self._past.extend(before[0])
            self._frame_size = before[1]
            raise
        self._frame_size = frame_size(tensors[0])

    def __call__(self, frame: Frame) -> Int64[Tensor, "H W"]:
        """Label the next frame of the stream; see `Method`.

        Raises:
            ShapeError: a malformed frame, or another size than the frames before it.
            SegmenterError: the network raised, or returned no logits `(1, C, h, w)`.
        """
        return self._step(frame)[0].argmax(dim=1)[0]

    def predict(self, frame: Frame) -> ImagePrediction:
        """What it says of the next frame of the stream, with its features.

        Raises:
            ShapeError: a malformed frame, or another size than the frames before it.
            SegmenterError: the network raised, or returned no pair of logits and features.
        """
        logits, features = self._step(frame)
        if features is None:
            raise SegmenterError(
                "the network returned logits alone; expected a pair of logits (1, C, h, w) and "
                "features (1, D, h, w) of the last frame of the clip."
            )
        confidence, labels = logits.softmax(dim=1).max(dim=1)
        return ImagePrediction(labels[0], confidence[0], features[0])

    def _step(self, frame: Frame) -> tuple[Float[Tensor, "1 C H W"], Tensor | None]:
        """Logits of the next frame at its size; features, if there are any."""
        tensor = frame_to_tensor(frame)
        check_stream_size(tensor, self._frame_size)
        before = list(self._past)
        self._remember(tensor)
        try:
            logits, features = self._outputs()
        except BaseException:
            self._past.clear()
            self._past.extend(before)
            raise
        self._frame_size = frame_size(tensor)
        return resize_logits(logits, self._frame_size), features

    def clear_memory(self) -> None:
        """Forget the frames seen: the video starts over."""
        self.reset()

    def reset(self) -> None:
        """Next video: no frame has been seen."""
        self._past.clear()
        self._frame_size = None
        if self._reset_network is not None:
            self._reset_network()

    def _remember(self, frame: UInt8[Tensor, "3 H W"]) -> None:
        image = frame[None].to(self.device).float() / 255
        if self._size is not None and tuple(image.shape[2:]) != self._size:
            image = F.interpolate(image, self._size, mode="bilinear", antialias=True)
        self._past.append(normalise(image, self._mean, self._std)[0])

    def _outputs(self) -> tuple[Float[Tensor, "1 C h w"], Tensor | None]:
        last = len(self._past) - 1
        try:
            with own_gradient_mode(), torch.no_grad(), _evaluating(self._network):
                clip = torch.stack([self._past[max(last + offset, 0)] for offset in self._offsets])
                found = self._network(clip[None])
        except Exception as error:
            raise SegmenterError(
                f"the network raised {type(error).__name__}: {error} It was called with a clip "
                f"{(1, len(self._offsets), *self._past[-1].shape)} float32, oldest frame first."
            ) from error
        pair = isinstance(found, tuple) and len(found) == 2
        logits, features = found if pair else (found, None)
        return _checked(logits, "logits (1, C, h, w)"), (
            None if features is None else _checked(features, "features (1, D, h, w)")
        )


def _checked(maps: object, expected: str) -> Tensor:
    shaped = isinstance(maps, Tensor) and maps.ndim == 4 and len(maps) == 1
    if (
        not isinstance(maps, Tensor)
        or not shaped
        or not maps.is_floating_point()
        or not bool(maps.isfinite().all())
    ):
        is_map = isinstance(maps, Tensor)
        shown = f"{maps.dtype} {tuple(maps.shape)}" if is_map else type(maps).__name__  # type: ignore[attr-defined]
        raise SegmenterError(
            f"the network returned {shown}; expected finite {expected} of the last frame of the "
            "clip."
        )
    return maps.float()


def _device_of(network: object) -> torch.device:
    parameters = network.parameters() if isinstance(network, nn.Module) else iter(())
    first = next(parameters, None)
    return torch.device("cpu") if first is None else first.device


@contextmanager
def _evaluating(network: object) -> Iterator[None]:
    """A network in eval mode, each of its modules afterwards in its own again."""
    modules = list(network.modules()) if isinstance(network, nn.Module) else []
    training = [module for module in modules if module.training]
    try:
        for module in training:
            module.training = False
        yield
    finally:
        for module in training:
            module.training = True
