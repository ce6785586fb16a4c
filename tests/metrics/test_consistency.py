import gc
import json
import math
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.metrics import VideoConsistency

quick = settings(max_examples=30)
Video = tuple[np.ndarray, np.ndarray]


@pytest.fixture
def warn_always() -> Iterator[None]:
    """Torch gives some warnings only once a process; here they are to come every time."""
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    yield
    torch.set_warn_always(before)


@st.composite
def videos(draw: st.DrawFn) -> Video:
    """Predictions and targets `(L, H, W)` that change now and then; 255 among the targets."""
    length = draw(st.integers(0, 9))
    h, w = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    flicker = draw(st.sampled_from([0.0, 0.1, 0.5]))

    def one() -> np.ndarray:
        labels = rng.choice([0, 1, 2, 255], (length, h, w))
        for t in range(1, length):
            labels[t] = np.where(rng.random((h, w)) < flicker, labels[t], labels[t - 1])
        return labels

    return one(), one()


def windows_by_hand(
    video: Video,
    n: int,
    *,
    windows: str = "official",
    require_correct: bool = False,
    ignored: Collection[int] = (),
) -> list[float]:
    """The official evaluator's definition, window by window, pixel by pixel."""
    preds, targets = video
    scores = []
    for i in range(len(preds) - n + (windows == "paper")):
        steady = both = 0
        for y, x in np.ndindex(preds.shape[1:]):
            truths = targets[i : i + n, y, x].tolist()
            if len(set(truths)) == 1 and truths[0] not in ignored:
                steady += 1
                found = preds[i : i + n, y, x].tolist()
                both += found == truths if require_correct else len(set(found)) == 1
        if steady:
            scores.append(both / steady)
    return scores


def consistency(n: int, *videos: Video, **options: Any) -> float:
    metric = VideoConsistency(n, **options)
    for preds, targets in videos:
        metric.add_video(preds, targets)
    return metric.value()


@quick
@given(several=st.lists(videos(), max_size=3), n=st.integers(2, 6))
def test_it_equals_the_official_definition(several: list[Video], n: int) -> None:
    """All windows of all videos weigh the same."""
    scores = [score for video in several for score in windows_by_hand(video, n)]
    expected = sum(scores) / len(scores) if scores else math.nan
    # A window's share is a quotient in single precision.
    assert consistency(n, *several) == pytest.approx(expected, abs=1e-6, nan_ok=True)


@quick
@given(several=st.lists(videos(), max_size=4), data=st.data(), n=st.integers(2, 4))
def test_order_of_videos_does_not_matter(several: list[Video], data: st.DataObject, n: int) -> None:
    shuffled = data.draw(st.permutations(several))
    expected = consistency(n, *several)
    assert consistency(n, *shuffled) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@quick
@given(video=videos(), n=st.integers(2, 4))
def test_names_of_labels_do_not_matter(video: Video, n: int) -> None:
    """Nor whether the prediction is right: only whether it changes."""
    preds, targets = video
    renamed = (preds * 7 + 3).astype(np.int32), 300 - targets
    assert consistency(n, renamed) == pytest.approx(consistency(n, video), nan_ok=True)


@quick
@given(video=videos(), n=st.integers(2, 4))
def test_a_prediction_that_never_changes_scores_one(video: Video, n: int) -> None:
    preds, targets = video
    value = consistency(n, (np.full_like(preds, 9), targets))
    assert value == 1 if windows_by_hand(video, n) else math.isnan(value)
    value = consistency(n, (targets, targets))
    assert value == 1 if windows_by_hand(video, n) else math.isnan(value)


@quick
@given(video=videos(), n=st.integers(2, 5))
def test_all_forms_of_a_video_are_the_same(video: Video, n: int) -> None:
    def one_by_one(frames: np.ndarray) -> Iterator[torch.Tensor]:
        for frame in frames:
            yield torch.from_numpy(frame)

    metric = VideoConsistency(n)
    metric.add_video(one_by_one(video[0]), list(video[1]))
    assert metric.value() == pytest.approx(consistency(n, video), nan_ok=True)


