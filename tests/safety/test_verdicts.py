"""Keeping, shrinking and undoing an adaptation, against numbers computed by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from ditta_adapt import AdaptConfig, Checks, Targets, Training, WarmUp, wrap
from ditta_adapt.io.frames import frames_to_tensors
from ditta_adapt.progress import ProgressCallback, silent
from ditta_adapt.safety.disagreement import disagreement, logits_disagreement
from ditta_adapt.safety.roll_back import roll_back
from ditta_adapt.safety.target_check import check_targets_against_model as check
from ditta_adapt.targets.targets import IGNORE
from ditta_adapt.teachers.propagator import Propagator
from ditta_adapt.training.changes import copy_of_weights, interpolate
from ditta_adapt.training.student import Student
from tests.baselines.shift_propagator import ShiftPropagator
from tests.toys import NUM_CLASSES, toy_segmenter, toy_video


def logits_of(labels: list[int], certainty: list[float]) -> Tensor:
    """Logits (1, 2, 1, n) whose label and probability of the winner are given."""
    z = torch.zeros(1, 2, 1, len(labels), dtype=torch.float64)
    for x, (label, p) in enumerate(zip(labels, certainty, strict=True)):
        z[0, label, 0, x] = math.log(p / (1 - p))
    return z.float()


def reliability(p: float) -> float:
    return 1 + (p * math.log(p) + (1 - p) * math.log(1 - p)) / math.log(2)


def targets(labels: list[list[int]], confidence: list[list[float]] | None = None) -> Targets:
    return Targets(
        [torch.tensor([row], dtype=torch.int16) for row in labels],
        [],
        {},
        True,
        "test",
        [] if confidence is None else [torch.tensor([row]) for row in confidence],
    )


def test_disagreement_by_hand() -> None:
    ones, weight = torch.tensor([[1, 2, 3]]), torch.tensor([[0.5, 0.25, 1.0]])
    assert disagreement(ones, torch.tensor([[1, 0, 0]]), weight) == (1.25, 1.75)


# Two frames: the model changes its mind about the third of four cells.
OWN = [[0, 0, 1, 1], [0, 0, 0, 1]]
SURE = [[0.9, 0.8, 0.7, 0.9], [0.9, 0.8, 0.6, 0.9]]
FRAMES = [logits_of(own, sure) for own, sure in zip(OWN, SURE, strict=True)]


def judged(labels: list[list[int]], confidence: list[list[float]] | None = None) -> tuple:
    verdict = check(targets(labels, confidence), FRAMES.__getitem__, 2)
    return verdict.kept_fraction, verdict.temporal_inconsistency, verdict.confident_disagreement


def test_flicker_and_contradiction_by_hand() -> None:
    weights = np.array([[reliability(p) for p in row] for row in SURE])
    flicker = weights[1, 2] / weights[1].sum()
    # The second frame is told what the first one says there, and trusted by 0.4.
    kept, found, contradiction = judged([[0, 0, 1, 1], [0, 0, 1, 1]], [[1.0] * 4, [0.4] * 4])
    assert found == pytest.approx(flicker, rel=1e-5)
    assert contradiction == pytest.approx(0.4 * weights[1, 2] / weights.sum(), rel=1e-5)
    assert contradiction < 0.3 * flicker
    assert kept == 1


def test_what_the_model_is_sure_of_may_not_be_contradicted() -> None:
    kept, flicker, contradiction = judged([[1, 0, 1, 1], [1, 0, 0, 1]])
    assert contradiction > 0.3 * flicker
    assert kept == 0


def test_labels_that_teach_nothing_contradict_nothing() -> None:
    assert judged([[IGNORE] * 4, [IGNORE] * 4])[2] == 0
    assert judged([[1, 1, 0, 0], [1, 1, 1, 0]], [[0.0] * 4, [0.0] * 4])[2] == 0


def test_of_one_frame_nothing_may_be_contradicted() -> None:
    one = FRAMES[:1]
    agreeing = check(targets([OWN[0]]), one.__getitem__, 1)
    assert (agreeing.kept_fraction, agreeing.temporal_inconsistency) == (1, 0)
    assert check(targets([[0, 0, 0, 1]]), one.__getitem__, 1).kept_fraction == 0


def test_labels_at_frame_size_are_compared_at_frame_size() -> None:
    big = Targets(
        [torch.tensor([row], dtype=torch.int16).repeat_interleave(2, 1) for row in OWN],
        [],
        {},
        True,
        "test",
    )
    verdict = check(big, FRAMES.__getitem__, 2)
    # Resizing moves the border between classes by less than a pixel of the frame.
    assert verdict.confident_disagreement < 0.05


def test_change_by_hand() -> None:
    """Cells of weight R(.9) and R(.7), of which the second is said otherwise."""
    frozen, other = logits_of([0, 1], [0.9, 0.7]), logits_of([0, 0], [0.6, 0.6])
    expected = reliability(0.7) / (reliability(0.7) + reliability(0.9))
    part, whole = logits_disagreement(other, frozen)
    assert float(part / whole) == pytest.approx(expected, rel=1e-5)
    assert logits_disagreement(frozen, frozen)[0] == 0


class TestSettling:
    frames = frames_to_tensors(toy_video(3, (12, 14)))

    def settled(self, push: float, flicker: float) -> tuple[Student, Student, float, dict]:
        """Settle a student whose last bias was pushed towards one class."""
        frozen, student = (Student.pretrained(toy_segmenter()) for _ in range(2))
        with torch.no_grad():
            student.segmenter.model.decoder[-1].bias[0] += push
        adapted = copy_of_weights(student)
        cache = WarmUp.from_frames(frozen.segmenter, self.frames, silent).encodings

        def logits(t: int) -> Tensor:
            with torch.no_grad():
                return frozen.segmenter.decode(cache[t]).logits

        base = replace(
            check(targets(OWN), FRAMES.__getitem__, 2),
            temporal_inconsistency=flicker,
        )
        kept, verdict = roll_back(student, frozen, cache, logits, base)
        return kept, frozen, verdict.kept_fraction, adapted

    def test_small_changes_are_kept_as_they_are(self) -> None:
        kept, _, share, adapted = self.settled(1e-4, 0.2)
        assert share == 1
        assert torch.equal(kept.segmenter.model.decoder[-1].bias, adapted["decoder.4.bias"])

    def test_large_ones_go_back_to_pretrained_weights(self) -> None:
        kept, frozen, share, _ = self.settled(1e6, 0.01)
        assert share == 0
        for own, start in zip(
            kept.segmenter.model.parameters(), frozen.segmenter.model.parameters(), strict=True
        ):
            assert torch.equal(own, start)

    def test_in_between_half_is_kept(self) -> None:
        """The push at which all of it is too much, and half is not, exists for some flicker."""
        shares = {self.settled(4.0, flicker)[2] for flicker in np.linspace(0.0, 0.9, 40)}
        assert {0.0, 1.0} < shares
        assert shares <= {0.0, 0.25, 0.5, 1.0}

    def test_interpolation(self) -> None:
        frozen, student = (Student.pretrained(toy_segmenter(seed)) for seed in (0, 1))
        end = copy_of_weights(student)
        interpolate(student, frozen, end, 0.25)
        for name, tensor in copy_of_weights(student).items():
            start = copy_of_weights(frozen)[name]
            if tensor.is_floating_point():
                torch.testing.assert_close(tensor, 0.75 * start + 0.25 * end[name])
            else:
                assert torch.equal(tensor, end[name])


def shuffled(
    propagator: Propagator, warm_up: WarmUp, config: AdaptConfig, progress: ProgressCallback
) -> Targets:
    """The model's own labels, each class for the next."""
    labels = [
        ((frame.labels.long() + 1) % NUM_CLASSES).to(torch.int16) for frame in warm_up.predictions
    ]
    return Targets(labels, [], {}, True, "shuffled classes")


class TestEndToEnd:
    video = toy_video(6, (16, 20))

    def adapted(self, safety: Checks | None) -> tuple:
        training = Training(learning_rate=1e-2)
        config = AdaptConfig(training=training, memory=None, safety=safety, look=None)
        model = wrap(
            toy_segmenter(), propagator=ShiftPropagator(), config=config, target_builder=shuffled
        )
        report = model.adapt(self.video[:4])
        return report, model(self.video[4])

    def test_wrong_classes_are_refused(self) -> None:
        report, labels = self.adapted(Checks())
        assert not report.adapted
        assert report.verdict.kept_fraction == 0
        assert "contradict" in str(report)
        assert report.to_dict()["verdict"]["kept_fraction"] == 0
        assert torch.equal(labels, wrap(toy_segmenter())(self.video[4]))

    def test_the_raw_method_learns_them(self) -> None:
        report, labels = self.adapted(None)
        assert report.adapted
        assert report.verdict is None
        assert not torch.equal(labels, wrap(toy_segmenter())(self.video[4]))
