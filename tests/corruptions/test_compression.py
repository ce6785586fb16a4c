"""H.265 in memory: what a codec must keep, and what it loses."""

import numpy as np
import pytest

from ditta_adapt.corruptions import Corruption, compression
from ditta_adapt.corruptions.compression import crf_compression
from ditta_adapt.errors import InputError, MissingDependencyError
from tests.toys import toy_video

av = pytest.importorskip("av")


@pytest.fixture(scope="module")
def clip() -> list[np.ndarray]:
    """A textured plane that moves 3 pixels a frame: smooth enough for 4:2:0."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (12, 24, 3)).astype(float)
    plane = np.kron(coarse, np.ones((8, 8, 1)))
    for axis in (0, 1):
        plane = sum(np.roll(plane, shift, axis) for shift in range(-3, 4)) / 7
    return [np.roll(plane, 3 * t, axis=1)[:64, :96].astype(np.uint8) for t in range(12)]


def error(result: list, clip: list[np.ndarray]) -> float:
    return float(np.abs(np.stack(result).astype(int) - np.stack(clip)).mean())


def test_frames_stay_in_place_and_loss_grows_with_the_rate_factor(clip: list[np.ndarray]) -> None:
    results = {crf: list(crf_compression(clip, crf)) for crf in (5, 25, 40, 50)}
    errors = [error(result, clip) for result in results.values()]
    assert errors == sorted(errors)
    # At the best quality what is left is the loss of 4:2:0.
    assert errors[0] < 8
    assert errors[-1] > 1.5 * errors[0]
    # Each picture is nearest to the frame it was made of: none is lost, doubled or out of order.
    for t, image in enumerate(results[5]):
        distances = [np.abs(image.astype(int) - frame).mean() for frame in clip]
        assert int(np.argmin(distances)) == t


@pytest.mark.parametrize(("strength", "crf"), [("low", 40), ("med", 45), ("high", 50)])
def test_strengths(strength: str, crf: int, clip: list[np.ndarray], monkeypatch) -> None:
    used = []
    through = compression._through_h265

    def noting(module, pictures, factor):
        used.append(factor)
        return through(module, pictures, factor)

    monkeypatch.setattr(compression, "_through_h265", noting)
    assert len(list(Corruption("crf_compression", strength).apply(clip))) == len(clip)
    assert used == [crf]


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (200, 40, 90), (10, 200, 30)])
@pytest.mark.parametrize("size", [(1, 1), (16, 16), (33, 47), (70, 20)])
def test_flat_colours_survive_at_any_size(
    colour: tuple[int, int, int], size: tuple[int, int]
) -> None:
    """Red is still red, black and white are still that: no swapped channel, no narrowed range."""
    frame = np.full((*size, 3), colour, np.uint8)
    for image in crf_compression([frame, frame], 40):
        assert image.shape == frame.shape
        assert np.abs(image.astype(int) - frame).max() <= 6


def test_missing_encoder(monkeypatch: pytest.MonkeyPatch, clip: list[np.ndarray]) -> None:
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx265"})
    with pytest.raises(MissingDependencyError, match=r"has no libx265, .* pip install"):
        next(crf_compression(clip, 40))


def test_an_encoder_that_refuses(clip: list[np.ndarray]) -> None:
    with pytest.raises(InputError, match=r"libx265 cannot encode 12 frames of 64 x 96 \(H x W\)"):
        next(crf_compression(clip, 1000))


@pytest.mark.parametrize("size", [(40, 60), (64, 60), (60, 64)])
def test_small_frames_are_the_same_on_every_run(size: tuple[int, int]) -> None:
    frames = toy_video(3, size)
    runs = [list(crf_compression(frames, 23)) for _ in range(12)]
    for again in runs[1:]:
        assert all(map(np.array_equal, again, runs[0]))
