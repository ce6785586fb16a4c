"""The flow teacher on motion whose truth is known."""

import gc
import sys
import weakref
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ditta_adapt import DenseWarper, InputError, MissingDependencyError, Prompt, PropagationError
from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator
from ditta_adapt.adapters.optical_flow.propagator import Method

SIZE = (96, 128)
METHODS = ("dis", "lucas-kanade")
by_any_method = pytest.mark.parametrize("method", METHODS)


def texture(seed: int = 0, size: tuple[int, int] = (160, 240)) -> torch.Tensor:
    """Fine random texture, `(3, H, W)` in 0..255."""
    noise = torch.rand(
        1, 3, size[0] // 4, size[1] // 4, generator=torch.Generator().manual_seed(seed)
    )
    return 255 * F.interpolate(noise, size, mode="bicubic").clamp(0, 1)[0]


def panning(num_frames: int, dx: int = 3, dy: int = 1) -> list[np.ndarray]:
    """A camera that moves right and down: what is seen moves left and up."""
    image = texture().byte().permute(1, 2, 0).numpy()
    return [image[dy * t :, dx * t :][: SIZE[0], : SIZE[1]].copy() for t in range(num_frames)]


def moving_square(num_frames: int) -> tuple[list[np.ndarray], list[torch.Tensor]]:
    """A textured square that moves 3 pixels a frame over a still, textured background."""
    back, front = texture(0).byte(), texture(1).byte()
    frames, truth = [], []
    for t in range(num_frames):
        mask = torch.zeros(SIZE, dtype=torch.bool)
        mask[30:62, 20 + 3 * t : 52 + 3 * t] = True
        shifted = front[:, : SIZE[0], 100 - 3 * t : 100 - 3 * t + SIZE[1]]
        frame = torch.where(mask, shifted, back[:, : SIZE[0], : SIZE[1]])
        frames.append(frame.permute(1, 2, 0).numpy())
        truth.append(mask)
    return frames, truth


def prompt_of(region: torch.Tensor, object_id: int = 1) -> Prompt:
    y, x = region.nonzero()[0].tolist()
    return Prompt(object_id, (x, y), region)


def iou(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a & b).sum() / (a | b).sum())


@by_any_method
def test_masks_follow_an_object_both_ways(method: Method) -> None:
    frames, truth = moving_square(6)
    for order in (range(6), range(5, -1, -1)):
        with OpticalFlowPropagator(method=method).open(frames) as session:
            session.prompt(order[0], [prompt_of(truth[order[0]])])
            for t, to in pairwise(order):
                masks = session.propagate(t, to)
                assert masks.object_ids.tolist() == [1]
            # Copying the first mask would score 17 / 47 = 0.36.
            assert iou(masks.masks[0], truth[order[-1]]) > 0.55


@by_any_method
@pytest.mark.parametrize("max_side", [512, 64])
def test_warp_moves_a_map_with_the_camera(max_side: int, method: Method) -> None:
    frames = panning(2)
    ramp = torch.arange(SIZE[1], dtype=torch.float32).expand(2, *SIZE).clone()
    with OpticalFlowPropagator(max_side=max_side, method=method).open(frames) as session:
        assert isinstance(session, DenseWarper)
        moved, valid = session.warp(ramp, 0, 1)
    assert valid.dtype == torch.bool
    inner = valid[8:-8, 8:-8]
    assert inner.float().mean() > 0.95
    # Column x of frame 1 shows what column x + 3 of frame 0 did.
    error = (moved - (ramp + 3))[:, 8:-8, 8:-8][:, inner].abs()
    assert error.mean() < (0.15 if max_side == 512 else 0.8)
    # What comes into view on the right has no source: invalid, and 0.
    assert not valid[:, -1].any()
    assert (moved[:, ~valid] == 0).all()


