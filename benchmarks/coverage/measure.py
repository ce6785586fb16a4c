"""What is found out about one network."""

import copy
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.coverage.network import Network, Own, plain_scores
from ditta_adapt import (
    AdaptConfig,
    DittaError,
    HookedSegmenter,
    SelfLabels,
    Training,
    WarpedVotes,
    wrap,
)
from ditta_adapt.models.parameters import adaptable_parameters
from ditta_adapt.models.registry import find_segmenter
from ditta_adapt.testing import check_segmenter
from ditta_adapt.testing.shapes_video import shapes_video

SIZES = ((131, 163), (163, 131), (129, 257))
"""`(H, W)` of the frames that labels are compared on."""

MOST_DISAGREEMENT = 0.001


@dataclass(frozen=True, slots=True)
class Row:
    """One network.

    Attributes:
        library: where it is from.
        name: what it is.
        expected: whether it is to be taken.
        found: whether `wrap` took it with nothing named.
        disagreement: greatest share of labels of a frame that are not the network's own.
        failed_checks: names of the conformance checks that fail; none where they were not run.
        adapts: whether two passes over four frames and streaming left all but the adapted weights
            as they were, and gave labels; and a saved adaptation gives the same labels.
        frozen_work: share of the operations that is frozen.
        decode_time: of a decode against the whole network, forward.
        seconds: that `wrap` took.
        said: what refused it, or what went wrong.
    """

    library: str
    name: str
    expected: bool
    found: bool
    disagreement: float = 0.0
    failed_checks: tuple[str, ...] | None = None
    adapts: bool = False
    frozen_work: float = 0.0
    decode_time: float = 1.0
    seconds: float = 0.0
    said: str = ""

    @property
    def right(self) -> bool:
        """Whether the network was taken and all holds, or was to be refused and was."""
        if not self.expected:
            return not self.found
        whole = self.disagreement <= MOST_DISAGREEMENT and not self.failed_checks
        return self.found and whole and self.adapts


def measure(network: Network, *, conformance: bool = True) -> Row:
    """Try a network."""
    torch.manual_seed(0)
    model = network.build()
    wake(model, network.own)
    about: dict[str, Any] = {
        "library": network.library,
        "name": network.name,
        "expected": not network.refused,
    }
    start = time.perf_counter()
    try:
        segmenter = find_segmenter(model, processor=network.processor)
    except DittaError as error:
        return Row(**about, found=False, said=str(error))
    about |= {"found": True, "seconds": time.perf_counter() - start}
    if isinstance(segmenter, HookedSegmenter):
        about["frozen_work"] = segmenter.discovery.frozen_work
    try:
        about["disagreement"] = max(disagreement(segmenter, model, network, s) for s in SIZES)
        about["decode_time"] = decode_time(segmenter, model, network)
        if conformance:
            report = check_segmenter(
                lambda: copy.copy(segmenter),
                expected_failures=network.expected_failures,
                on_fail="report",
            )
            about["failed_checks"] = tuple(r.name for r in report.results if r.status == "failed")
        adapt_and_stream(segmenter, model)
    # Whatever it is, it is a row of the table.
    except Exception as error:
        return Row(**about, said=f"{type(error).__name__}: {error}")
    return Row(**about, adapts=True)


def wake(model: nn.Module, own: Own = plain_scores) -> None:
    """Norms as after training, with the statistics of images, so that scores differ.

    With statistics of nothing where the network cannot be run in train mode.
    """
    norms = [
        layer
        for _, layer in nn.Module.named_modules(model)
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.track_running_stats
    ]
    generator = torch.Generator().manual_seed(0)
    for norm in norms:
        norm.momentum = 1.0
        norm.running_mean.copy_(0.1 * torch.randn(norm.running_mean.shape, generator=generator))
        norm.running_var.copy_(0.1 + torch.rand(norm.running_var.shape, generator=generator))
    model.train()
    for size in ((128, 224), (64, 64), (96, 96), (224, 224)):
        with torch.no_grad(), suppress(Exception):
            own(model, torch.randn(2, 3, *size, generator=generator))
            break
    model.eval()


