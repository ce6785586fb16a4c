"""The SAM 2 teacher against the package's own way through a video, with small random weights."""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from ditta_adapt import (
    AdaptConfig,
    InputError,
    MaskVote,
    PropagationError,
    ShapeError,
    wrap,
)
from ditta_adapt.adapters.sam2 import SAM2Propagator
from tests.adapters.sam2_package_models import (
    FIRST,
    Clicks,
    assert_same,
    follow,
    follow_in_package,
    package_state,
    prompts_of,
    small_predictor,
)
from tests.toys import toy_segmenter, toy_video


@pytest.fixture(scope="module")
def predictor() -> Any:
    return small_predictor()


SIZE = (37, 50)
# One video longer than what the model looks back on; other sizes need no more than a step or two.
BOTH_WAYS = [(range(20), SIZE), (range(19, -1, -1), SIZE)]


@pytest.mark.parametrize(
    ("order", "size"), [*BOTH_WAYS, (range(8), (131, 90)), (range(7, -1, -1), (1, 7))]
)
def test_masks_are_those_of_the_package(
    order: range, size: tuple[int, int], predictor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = toy_video(len(order), size)
    late = order[6]
    width, height = size[1] - 1, size[0] - 1
    clicks: dict[int, Clicks] = {
        order[0]: [(3, (min(5, width), min(5, height))), (1, (width, height))],
        late: [(7, (width // 2, height // 2))],
    }
    theirs = follow_in_package(predictor, frames, order, clicks, monkeypatch)
    with SAM2Propagator(predictor).open(frames) as session:
        ours = follow(session, order, clicks)
    assert_same(ours, theirs)
    if size == SIZE:
        # Not by chance: masks differ between frames and between objects.
        first, last = ours[late], ours[order[-1]]
        assert 0.1 < float(last[3].float().mean()) < 0.9
        assert not torch.equal(first[3], last[3])
        assert not torch.equal(first[1], first[3])
        assert not torch.equal(first[1], first[7])


def test_reaching_a_frame_that_was_clicked(predictor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = toy_video(4)
    clicks: dict[int, Clicks] = {1: FIRST}
    state = package_state(predictor, frames, monkeypatch)
    for object_id, point in FIRST:
        predictor.add_new_points_or_box(state, 1, object_id, [point], [1])
    steps = predictor.propagate_in_video(state, 1, 2)
    theirs = {t: dict(zip(ids, logits[:, 0] > 0, strict=True)) for t, ids, logits in steps}
    with SAM2Propagator(predictor).open(frames) as session:
        assert_same(follow(session, [1, 2, 3], clicks), theirs)
        session.propagate(3, 2)
        again = session.propagate(2, 1)
        assert torch.equal(again.masks, torch.stack(list(theirs[1].values())))


def test_an_added_object_leaves_earlier_tracks_unchanged(predictor: Any) -> None:
    frames = toy_video(8)
    results = []
    for clicks in ({0: FIRST}, {0: FIRST, 3: [(9, (25, 18)), (4, (1, 30))]}):
        with SAM2Propagator(predictor).open(frames) as session:
            results.append(follow(session, range(8), clicks))
    alone, joined = results
    assert list(joined[7]) == [3, 1, 9, 4]
    for t in range(8):
        for object_id, _ in FIRST:
            assert torch.equal(alone[t][object_id], joined[t][object_id])


def test_no_prompt_no_objects_and_no_work(predictor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor, "forward_image", None)
    with SAM2Propagator(predictor).open(toy_video(3)) as session:
        for masks in (session.prompt(0, []), session.propagate(0, 1), session.propagate(1, 0)):
            assert masks.object_ids.tolist() == []
            assert masks.object_ids.dtype == torch.int64
            assert masks.masks.shape == (0, 37, 50)


class Counter:
    """Counts the passes of the image encoder."""

    def __init__(self, predictor: Any, patch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self._encode: Callable[..., Any] = predictor.forward_image
        patch.setattr(predictor, "forward_image", self)

    def __call__(self, image: torch.Tensor) -> Any:
        self.count += len(image)
        return self._encode(image)


def test_features_once_a_frame_for_both_directions(
    predictor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = Counter(predictor, monkeypatch)
    frames = toy_video(8)
    late: Clicks = [(9, (25, 18))]
    teacher = SAM2Propagator(predictor)
    with teacher.open(frames) as first, teacher.open(frames) as second:
        follow(first, range(8), {0: FIRST, 3: late})
        assert counter.count == 8
        follow(second, range(7, -1, -1), {7: FIRST, 2: late})
    assert counter.count == 8
    with teacher.open(frames) as third, teacher.open(list(frames)) as other:
        for session in (third, other):
            follow(session, range(2), {0: FIRST})
    assert counter.count == 8 + 2 + 2


def test_a_short_cache_costs_time_but_changes_no_mask(
    predictor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = toy_video(6)
    results = []
    counter = Counter(predictor, monkeypatch)
    for cached_frames, passes in ((64, 6), (2, 6 + 4)):
        teacher = SAM2Propagator(predictor, cached_frames=cached_frames)
        counter.count = 0
        with teacher.open(frames) as first, teacher.open(frames) as second:
            follow(first, range(6), {0: FIRST})
            results.append(follow(second, range(5, -1, -1), {5: FIRST}))
        assert counter.count == passes
    assert_same(*results)


def kept_bytes(root: Any) -> int:
    """Size of all tensors that can be reached from a nest of containers."""
    storages = {}
    nodes = [root]
    while nodes:
        node = nodes.pop()
        if isinstance(node, torch.Tensor):
            storages[node.untyped_storage().data_ptr()] = node.untyped_storage().nbytes()
        elif isinstance(node, dict):
            nodes += node.values()
        elif isinstance(node, list | tuple):
            nodes += node
    return sum(storages.values())


def test_memory_is_flat_over_a_long_video(predictor: Any) -> None:
    # Twice as long as what the model looks back on.
    reach = predictor.max_obj_ptrs_in_encoder
    frames = toy_video(10) * (2 * reach // 10 + 1)
    teacher = SAM2Propagator(predictor, cached_frames=4)
    kept = {}
    with teacher.open(frames) as session:
        session.prompt(0, prompts_of(FIRST))
        for t in range(2 * reach):
            session.propagate(t, t + 1)
            kept[t] = kept_bytes([vars(session), vars(session._video)])
    assert kept[reach // 2] < kept[reach + 1] == kept[2 * reach - 1]


def test_sessions_share_no_state(predictor: Any) -> None:
    frames = toy_video(5)
    teacher = SAM2Propagator(predictor)
    with teacher.open(frames) as session:
        alone = follow(session, range(5), {0: FIRST})
    with teacher.open(frames) as first, teacher.open(frames) as second:
        second.prompt(4, prompts_of([(3, (20, 20)), (8, (1, 1))]))
        first.prompt(0, prompts_of(FIRST))
        for t in range(4):
            second.propagate(4 - t, 3 - t)
            masks = first.propagate(t, t + 1)
        assert masks.object_ids.tolist() == [3, 1]
    assert torch.equal(masks.masks, torch.stack(list(alone[4].values())))


def test_repeats_bit_for_bit_and_takes_tensors(predictor: Any) -> None:
    frames = toy_video(5)
    for frame in frames:
        frame.flags.writeable = False
    flipped = [frame[:, ::-1].copy()[:, ::-1] for frame in frames]
    tensors = [torch.from_numpy(frame.copy()) for frame in frames]
    results = []
    for video in (frames, frames, flipped, tensors):
        with SAM2Propagator(predictor).open(video) as session:
            results.append(follow(session, range(5), {0: FIRST}))
    for result in results[1:]:
        assert_same(results[0], result)


def test_masks_are_ordinary_tensors(predictor: Any) -> None:
    with SAM2Propagator(predictor).open(toy_video(2)) as session:
        for masks in (session.prompt(0, prompts_of(FIRST)), session.propagate(0, 1)):
            assert not masks.masks.is_inference()
            # Also in that the caller may write to them.
            masks.masks.zero_()
        assert session.prompt(1, []).masks.any()


def test_closing_frees_everything_and_ends_the_session(predictor: Any) -> None:
    class Frames(list[np.ndarray]):
        pass

    frames = Frames(toy_video(3))
    gone = weakref.ref(frames)
    teacher = SAM2Propagator(predictor)
    with teacher.open(frames) as session:
        follow(session, range(3), {0: FIRST})
        features = weakref.ref(session._video)
        session.close()
        assert features() is None
    assert kept_bytes(vars(session)) == 0
    for call in (lambda: session.propagate(1, 2), lambda: session.prompt(2, [])):
        with pytest.raises(PropagationError, match="closed"):
            call()
    del frames
    gc.collect()
    assert gone() is None


def test_wrong_prompts_change_nothing(predictor: Any) -> None:
    """Also nothing of the package's own state."""
    with SAM2Propagator(predictor).open(toy_video(3)) as session:
        with pytest.raises(PropagationError, match="object 5 was prompted already"):
            session.prompt(0, prompts_of([(5, (1, 1)), (5, (2, 2))]))
        with pytest.raises(InputError, match=r"\(50, 0\).*object 5 is outside the frame"):
            session.prompt(0, prompts_of([(5, (50, 0))]))
        assert session._state["obj_ids"] == []
        assert session.prompt(0, prompts_of(FIRST)).object_ids.tolist() == [3, 1]
        with pytest.raises(PropagationError, match="expected neighbours"):
            session.propagate(0, 2)
        assert session.propagate(0, 1).object_ids.tolist() == [3, 1]


def test_wrong_frames(predictor: Any) -> None:
    teacher = SAM2Propagator(predictor)
    with pytest.raises(InputError, match="no frames"), teacher.open([]):
        pass
    frames = [toy_video(1)[0], toy_video(1)[0].astype(np.float32)]
    with teacher.open(frames) as session:
        session.prompt(0, prompts_of(FIRST))
        with pytest.raises(ShapeError, match="frame 1 has dtype float32"):
            session.propagate(0, 1)


def test_adapts_a_segmenter_end_to_end(predictor: Any) -> None:
    video_model = wrap(
        toy_segmenter(),
        propagator=SAM2Propagator(predictor),
        config=AdaptConfig(targets=MaskVote(prompt_threshold=0.0), safety=None),
    )
    frames = toy_video(5)
    report = video_model.adapt(frames[:4])
    assert report.adapted
    assert report.propagator == "SAM2Propagator"
    assert video_model(frames[4]).shape == (37, 50)


def test_the_predictor_is_left_as_it_was(predictor: Any) -> None:
    before = {name: value.clone() for name, value in predictor.state_dict().items()}
    with SAM2Propagator(predictor).open(toy_video(3)) as session:
        follow(session, range(3), {0: FIRST})
    assert not predictor.training
    for name, value in predictor.state_dict().items():
        assert torch.equal(value, before[name]), name