@quick
@given(
    several=st.lists(videos(), max_size=3),
    n=st.integers(2, 5),
    windows=st.sampled_from(["official", "paper"]),
    require_correct=st.booleans(),
)
def test_frame_by_frame_is_the_same_as_whole_videos(
    several: list[Video], n: int, windows: Any, require_correct: bool
) -> None:
    whole, streamed = (
        VideoConsistency(n, windows=windows, require_correct=require_correct) for _ in range(2)
    )
    for preds, targets in several:
        whole.add_video(preds, targets)
        for pred, target in zip(preds, targets, strict=True):
            before = streamed.value()
            streamed.update(pred, target)
            # What has not ended does not count.
            assert streamed.value() == before or math.isnan(before)
        assert streamed.end_video() == whole.scores[-1]
    assert streamed.scores == whole.scores


def test_a_refused_frame_alone_is_left_out() -> None:
    small, large = np.zeros((2, 2), int), np.zeros((2, 3), int)
    metric = VideoConsistency(2)
    with pytest.raises(ShapeError, match="frame 0 has shape"):
        metric.update(small[None], small[None])
    for _ in range(3):
        metric.update(small, small)
        with pytest.raises(ShapeError, match="the frames before it"):
            metric.update(large, large)
    assert metric.end_video() == [1.0]
    metric.update(large, large)


def test_a_video_that_is_open_ends_before_another_is_added() -> None:
    frames = np.zeros((4, 1, 1), int)
    metric = VideoConsistency(2)
    metric.update(frames[0], frames[0])
    with pytest.raises(InputError, match=r"expected end_video\(\) before another"):
        metric.add_video(frames, frames)
    assert metric.end_video() == []
    metric.add_video(frames, frames)
    assert metric.scores == [[], [1.0, 1.0]]


def test_by_hand() -> None:
    """One window of two frames: wrong but constant 5 and 7 count, and so does constant 255."""
    targets = np.array([[[1, 1, 2, 255]]] * 3)
    preds = np.array([[[1, 5, 2, 7]], [[1, 5, 3, 7]], [[1, 5, 3, 7]]])
    assert consistency(2, (preds, targets)) == 0.75


def test_long_videos_weigh_more() -> None:
    """Two windows of 1 and one of 0: 2/3, not the mean of the videos."""
    still, jumpy = np.zeros((4, 1, 1), int), np.array([[[0]], [[1]], [[0]]])
    value = consistency(2, (still, still), (jumpy, np.zeros((3, 1, 1), int)))
    assert value == pytest.approx(2 / 3)


@pytest.mark.parametrize("n", [2, 8])
def test_a_video_of_at_most_n_frames_adds_nothing(n: int) -> None:
    for length in (0, 1, n - 1, n):
        still = np.zeros((length, 2, 2), int)
        assert math.isnan(consistency(n, (still, still)))
    still = np.zeros((n + 1, 2, 2), int)
    assert consistency(n, (still, still)) == 1


def test_windows_do_not_reach_across_videos() -> None:
    """Three videos of one frame each are no video of three frames."""
    frame = np.zeros((1, 1, 1), int)
    assert math.isnan(consistency(2, (frame, frame), (frame, frame), (frame, frame)))


def test_windows_without_a_steady_target_are_left_out() -> None:
    """The target moves between frames 0 and 1, so the first of two windows is empty."""
    targets = np.array([0, 1, 1, 1]).reshape(4, 1, 1)
    preds = np.array([0, 1, 2, 2]).reshape(4, 1, 1)
    assert consistency(2, (preds, targets)) == 0
    assert math.isnan(consistency(3, (preds[:4], np.arange(4).reshape(4, 1, 1))))


@pytest.mark.parametrize("n", [1, 0, -2])
def test_a_window_needs_two_frames(n: int) -> None:
    with pytest.raises(InputError, match=f"window is {n}; expected at least 2"):
        VideoConsistency(n)


