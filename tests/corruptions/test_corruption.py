"""What holds for every corruption of a video, whatever it does to the pixels."""

import sys
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from ditta_adapt.corruptions import Corruption, corruption_names, parse_corruption
from ditta_adapt.errors import InputError, MissingDependencyError, ShapeError
from tests.toys import toy_video

NAMES = corruption_names(include_styles=False)
# x265 does not always repeat itself bit for bit.
REPEATABLE = [name for name in NAMES if name != "crf_compression"]
FRAMEWISE = [name for name in NAMES if name not in ("motion_blur", "crf_compression")]


@pytest.fixture(scope="module")
def clip() -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    noise = rng.integers(-20, 20, (6, 40, 56, 3))
    video = np.stack(list(toy_video(6, size=(40, 56))))
    return list(np.clip(video + noise, 0, 255).astype(np.uint8))


def run(name: str, frames: object, strength: str = "med", seed: int = 0) -> list[np.ndarray]:
    return list(Corruption(name, strength).apply(frames, seed=seed))  # type: ignore[arg-type]


def same(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return len(first) == len(second) and all(map(np.array_equal, first, second))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("strength", ["low", "med", "high"])
def test_frames_change_and_keep_their_form(
    name: str, strength: str, clip: list[np.ndarray]
) -> None:
    before = [frame.copy() for frame in clip]
    result = run(name, clip, strength)
    assert len(result) == len(clip)
    for image, frame in zip(result, clip, strict=True):
        assert image.shape == frame.shape
        assert image.dtype == np.uint8
        assert image.flags.c_contiguous
        assert image.flags.writeable
        assert not np.shares_memory(image, frame)
    assert not np.array_equal(result[1], clip[1])
    assert same(clip, before)


@pytest.mark.parametrize("name", ["gaussian_noise", "contrast", "crf_compression", "motion_blur"])
def test_stronger_is_farther_from_the_clean_video(name: str, clip: list[np.ndarray]) -> None:
    change = [
        np.abs(np.stack(run(name, clip, strength)).astype(int) - np.stack(clip)).mean()
        for strength in ("low", "med", "high")
    ]
    assert 0 < change[0] < change[1] < change[2]


@pytest.mark.parametrize("name", REPEATABLE)
def test_a_seed_gives_the_same_video_again(name: str, clip: list[np.ndarray]) -> None:
    first = run(name, clip, seed=3)
    np.random.default_rng().standard_normal(5)
    assert same(first, run(name, iter(clip), seed=3))
    assert same(first, run(name, clip, seed=4)) != (name in ("gaussian_noise", "glass_blur"))


@pytest.mark.parametrize("name", REPEATABLE)
def test_a_longer_video_starts_with_the_shorter_one(name: str, clip: list[np.ndarray]) -> None:
    assert same(run(name, clip)[:4], run(name, clip[:4]))


@pytest.mark.parametrize("name", ["gaussian_noise", "glass_blur"])
def test_each_frame_has_its_own_randomness(name: str, clip: list[np.ndarray]) -> None:
    first, second = run(name, [clip[0], clip[0]])
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("name", REPEATABLE)
def test_tensors_come_back_as_tensors(name: str, clip: list[np.ndarray]) -> None:
    tensors = [torch.from_numpy(frame.copy()) for frame in clip]
    result = list(Corruption(name, "low").apply(tensors))
    assert all(isinstance(image, torch.Tensor) for image in result)
    assert same([image.numpy() for image in result], run(name, clip, "low"))
    assert same([frame.numpy() for frame in tensors], clip)


def test_a_mixed_video_keeps_the_kind_of_each_frame(clip: list[np.ndarray]) -> None:
    mixed = [clip[0], torch.from_numpy(clip[1].copy()), clip[2]]
    for name in ("contrast", "crf_compression"):
        kinds = [type(image) for image in Corruption(name, "low").apply(mixed)]
        assert kinds == [np.ndarray, torch.Tensor, np.ndarray]


@pytest.mark.parametrize("name", REPEATABLE)
def test_memory_layout_does_not_matter(name: str, clip: list[np.ndarray]) -> None:
    wide = np.repeat(np.stack(clip), 2, axis=2)
    wide.setflags(write=False)
    views = [frame[::-1, ::2] for frame in wide]
    plain = [np.ascontiguousarray(frame[::-1]) for frame in clip]
    assert same(run(name, views), run(name, plain))


@pytest.mark.parametrize("name", REPEATABLE)
def test_the_caller_may_reuse_one_buffer(name: str, clip: list[np.ndarray]) -> None:
    buffer = torch.empty(clip[0].shape, dtype=torch.uint8)

    def camera() -> Iterator[torch.Tensor]:
        for frame in clip:
            buffer.copy_(torch.from_numpy(frame.copy()))
            yield buffer

    result = [np.asarray(image) for image in Corruption(name, "high").apply(camera())]
    assert same(result, run(name, clip, "high"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3), (5, 4), (17, 1)])
