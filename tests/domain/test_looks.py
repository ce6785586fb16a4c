"""Second looks at held-out videos judge, and those that are trusted teach."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from ditta_adapt import AdaptConfig, DomainConfig, InputError, SecondLook
from ditta_adapt.datasets import LabelledVideo
from ditta_adapt.domain import DomainResult, adapt_to_domain
from ditta_adapt.domain.looks import look_at_videos
from ditta_adapt.models.parameters import weight_hash
from ditta_adapt.models.second_look import second_look
from ditta_adapt.targets.build import build_targets
from ditta_adapt.targets.targets import Targets
from tests.safety.test_trusted_looks import LOOK, VIDEO, OneSize
from tests.toys import toy_segmenter, toy_video

VIDEOS = [VIDEO[:8], VIDEO[2:10], VIDEO[4:]]
ADAPT = AdaptConfig(look=LOOK)


@pytest.fixture
def trusted() -> None:
    """Scales are doubted here, other than in the tests beside."""


def test_the_model_itself_gains_nothing() -> None:
    segmenter = toy_segmenter()
    videos = [toy_video(8, (32, 40), seed) for seed in range(2)]
    gains = look_at_videos(segmenter, videos, [], 3, AdaptConfig()).judge.gains(segmenter)
    assert [len(each) for each in gains] == [3, 3]
    assert all(gain == 0 for each in gains for gain in each)


class Eyes:
    """A target builder that notes at which sizes the teacher looks."""

    def __init__(self) -> None:
        self.scales: set[tuple[float, ...]] = set()

    def __call__(self, propagator: Any, warm_up: Any, config: Any, progress: Any) -> Targets:
        looks = warm_up.looks
        self.scales.add(() if looks is None else looks._options.warmup_scales)
        return build_targets(propagator, warm_up, config, progress)


def adapted(
    segmenter: OneSize, source: Any = None, adapt: AdaptConfig = ADAPT
) -> tuple[DomainResult, Eyes]:
    eyes = Eyes()
    config = DomainConfig(rounds=1, judged_frames=4, adapt=adapt)
    result = adapt_to_domain(segmenter, VIDEOS, source=source, config=config, target_builder=eyes)
    return result, eyes


def test_what_is_trusted_teaches_and_judges() -> None:
    segmenter = OneSize(blind=(256,))
    result, eyes = adapted(segmenter)
    assert eyes.scales == {(0.5, 1.5)}
    assert "second looks go without scale 2.0, where the model's other" in result.report.reason
    # The reference is what is said at these sizes.
    frame = torch.from_numpy(VIDEOS[0][0]).permute(2, 0, 1)
    looks = look_at_videos(segmenter, VIDEOS[:1], VIDEOS[1:2], 4, ADAPT)  # type: ignore[arg-type]
    plain = segmenter.decode(segmenter.encode(segmenter.preprocess(frame[None]))).logits.detach()
    expected = second_look(segmenter, frame, plain, (0.5, 1.5)).labels  # type: ignore[arg-type]
    assert expected is not None
    assert torch.equal(looks.judge._videos[0][0].reference.long(), expected)
    assert looks.trusted == replace(LOOK, warmup_scales=(0.5, 1.5), scales=(0.5,))


def test_nothing_is_doubted_where_nothing_is_checked() -> None:
    result, eyes = adapted(OneSize(blind=(256,)), adapt=replace(ADAPT, safety=None))
    assert eyes.scales == {LOOK.warmup_scales}
    assert "second looks go without" not in result.report.reason


def test_larger_sizes_alone_teach_nothing() -> None:
    segmenter = OneSize(blind=(64,))
    result, eyes = adapted(segmenter)
    report = result.report
    assert not eyes.scales
    assert (report.kept, report.rounds, report.best) == (False, (), 0)
    assert report.reason == (
        "nothing was learned: there was no second look, so that nobody judges, since the model's "
        "other looks speak against what it says at scale 0.5, and no size below the usual one is "
        "left; larger ones alone are not trusted"
    )
    assert report.to_dict()["rounds"] == ()
    assert weight_hash(result.segmenter) == weight_hash(segmenter)  # type: ignore[arg-type]
    # With labels to judge by there is something to learn, by votes without looks.
    maps = [(frame[..., 0] > 120).astype(np.uint8) for frame in VIDEO[:8]]
    source = [LabelledVideo(name, VIDEO[:8], maps) for name in ("learned", "held out")]
    result, eyes = adapted(segmenter, source)
    assert eyes.scales == {()}
    assert len(result.report.rounds) == 1
    assert "larger ones alone are not trusted" in result.report.reason


def test_a_model_that_can_be_shown_one_size_alone_is_refused() -> None:
    with pytest.raises(InputError, match="shown frames at no other size"):
        adapted(OneSize(blind=(), refused=(64, 192, 256)))


def test_a_video_that_can_be_shown_one_size_alone_judges_nothing() -> None:
    narrow = [frame[:, :64] for frame in VIDEO[:4]]
    look = SecondLook(warmup_scales=(0.5,), scales=(0.5,), warmup_mirror=False)
    looks = look_at_videos(
        OneSize(blind=(), refused=(32,)), [VIDEO[:4], narrow], [], 4, AdaptConfig(look=look)
    )  # type: ignore[arg-type]
    assert [len(video) for video in looks.judge._videos] == [4]


def test_all_videos_tell_and_frames_that_cannot_be_read_are_passed_over() -> None:
    class Broken(list[np.ndarray]):
        def __getitem__(self, t: Any) -> Any:
            if t > 1:
                raise InputError("cannot be read")
            return super().__getitem__(t)

    segmenter: Any = OneSize(blind=(256,))
    # One frame of one video alone says nothing.
    assert look_at_videos(segmenter, [VIDEO[:1]], [], 4, ADAPT).note == ""
    learned = [VIDEO, Broken(VIDEO), Broken([VIDEO[0]] * 3), VIDEO[2:]]
    assert "scale 2.0, where" in look_at_videos(segmenter, [VIDEO[:1]], learned, 4, ADAPT).note


def test_a_size_that_is_not_taken_is_named() -> None:
    look = SecondLook(warmup_scales=(0.5, 1.5), scales=(0.5,), warmup_mirror=False)
    result, _ = adapted(OneSize(blind=(), refused=(192,)), adapt=AdaptConfig(look=look))
    assert "second looks go without scale 1.5, which the model did not take" in result.report.reason