@pytest.mark.parametrize(("first", "second"), [(5, 4), (4, 5), (0, 1)])
def test_videos_of_different_length(first: int, second: int) -> None:
    """Nothing of a video that is refused counts."""
    metric = VideoConsistency(2)
    frame = np.zeros((1, 1), int)
    with pytest.raises(InputError, match="differ in length"):
        metric.add_video([frame] * first, [frame] * second)
    assert math.isnan(metric.value())


def test_maps_of_different_size() -> None:
    small, large = np.zeros((2, 2), int), np.zeros((2, 3), int)
    metric = VideoConsistency(2)
    with pytest.raises(ShapeError, match=r"frame 3: pred has shape \(2, 2\) and target \(2, 3\)"):
        metric.add_video([small] * 4, [small] * 3 + [large])
    with pytest.raises(ShapeError, match=r"frame 1 has shape \(2, 3\).*\(2, 2\)"):
        metric.add_video([small, large], [small, large])
    assert math.isnan(metric.value())


def test_an_error_of_the_frames_themselves_is_not_taken_for_a_difference_in_length() -> None:
    def broken() -> Iterator[np.ndarray]:
        yield np.zeros((1, 1), int)
        raise ValueError("cannot decode frame 1")

    with pytest.raises(ValueError, match="cannot decode") as error:
        VideoConsistency(2).add_video(broken(), [np.zeros((1, 1), int)] * 2)
    assert "length" not in str(error.value)


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_a_buffer_may_be_reused_for_the_next_frame(kind: str) -> None:
    """As decoders and inference loops do."""

    def decode(*values: int) -> Iterator[np.ndarray | torch.Tensor]:
        buffer = np.zeros((1, 1), int)
        for value in values:
            buffer[:] = value
            yield torch.from_numpy(buffer) if kind == "torch" else buffer

    metric = VideoConsistency(2)
    metric.add_video(decode(0, 1, 2, 3), decode(0, 0, 0, 0))
    assert metric.value() == 0


def test_flipped_arrays() -> None:
    targets = np.array([[[1, 1, 2, 255]]] * 3)
    preds = np.array([[[1, 5, 2, 7]], [[1, 5, 3, 7]], [[1, 5, 3, 7]]])
    assert consistency(2, (preds[..., ::-1], targets[..., ::-1])) == 0.75


def test_read_only_arrays(warn_always: None) -> None:
    """What `numpy.asarray(image)` gives must not warn."""
    targets = np.array([[[1, 1, 2, 255]]] * 3)
    preds = np.array([[[1, 5, 2, 7]], [[1, 5, 3, 7]], [[1, 5, 3, 7]]], np.uint8)
    preds.flags.writeable = targets.flags.writeable = False
    assert consistency(2, (preds, targets)) == 0.75


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64], ids=lambda d: d.__name__)
def test_label_maps_of_any_integer_dtype(dtype: type) -> None:
    targets = np.array([[[1, 1, 2, 255]]] * 3, dtype)
    preds = np.array([[[1, 5, 2, 7]], [[1, 5, 3, 7]], [[1, 5, 3, 7]]], dtype)
    assert consistency(2, (preds, targets)) == 0.75


@quick
@given(
    several=st.lists(videos(), max_size=3),
    n=st.integers(2, 5),
    windows=st.sampled_from(["official", "paper"]),
    average=st.sampled_from(["windows", "videos"]),
    require_correct=st.booleans(),
    ignored=st.sampled_from([(), (255,), (0, 255)]),
)
def test_every_option_equals_its_definition(
    several: list[Video],
    n: int,
    windows: str,
    average: str,
    require_correct: bool,
    ignored: tuple[int, ...],
) -> None:
    rule: dict[str, Any] = {
        "windows": windows,
        "require_correct": require_correct,
        "ignored": ignored,
    }
    scores = [scores for video in several if (scores := windows_by_hand(video, n, **rule))]
    if average == "videos":
        scores = [[sum(video) / len(video)] for video in scores]
    pooled = [score for video in scores for score in video]
    expected = sum(pooled) / len(pooled) if pooled else math.nan
    value = consistency(n, *several, average=average, **rule)
    assert value == pytest.approx(expected, abs=1e-12, nan_ok=True)
    assert math.isnan(value) or 0 <= value <= 1