def test_tiny_frames_and_short_clips(name: str, size: tuple[int, int]) -> None:
    frames = list(np.random.default_rng(0).integers(0, 256, (2, *size, 3), dtype=np.uint8))
    for count in (0, 1, 2):
        result = run(name, frames[:count], "high")
        assert [image.shape for image in result] == [(*size, 3)] * count


@pytest.mark.parametrize("name", REPEATABLE)
def test_frames_are_read_as_they_are_asked_for(name: str, clip: list[np.ndarray]) -> None:
    read = []

    def camera() -> Iterator[np.ndarray]:
        for t, frame in enumerate(clip):
            read.append(t)
            yield frame

    stream = Corruption(name, "low").apply(camera())
    assert read == []
    next(stream)
    next(stream)
    assert read == [0, 1]


@pytest.mark.parametrize("name", ["style1", "style2", "style3", "style4"])
def test_styles_are_refused_at_once_with_what_there_is(name: str, clip: list[np.ndarray]) -> None:
    corruption = parse_corruption(f"{name}:low")
    with pytest.raises(InputError, match=rf"{name} cannot be applied: .*weights.*cartoon\.$"):
        corruption.apply(clip)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("seed", [-1, 0.5, "0", None, True])
def test_bad_seeds_are_refused_at_once(seed: object, clip: list[np.ndarray]) -> None:
    with pytest.raises(InputError, match=r"seed is .*; expected an integer of at least 0"):
        Corruption("contrast", "low").apply(clip, seed=seed)  # type: ignore[arg-type]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("frames", [None, 3, torch.tensor(1), np.array(1)])
def test_what_is_no_video_is_refused_at_once(frames: object) -> None:
    with pytest.raises(InputError, match="expected an iterable of"):
        Corruption("contrast", "low").apply(frames)  # type: ignore[arg-type]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((4, 5, 3), np.float32), "frame 1 has dtype float32"),
        (np.zeros((3, 4, 5), np.uint8), "frame 1 has shape .* channels-first"),
        (np.zeros((4, 5), np.uint8), "frame 1 has shape"),
        (np.zeros((0, 5, 3), np.uint8), "at least one pixel"),
        (3, "frame 1 is a int"),
        (np.zeros((4, 6, 3), np.uint8), r"frame 1 is \(4, 6\) .* frame 0 is \(4, 5\)"),
    ],
)
@pytest.mark.parametrize("name", ["contrast", "motion_blur", "crf_compression"])
def test_bad_frames_are_refused_by_number(name: str, bad: object, message: str) -> None:
    frames = [np.zeros((4, 5, 3), np.uint8), bad]
    with pytest.raises(ShapeError, match=message):
        run(name, frames)


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("defocus_blur", "cv2", "flow"),
        ("cartoon", "cv2", "flow"),
        ("crf_compression", "av", "video"),
    ],
)
def test_missing_libraries(
    name: str, module: str, extra: str, clip: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError, match=rf"ditta-adapt\[{extra}\]"):
        run(name, clip)


@pytest.mark.parametrize("name", FRAMEWISE)
def test_most_corruptions_need_no_other_library(
    name: str, clip: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    if name in ("defocus_blur", "cartoon"):
        return
    for module in ("cv2", "av", "PIL", "scipy"):
        monkeypatch.setitem(sys.modules, module, None)
    assert len(run(name, clip)) == len(clip)
