"""Refined labels: cases by hand, and as targets of a video model."""

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt import (
    AdaptConfig,
    ConfigError,
    InputError,
    Progress,
    PropagationError,
    ShapeError,
    Targets,
    WarmUp,
    wrap,
)
from ditta_adapt.baselines.refinement.refined_labels import (
    RefinedLabels,
    consistent_labels,
    most_confident_labels,
    oracle_labels,
    warped_labels,
)
from ditta_adapt.io.frames import frames_to_tensors
from ditta_adapt.progress import silent
from ditta_adapt.targets.targets import IGNORE
from tests.baselines.shift_propagator import ShiftPropagator, ShiftSession
from tests.toys import StillPropagator, ToyNet, ToySegmenter, toy_segmenter, toy_video

FRAMES = toy_video(6, size=(12, 14))


def row(*values: float) -> Tensor:
    return torch.tensor([values])


class TestByHand:
    def test_consistency(self) -> None:
        assert consistent_labels(row(1, 2), row(1, 3)).tolist() == [[1, 255]]
        assert consistent_labels(row(255, 2), row(255, 255)).tolist() == [[255, 255]]

    def test_max_confidence(self) -> None:
        refined = most_confident_labels(row(1, 2), row(0.9, 0.4), row(1, 3), row(0.5, 0.8))
        assert refined.tolist() == [[1, 3]]

    def test_a_tie_goes_to_the_neighbour_and_no_neighbour_to_the_frame(self) -> None:
        refined = most_confident_labels(row(1, 2), row(0.5, 0.1), row(4, 255), row(0.5, 0.9))
        assert refined.tolist() == [[4, 2]]

    def test_oracle(self) -> None:
        assert oracle_labels(row(1, 2, 3), row(1, 3, 255)).tolist() == [[1, 255, 255]]
        assert oracle_labels(row(255), row(255)).tolist() == [[255]]

    def test_dtype_and_ignore_index(self) -> None:
        labels = torch.tensor([[1, 2]], dtype=torch.int16)
        kept = consistent_labels(labels, row(1, 3).to(torch.uint8), ignore_index=-1)
        assert kept.dtype == torch.int16
        assert kept.tolist() == [[1, -1]]

    @pytest.mark.usefixtures("unchecked")
    def test_shapes_that_differ(self) -> None:
        with pytest.raises(ShapeError, match=r"labels \(1, 2\), warped \(1, 1\)"):
            consistent_labels(row(1, 2), row(1))
        with pytest.raises(ShapeError, match=r"truth \(1, 3\)"):
            oracle_labels(row(1, 2), row(1, 2, 3))
        with pytest.raises(ShapeError, match=r"warped_confidence \(1, 1\)"):
            most_confident_labels(row(1, 2), row(0.1, 0.2), row(1, 2), row(0.3))


maps = st.integers(0, 2**32).map(
    lambda seed: torch.randint(0, 4, (4, 3, 5), generator=torch.Generator().manual_seed(seed))
)


@given(maps)
def test_laws(maps: Tensor) -> None:
    labels, warped, truth = (part.clone() for part in maps[:3])
    for part in (labels, warped, truth):
        part[part == 3] = 255
    oracle = oracle_labels(labels, truth)
    assert (oracle == truth)[oracle != 255].all()  # Precision 1.
    assert ((oracle != 255) == ((labels == truth) & (truth != 255))).all()  # And nothing missed.
    agreed = consistent_labels(labels, warped)
    assert torch.equal(agreed, consistent_labels(warped, labels))
    assert ((agreed == labels) | (agreed == 255)).all()
    assert torch.equal(consistent_labels(labels, labels), labels)
    sure, unsure = torch.full((3, 5), 0.9), torch.full((3, 5), 0.1)
    assert torch.equal(most_confident_labels(labels, sure, warped, unsure), labels)
    taken = most_confident_labels(labels, unsure, warped, sure)
    assert torch.equal(taken, torch.where(warped == 255, labels, warped))


def test_labels_are_carried_like_the_world_moves() -> None:
    labels = torch.tensor([[3, 0, 7, 7]], dtype=torch.uint8)
    session = ShiftSession([FRAMES[0][:1, :4]], 1)
    forward, valid = warped_labels(session, labels, 0, 1)
    assert forward.tolist() == [[0, 3, 0, 7]]
    assert valid.tolist() == [[False, True, True, True]]
    backward, _ = warped_labels(session, labels, 1, 0)
    assert backward.tolist() == [[0, 7, 7, 0]]


def warm_up_of(frames: Sequence[object], segmenter: ToySegmenter | None = None) -> WarmUp:
    tensors = frames_to_tensors(frames)
    return WarmUp.from_frames(segmenter or toy_segmenter(), tensors, silent)


def build(builder: RefinedLabels, warm_up: WarmUp, teacher: object | None = None) -> Targets:
    return builder(teacher or ShiftPropagator(), warm_up, AdaptConfig(), silent)