def frames_of(size: tuple[int, int], count: int = 1) -> list[Any]:
    """Frames of textured shapes that move."""
    frames = shapes_video(count, size=(96, 160)).frames
    tensors = [torch.from_numpy(frame).permute(2, 0, 1)[None].float() for frame in frames]
    return [F.interpolate(tensor, size)[0].byte() for tensor in tensors]


def disagreement(
    segmenter: Any, model: nn.Module, network: Network, size: tuple[int, int]
) -> float:
    """Share of pixels that are labelled otherwise than by the network, run by itself.

    On the grid of its own scores, once as they are and once without each class's mean over the
    frame, since random weights may see one class everywhere; the greater of the two.
    """
    frame = frames_of(size)[0][None]
    with torch.no_grad():
        images = segmenter.preprocess(frame)
        ours = segmenter.decode(segmenter.encode(images)).logits
        own = network.own(model, images)
    ours = F.interpolate(ours.float(), own.shape[2:], mode="bilinear", align_corners=False)
    if own.min() >= 0 and bool(((own.sum(1) - 1).abs() < 1e-3).all()):
        own = own.clamp_min(1e-6).log()
    plain = (ours.argmax(1) != own.argmax(1)).double().mean()
    if (own.shape[1] == 2) != (ours.shape[1] == 2) or _are_shares(own):
        return float(plain)
    centred = [each - each.mean((2, 3), keepdim=True) for each in (ours, own)]
    best = centred[1].amax(1) - centred[1].gather(1, centred[0].argmax(1, keepdim=True))[:, 0]
    # Ties of rounding are none.
    wrong = (best > 1e-4 * centred[1].abs().amax()).double().mean()
    return float(torch.maximum(plain, wrong))


def _are_shares(scores: Tensor) -> bool:
    """Whether scores are no logits but sums of products of probabilities."""
    return bool((scores >= 0).all())


def decode_time(segmenter: Any, model: nn.Module, network: Network) -> float:
    """Time of a decode against that of the whole network; the best of three each."""
    images = segmenter.preprocess(frames_of((128, 192))[0][None])
    with torch.no_grad():
        encoded = segmenter.encode(images)
        part = min(_seconds(lambda: segmenter.decode(encoded)) for _ in range(3))
        whole = min(_seconds(lambda: network.own(model, images)) for _ in range(3))
    return part / whole


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def adapt_and_stream(segmenter: Any, model: nn.Module) -> None:
    """Two passes over four frames, two more streamed, saved and loaded; raises what is wrong."""
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    frames = [frame.permute(1, 2, 0).numpy() for frame in frames_of((128, 160), 6)]
    config = AdaptConfig(
        targets=SelfLabels(), training=Training(passes=2), memory=WarpedVotes(), safety=None
    )
    video_model = wrap(segmenter, config=config)
    report = video_model.adapt(frames[:4])
    if not report.adapted:
        raise RuntimeError(f"not adapted: {report.reason}")
    with tempfile.TemporaryDirectory() as folder:
        video_model.save_pretrained(folder)
        restored = wrap(segmenter, config=config).load_pretrained(folder)
    labels = [video_model(frame) for frame in frames[4:]]
    if any(each.shape != (128, 160) or each.min() < 0 for each in labels):
        raise RuntimeError("labels of another shape")
    again = restored(frames[4])
    if again.shape != (128, 160):
        raise RuntimeError("labels of another shape after loading")
    _check_weights(video_model, segmenter, model, before)


def _check_weights(
    video_model: Any, segmenter: Any, model: nn.Module, before: dict[str, Tensor]
) -> None:
    for name, tensor in model.state_dict().items():
        if not torch.equal(before[name], tensor):
            raise RuntimeError(f"{name} of the network itself was changed")
    own = video_model._stream.student.segmenter
    adapted = {id(parameter) for parameter in adaptable_parameters(own)}
    moved = 0
    for name, parameter in own.model.named_parameters():
        same = torch.equal(parameter.detach(), before[name])
        if id(parameter) not in adapted and not same:
            raise RuntimeError(f"{name}, which is frozen, was changed")
        moved += not same
    if not moved:
        raise RuntimeError("no weight was changed")
