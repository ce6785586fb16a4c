"""Ground truth and the oracle as targets."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ditta_adapt import AdaptConfig, AttentionAddon, InputError, SelfLabels, Training, WarmUp, wrap
from ditta_adapt.baselines.refinement.true_labels import OracleLabels, TrueLabels
from ditta_adapt.io.frames import frames_to_tensors
from ditta_adapt.progress import silent
from ditta_adapt.targets.targets import IGNORE
from tests.baselines.shift_propagator import ShiftPropagator
from tests.toys import NUM_CLASSES, StillPropagator, toy_segmenter, toy_video

SIZE = (12, 14)
FRAMES = toy_video(6, size=SIZE)
# Learned as given: the truth may well contradict the model.
RAW = AdaptConfig(safety=None, look=None)


def truth(num_frames: int = 4, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, NUM_CLASSES, (num_frames, *SIZE), generator=generator)
    labels[:, :2] = 255
    return list(labels)


def warm_up() -> WarmUp:
    tensors = frames_to_tensors(FRAMES[:4])
    return WarmUp.from_frames(toy_segmenter(), tensors, silent)


class TestTrueLabels:
    def test_are_the_labels_and_ignore_255(self) -> None:
        targets = TrueLabels(truth())(StillPropagator(), warm_up(), AdaptConfig(), silent)
        for own, given in zip(targets.labels, truth(), strict=True):
            assert torch.equal(own.long(), torch.where(given == 255, IGNORE, given))
        assert targets.learnable
        assert targets.source == "the ground truth"

    def test_the_teacher_stays_closed(self) -> None:
        teacher = ShiftPropagator()
        # Known from the start, so that the teacher need not be asked what it can do.
        config = AdaptConfig(targets=SelfLabels(), memory=AttentionAddon())
        model = wrap(
            toy_segmenter(),
            propagator=teacher,
            config=config,
            target_builder=TrueLabels(truth()),
        )
        model.adapt(FRAMES[:4])
        assert teacher.opened == []

    def test_are_learned(self) -> None:
        """Everywhere class 2, which the model hardly ever predicts by itself."""
        labels = [np.full(SIZE, 2, dtype=np.uint8)] * 4
        config = AdaptConfig(
            training=Training(adapted_share=1.0, passes=15, learning_rate=3e-2), safety=None
        )
        model = wrap(toy_segmenter(), config=config, target_builder=TrueLabels(labels))
        before = (wrap(toy_segmenter())(FRAMES[4]) == 2).float().mean()
        model.adapt(FRAMES[:4])
        assert (model(FRAMES[4]) == 2).float().mean() > max(0.95, float(before))

    def test_another_ignore_index(self) -> None:
        labels = [torch.full(SIZE, 0)] * 4
        builder = TrueLabels(labels, ignore_index=0)
        targets = builder(StillPropagator(), warm_up(), AdaptConfig(), silent)
        assert not targets.learnable
        assert targets.source == "no pixel has the ground truth"
        model = wrap(toy_segmenter(), config=RAW, target_builder=builder)
        assert not model.adapt(FRAMES[:4]).adapted

    def test_labels_that_do_not_fit(self) -> None:
        model = wrap(toy_segmenter(), target_builder=TrueLabels(truth()))
        with pytest.raises(InputError, match="labels for 4 frames, and 3 warm-up frames"):
            model.adapt(FRAMES[:3])
        model.target_builder = TrueLabels([np.zeros((3, 3), dtype=np.int64)] * 3)
        with pytest.raises(InputError, match=r"frame 0 have shape \(3, 3\).*\(12, 14\)"):
            model.adapt(FRAMES[:3])
        model.target_builder = TrueLabels([np.full(SIZE, 4)] * 3)
        with pytest.raises(InputError, match=r"frame 0 has the label 4.*\[0, 4\).*255"):
            model.adapt(FRAMES[:3])
        assert model.report is None

    def test_labels_that_are_no_integers(self) -> None:
        with pytest.raises(InputError, match="float"):
            TrueLabels([np.zeros(SIZE)])


class TestOracleLabels:
    def test_own_labels_where_true(self) -> None:
        seen = warm_up()
        targets = OracleLabels(truth())(StillPropagator(), seen, AdaptConfig(), silent)
        for own, given, frame in zip(targets.labels, truth(), seen.predictions, strict=True):
            right = frame.labels.long() == given
            assert right.any()
            assert torch.equal(own.long(), torch.where(right, given, IGNORE))

    @pytest.mark.parametrize("offset", [None, -1])
    def test_true_once_relabelled(self, offset: int | None) -> None:
        # Classes 1 and 2 both count as label 1, 0 and 3 as label 0.
        table = np.array([0, 1, 1, 0])
        seen = warm_up()
        labels = [torch.from_numpy(table)[frame.labels.long()] for frame in seen.predictions]
        builder = OracleLabels(labels, relabel=table, offset=offset)
        teacher = StillPropagator() if offset is None else ShiftPropagator()
        targets = builder(teacher, seen, AdaptConfig(), silent)
        for t, (own, true) in enumerate(zip(targets.labels, labels, strict=True)):
            kept = own != IGNORE
            assert torch.equal(torch.from_numpy(table)[own[kept].long()], true[kept])
            if offset is None or t == 0:
                # All of its own labels are true, and stay as they are.
                assert torch.equal(own.long(), seen.predictions[t].labels.long())

    @pytest.mark.parametrize("offset", [-1, 1])
    def test_the_neighbours_labels_where_true(self, offset: int) -> None:
        seen, labels = warm_up(), truth()
        builder = OracleLabels(labels, offset=offset)
        targets = builder(ShiftPropagator(), seen, AdaptConfig(), silent)
        edge = 0 if offset == -1 else 3
        for t in range(4):
            for y in range(SIZE[0]):
                for x in range(SIZE[1]):
                    source, near = (t, x) if t == edge else (t + offset, x + offset)
                    expected = IGNORE
                    if 0 <= near < SIZE[1]:
                        guess = int(seen.predictions[source].labels[y, near])
                        expected = guess if guess == int(labels[t][y, x]) else IGNORE
                    assert int(targets.labels[t][y, x]) == expected, (t, y, x)

    def test_video_model(self) -> None:
        model = wrap(toy_segmenter(), config=RAW, target_builder=OracleLabels(truth(), offset=-1))
        report = model.adapt(FRAMES[:4])
        assert report.adapted
        assert report.reason == "adapted to pseudo labels where they are true"
        again = wrap(toy_segmenter(), config=RAW, target_builder=OracleLabels(truth(), offset=-1))
        assert again.adapt(FRAMES[:4]).losses == report.losses
        assert torch.equal(again(FRAMES[4]), model(FRAMES[4]))

    @pytest.mark.usefixtures("unchecked")
    def test_wrong_offset(self) -> None:
        with pytest.raises(InputError, match="offset is 0"):
            OracleLabels(truth(), offset=0)