class TestRefinedLabels:
    @pytest.mark.parametrize("offset", [-1, 1, -3, 2])
    def test_every_strategy_by_loops(self, offset: int) -> None:
        """World of `ShiftPropagator`: column x of frame t is column x + offset of t + offset."""
        warm_up = warm_up_of(FRAMES)
        own = [prediction.labels.long() for prediction in warm_up.predictions]
        confidence = [warm_up.logits(t).softmax(1).amax(1)[0] for t in range(6)]
        built = {
            name: build(RefinedLabels(name, offset=offset), warm_up)
            for name in ("consistency", "max_confidence", "warp")
        }
        differing = 0
        for t in range(6):
            for y in range(12):
                for x in range(14):
                    mine, near = int(own[t][y, x]), x + offset
                    if not 0 <= t + offset < 6:
                        expected = {"consistency": mine, "max_confidence": mine, "warp": mine}
                    elif not 0 <= near < 14:
                        expected = {"consistency": IGNORE, "max_confidence": mine, "warp": IGNORE}
                    else:
                        other = int(own[t + offset][y, near])
                        mine_wins = confidence[t][y, x] > confidence[t + offset][y, near]
                        differing += other != mine
                        expected = {
                            "consistency": mine if mine == other else IGNORE,
                            "max_confidence": mine if mine_wins else other,
                            "warp": other,
                        }
                    for name, value in expected.items():
                        assert int(built[name].labels[t][y, x]) == value, (name, t, y, x)
        assert differing > 20

    def test_says_where_the_labels_come_from(self) -> None:
        builder = RefinedLabels("warp", offset=1)
        model = wrap(
            toy_segmenter(),
            propagator=ShiftPropagator(),
            config=AdaptConfig(safety=None),
            target_builder=builder,
        )
        expected = "adapted to labels refined by warp with the frame after"
        assert model.adapt(FRAMES).reason == expected

    def test_one_frame_keeps_its_labels(self) -> None:
        warm_up = warm_up_of(FRAMES[:1])
        targets = build(RefinedLabels(), warm_up)
        assert targets.learnable
        assert torch.equal(targets.labels[0].long(), warm_up.predictions[0].labels.long())

    def test_nothing_kept_is_nothing_to_learn(self) -> None:
        """Further than the frame is wide: no pixel of any second frame has a source."""
        warm_up = warm_up_of(FRAMES)
        targets = build(RefinedLabels("warp"), warm_up, ShiftPropagator(step=20))
        assert (targets.labels[0] != IGNORE).all()
        assert all((frame == IGNORE).all() for frame in targets.labels[1:])

    def test_counts_progress(self) -> None:
        steps: list[Progress] = []
        RefinedLabels()(ShiftPropagator(), warm_up_of(FRAMES), AdaptConfig(), steps.append)
        assert [(step.stage, step.done, step.total) for step in steps] == [
            ("targets", t + 1, 6) for t in range(6)
        ]

    def test_teacher_without_transport(self) -> None:
        model = wrap(toy_segmenter(), propagator=StillPropagator(), target_builder=RefinedLabels())
        with pytest.raises(PropagationError, match=r"StillPropagator cannot warp.*warp\(maps"):
            model.adapt(FRAMES)
        assert model.report is None

    def test_the_contrastive_loss_has_no_objects_here(self) -> None:
        model = wrap(toy_segmenter(), config=AdaptConfig.paper(), target_builder=RefinedLabels())
        with pytest.raises(
            ConfigError, match=r"refined by consistency.*no objects.*Set it to None"
        ):
            model.adapt(FRAMES)

    @pytest.mark.usefixtures("unchecked")
    def test_wrong_arguments(self) -> None:
        with pytest.raises(InputError, match="strategy is 'best'"):
            RefinedLabels("best")
        for offset in (0, 1.0, True):
            with pytest.raises(InputError, match=f"offset is {offset}"):
                RefinedLabels(offset=offset)  # type: ignore[arg-type]


@pytest.mark.parametrize("strategy", ["consistency", "max_confidence", "warp"])
class TestThreeVerbs:
    def test_adapt_stream_reset(self, strategy: str) -> None:
        net = ToyNet().eval()
        before = {name: value.clone() for name, value in net.state_dict().items()}
        runs = []
        for noise in (1, 2):
            torch.manual_seed(noise)
            config = AdaptConfig(safety=None)
            model = wrap(ToySegmenter(net), config=config, target_builder=RefinedLabels(strategy))
            assert model.adapt(FRAMES[:4]).adapted
            runs.append([model.predict(frame).probabilities for frame in FRAMES[4:]])
        assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))
        assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
        plain = [wrap(ToySegmenter(net)).predict(frame).probabilities for frame in FRAMES[4:]]
        assert not torch.equal(runs[0][0], plain[0])
        model.reset()
        for frame, expected in zip(FRAMES[4:], plain, strict=True):
            assert torch.equal(model.predict(frame, fuse=False).probabilities, expected)