@pytest.mark.parametrize("cells", [(48, 64), (32, 32), (192, 256)])
def test_warp_moves_maps_on_any_grid(cells: tuple[int, int]) -> None:
    """By the same share of the frame: 3 of its 128 columns, 1 of its 96 rows."""
    frames, (height, width) = panning(2), cells
    down = torch.arange(height, dtype=torch.float32)[:, None].expand(cells)
    right = torch.arange(width, dtype=torch.float32).expand(cells)
    with OpticalFlowPropagator().open(frames) as session:
        moved, valid = session.warp(torch.stack([down, right]), 0, 1)
        assert session.warp(torch.zeros(0, *cells), 0, 1)[0].shape == (0, *cells)
    assert moved.shape == (2, *cells)
    assert valid.shape == cells
    inner = torch.zeros(cells, dtype=torch.bool)
    inner[height // 12 : -height // 12, width // 12 : -width // 12] = True
    assert valid[inner].float().mean() > 0.95
    for shifted, start, step in (
        (moved[0], down, height / SIZE[0]),
        (moved[1], right, 3 * width / SIZE[1]),
    ):
        error = (shifted - start - step)[inner & valid].abs()
        assert error.mean() < 0.1 * max(step, 1)
    assert not valid[:, -1].any()
    assert (moved[:, ~valid] == 0).all()


@by_any_method
def test_still_video_is_the_identity(method: Method) -> None:
    frame = panning(1)[0]
    maps = torch.rand(3, *SIZE)
    with OpticalFlowPropagator(method=method).open([frame, frame]) as session:
        moved, valid = session.warp(maps, 0, 1)
    assert valid.all()
    torch.testing.assert_close(moved, maps, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("back", "forth", "trusted"),
    [
        ((6.0, 0.0), (-6.0, 0.0), True),
        ((6.0, 0.0), (-4.0, 0.0), True),  # Off by 2 <= 2 + 0.6.
        ((6.0, 0.0), (-3.0, 0.0), False),  # Off by 3 > 2 + 0.6.
        ((0.0, 6.0), (0.0, 0.0), False),
        ((-1.0, 1.0), (1.0, 1.0), True),  # Off by 2 <= 2 + 0.14.
    ],
)
def test_forward_backward_check_by_hand(
    back: tuple[float, float],
    forth: tuple[float, float],
    trusted: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def flow(self: object, first: np.ndarray, second: np.ndarray) -> torch.Tensor:
        return torch.tensor([forth, back])[:, :, None, None].expand(2, 2, *SIZE)

    monkeypatch.setattr("ditta_adapt.adapters.optical_flow.dis.DIS.flow", flow)
    with OpticalFlowPropagator(tolerance=2.0).open(panning(2)) as session:
        _, valid = session.warp(torch.zeros(1, *SIZE), 0, 1)
    inner = valid[10:-10, 10:-10]
    assert bool(inner.all()) == trusted
    assert bool(inner.any()) == trusted
    # Whatever the flow says, what would come from outside the image has no source.
    if back[0] > 0:
        assert not valid[:, -6:].any()


def test_late_object_and_no_object() -> None:
    frames, truth = moving_square(3)
    with OpticalFlowPropagator().open(frames) as session:
        assert session.propagate(0, 1).masks.shape == (0, *SIZE)
        masks = session.prompt(1, [prompt_of(truth[1], 4), prompt_of(~truth[1], 2)])
        assert masks.object_ids.tolist() == [4, 2]
        assert session.propagate(1, 2).object_ids.tolist() == [4, 2]
        with pytest.raises(PropagationError, match="object 4 was prompted already"):
            session.prompt(2, [prompt_of(truth[2], 4)])


@pytest.mark.parametrize(("t", "to"), [(0, 2), (0, 0), (2, 3), (0, -1)])
def test_only_neighbours(t: int, to: int) -> None:
    with (
        OpticalFlowPropagator().open(panning(3)) as session,
        pytest.raises(PropagationError, match=r"neighbours|no frame"),
    ):
        session.propagate(t, to)


def test_sessions_on_the_same_frames_share_flow_but_no_masks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frames, truth = moving_square(3)
    teacher = OpticalFlowPropagator()
    with teacher.open(frames) as first, teacher.open(frames) as second:
        first.prompt(0, [prompt_of(truth[0])])
        first.propagate(0, 1)
        assert first._video is second._video
        assert second.propagate(1, 0).object_ids.tolist() == []
    with teacher.open(frames) as third, teacher.open(list(frames)) as other:
        assert third._video is not other._video


@by_any_method
def test_repeats_bit_for_bit(method: Method) -> None:
    frames = panning(3)
    maps = torch.rand(4, *SIZE)
    results = []
    for _ in range(2):
        with OpticalFlowPropagator(method=method).open(frames) as session:
            results.append(session.warp(maps, 1, 2)[0])
    assert torch.equal(*results)


def test_closing_frees_the_frames_and_ends_the_session() -> None:
    class Frames(list[np.ndarray]):
        pass

    frames = Frames(panning(3))
    gone = weakref.ref(frames)
    teacher = OpticalFlowPropagator()
    with teacher.open(frames) as session:
        session.propagate(0, 1)
    with pytest.raises(PropagationError, match="closed"):
        session.propagate(1, 2)
    del frames
    gc.collect()
    assert gone() is None


def test_tensor_frames() -> None:
    frames = panning(2)
    maps = torch.rand(1, *SIZE)
    results = []
    for video in (frames, [torch.from_numpy(frame) for frame in frames]):
        with OpticalFlowPropagator().open(video) as session:
            results.append(session.warp(maps, 0, 1)[0])
    assert torch.equal(*results)


@pytest.mark.parametrize("options", [{"max_side": 8}, {"tolerance": -1.0}])
def test_arguments_out_of_range(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match="max_side is"):
        OpticalFlowPropagator(**options)  # type: ignore[arg-type]


def test_missing_opencv_says_which_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'ditta-adapt\[flow\]'"):
        OpticalFlowPropagator()
    # Plain torch needs nothing else.
    frames = panning(2)
    with OpticalFlowPropagator(method="lucas-kanade").open(frames) as session:
        assert session.warp(torch.rand(1, *SIZE), 0, 1)[1].any()


def test_unknown_method(unchecked: None) -> None:
    with pytest.raises(InputError, match="expected one of"):
        OpticalFlowPropagator(method="farneback")  # type: ignore[arg-type]
