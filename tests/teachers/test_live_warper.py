"""One session for a whole stream of frames: opened once, closed whatever happens."""

import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from ditta_adapt import InputError, PropagationError
from ditta_adapt.teachers.checked_calls import open_warper, warp_maps
from ditta_adapt.teachers.live_warper import LiveWarper
from tests.teachers.brightness_propagator import BrightnessPropagator
from tests.toys import StillPropagator, toy_video

SIZE = (48, 64)


def tensors(count: int) -> list[Tensor]:
    return [torch.from_numpy(frame).permute(2, 0, 1) for frame in toy_video(count, SIZE)]


def flow() -> Any:
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator

    return OpticalFlowPropagator()


@pytest.mark.parametrize("build", [BrightnessPropagator, flow])
def test_warps_are_those_of_two_frames_alone(build: Any) -> None:
    video, maps = tensors(20), torch.rand(3, 12, 16)
    warper = LiveWarper(build())
    warper.start(video[0])
    for before, frame in pairwise(video):
        warper.advance(frame)
        moved, valid = warper.warp(maps)
        pair = [before.permute(1, 2, 0), frame.permute(1, 2, 0)]
        with open_warper(build(), pair) as session:
            expected, trusted = warp_maps(session, maps, 0, 1)
        assert torch.equal(moved, expected)
        assert torch.equal(valid, trusted)
        assert not torch.equal(moved, maps)


def test_one_session_for_a_whole_video(unchecked: None) -> None:
    propagator = BrightnessPropagator()
    warper = LiveWarper(propagator)
    video = tensors(20)
    warper.start(video[0])
    for t, frame in enumerate(video[1:], 1):
        warper.advance(frame)
        # Not opened before the first warp, which need not come with the second frame.
        assert propagator.opened == (t > 2)
        if t > 1:
            warper.warp(torch.rand(1, 4, 4))
    assert (propagator.opened, propagator.closed) == (1, 0)
    warper.close()
    warper.close()
    assert (propagator.opened, propagator.closed) == (1, 1)


def test_starting_again_is_another_video() -> None:
    propagator = BrightnessPropagator()
    warper = LiveWarper(propagator)
    black, white = torch.zeros(3, 4, 5).byte(), torch.full((3, 4, 5), 255).byte()
    for _ in range(2):
        warper.start(black)
        warper.advance(white)
        assert warper.warp(torch.zeros(1, 2, 2))[0].eq(255).all()
    assert (propagator.opened, propagator.closed) == (2, 1)
    # Of another size, too.
    warper.start(torch.zeros(3, 8, 8).byte())
    assert (propagator.opened, propagator.closed) == (2, 2)


def test_memory_is_constant() -> None:
    """Of the frames of a stream the last two are kept, and of the flow what is between them."""
    warper, video = LiveWarper(flow()), tensors(20)
    frames = [weakref.ref(frame) for frame in video]
    warper.start(video.pop(0))
    while video:
        warper.advance(video.pop(0))
        warper.warp(torch.rand(2, 4, 4))
        kept = len(frames) - len(video)
        alive = [reference() is not None for reference in frames[:kept]]
        # The tensors themselves may be gone: a session reads views of their storage.
        assert not any(alive[:-2])
        assert warper._held is not None
        assert len(warper._held.session._video._flows) == 1
        assert len(warper._frames) - warper._frames.oldest == 2


def test_closed_when_it_is_garbage() -> None:
    propagator = BrightnessPropagator()
    warper = LiveWarper(propagator)
    frame = torch.zeros(3, 4, 5).byte()
    warper.start(frame)
    warper.advance(frame)
    warper.warp(torch.rand(1, 2, 2))
    del warper
    gc.collect()
    assert propagator.closed == 1


def test_closing_frees_frames_and_session() -> None:
    warper = LiveWarper(BrightnessPropagator())
    frames = [torch.zeros(3, 4, 5).byte() for _ in range(2)]
    gone = [weakref.ref(frame) for frame in frames]
    warper.start(frames[0])
    warper.advance(frames[1])
    warper.warp(torch.rand(1, 2, 2))
    assert warper._held is not None
    gone.append(weakref.ref(warper._held.session))
    del frames
    warper.close()
    gc.collect()
    assert [reference() for reference in gone] == [None] * 3


def test_a_teacher_that_cannot_warp(unchecked: None) -> None:
    propagator = StillPropagator()
    warper = LiveWarper(propagator)
    frame = torch.zeros(3, 4, 5).byte()
    warper.start(frame)
    warper.advance(frame)
    with pytest.raises(PropagationError) as live:
        warper.warp(torch.rand(1, 2, 2))
    pair = [frame.permute(1, 2, 0)] * 2
    with pytest.raises(PropagationError) as paired, open_warper(propagator, pair):
        pass
    assert str(live.value) == str(paired.value)
    assert "StillPropagator cannot warp" in str(live.value)


def test_a_session_that_cannot_warp_is_closed() -> None:
    closed: list[bool] = []

    class Stubborn:
        @contextmanager
        def open(self, frames: object) -> Iterator[object]:
            yield object()
            closed.append(True)

    warper = LiveWarper(Stubborn())
    frame = torch.zeros(3, 4, 5).byte()
    warper.start(frame)
    warper.advance(frame)
    with pytest.raises(PropagationError, match="cannot warp") as raised:
        warper.warp(torch.rand(1, 2, 2))
    # Although the error, and with it the call's variables, is still there.
    assert closed == [True]
    del raised


@pytest.mark.parametrize(
    ("call", "named"), [("open", "open"), ("warp", r"warp\(\.\.\., 1, 2\)"), ("close", "close")]
)
def test_goes_on_after_an_error(call: str, named: str, unchecked: None) -> None:
    propagator = BrightnessPropagator()
    video, maps = tensors(4), torch.rand(2, 3, 3)
    warper = LiveWarper(propagator)
    warper.start(video[0])
    warper.advance(video[1])
    if call != "open":
        warper.warp(maps)
    warper.advance(video[2])
    propagator.fails = {call}
    with pytest.raises(PropagationError, match=f"the propagator raised in {named}.*went wrong"):
        (warper.close if call == "close" else lambda: warper.warp(maps))()
    propagator.fails = set()
    # Again from the frame before, as if nothing had happened.
    warper.start(video[2])
    warper.advance(video[3])
    moved, _ = warper.warp(maps)
    change = video[3].float().mean() - video[2].float().mean()
    torch.testing.assert_close(moved, maps + change)
    warper.close()
    assert propagator.opened == propagator.closed


def test_starting_although_closing_fails() -> None:
    propagator = BrightnessPropagator()
    video = tensors(2)
    warper = LiveWarper(propagator)
    warper.start(video[0])
    warper.advance(video[1])
    warper.warp(torch.rand(1, 2, 2))
    propagator.fails = {"close"}
    with pytest.raises(PropagationError, match="raised in close"):
        warper.start(video[0])
    warper.start(video[0])
    warper.advance(video[1])
    warper.warp(torch.rand(1, 2, 2))
    propagator.fails = set()


def test_wrong_order_of_calls() -> None:
    warper = LiveWarper(BrightnessPropagator())
    frame = torch.zeros(3, 4, 5).byte()
    with pytest.raises(InputError, match="call start with its first frame"):
        warper.advance(frame)
    warper.start(frame)
    with pytest.raises(InputError, match="1 frames have come; maps are warped between two"):
        warper.warp(torch.rand(1, 2, 2))
    warper.close()
    with pytest.raises(InputError, match="call start"):
        warper.advance(frame)