@quick
@given(several=st.lists(videos(), max_size=4), n=st.integers(2, 4), cut=st.integers(0, 4))
@pytest.mark.parametrize("average", ["windows", "videos"])
def test_stored_scores_pool_to_the_same_value(
    several: list[Video], n: int, cut: int, average: Any
) -> None:
    whole = VideoConsistency(n, average=average)
    pooled = VideoConsistency(n, average=average)
    for video in several:
        whole.add_video(*video)
        alone = VideoConsistency(n)
        alone.add_video(*video)
        for scores in json.loads(json.dumps(alone.scores)):
            pooled.add_scores(scores)
    assert pooled.scores == whole.scores
    assert len(whole.scores) == len(several)
    assert pooled.value() == whole.value() or math.isnan(whole.value())


HAND = (
    np.array([[[1, 5, 2, 7]], [[1, 5, 3, 7]], [[1, 5, 3, 7]]]),
    np.array([[[1, 1, 2, 255]]] * 3),
)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 0.75),
        ({"windows": "paper"}, 0.875),
        ({"require_correct": True}, 0.25),
        ({"ignored": [255]}, 2 / 3),
        ({"ignored": [255], "require_correct": True}, 1 / 3),
    ],
    ids=str,
)
def test_options_by_hand(options: dict[str, Any], expected: float) -> None:
    assert consistency(2, HAND, **options) == pytest.approx(expected, abs=1e-12)


def test_videos_may_weigh_the_same() -> None:
    """Two windows of 1 in one video and one of 0 in the other: 1/2."""
    still, jumpy = np.zeros((4, 1, 1), int), np.array([[[0]], [[1]], [[0]]])
    videos = (still, still), (jumpy, np.zeros((3, 1, 1), int))
    assert consistency(2, *videos, average="videos") == 0.5


def test_a_constant_error_is_consistent_but_not_correct() -> None:
    targets = np.zeros((4, 2, 2), int)
    assert consistency(2, (targets + 1, targets)) == 1
    assert consistency(2, (targets + 1, targets), require_correct=True) == 0


def test_a_video_without_a_window_has_an_empty_list() -> None:
    """So that the lists stay in step with the videos."""
    short, long = np.zeros((2, 1, 1), int), np.zeros((4, 1, 1), int)
    metric = VideoConsistency(2)
    metric.add_video(short, short)
    metric.add_video([], [])
    metric.add_video(long, long)
    assert metric.scores == [[], [], [1.0, 1.0]]


@pytest.mark.parametrize("score", [-0.1, 1.1, math.nan])
def test_stored_scores_out_of_range(score: float) -> None:
    metric = VideoConsistency(2)
    with pytest.raises(InputError, match=r"window's score is .*expected one in \[0, 1\]"):
        metric.add_scores([0.5, score])
    assert metric.scores == []


@pytest.mark.parametrize("options", [{"windows": "all"}, {"average": "frames"}], ids=str)
def test_unknown_options(options: dict[str, Any], unchecked: None) -> None:
    (name, value), *_ = options.items()
    with pytest.raises(InputError, match=f"{name} is '{value}'; expected"):
        VideoConsistency(2, **options)


def test_frames_are_maps() -> None:
    frames = np.zeros((3, 1, 2, 2), int)
    with pytest.raises(ShapeError, match=r"frame 0 has shape \(1, 2, 2\); expected \(H, W\)"):
        VideoConsistency(2).add_video(frames, frames)


@pytest.mark.parametrize("windows", ["official", "paper"])
def test_memory_does_not_grow_with_the_video(windows: Any) -> None:
    size = (7, 11)
    alive: list[int] = []
    metric = VideoConsistency(3, windows=windows)
    for _ in range(8):
        metric.update(torch.zeros(size, dtype=torch.int64), torch.zeros(size, dtype=torch.int64))
        alive.append(sum(type(x) is torch.Tensor for x in gc.get_objects()))
    assert len(set(alive[2:])) == 1
