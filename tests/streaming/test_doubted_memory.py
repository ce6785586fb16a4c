"""A memory that predicts rather worse than the last frame alone has no say, unless it is judged."""

from dataclasses import replace
from pathlib import Path

import torch

from ditta_adapt import AdaptConfig, Checks, VideoSegmenter, wrap
from ditta_adapt.safety.judge import Judge
from ditta_adapt.safety.memory_length import MemoryLength
from ditta_adapt.streaming.speaking import has_a_say, who_speaks
from tests.streaming.shades import ENDLESS, FRAMES, Shades, after, length, model_of, state_of


def test_a_memory_that_is_doubted_has_no_say() -> None:
    """What nobody judges is heeded as long as it predicts no worse than nothing remembered."""
    model = model_of(0.0, -1, ENDLESS)
    model.adapt(FRAMES[:2])
    image_model = wrap(Shades(0.0), config=AdaptConfig(targets=None, look=None, memory=None))
    silenced = False
    for frame in FRAMES[2:]:
        before = model.speaker
        labels = model(frame)
        log = state_of(model).log
        assert log is not None
        assert log.speaker == before == ("image model" if silenced else "memory")
        if silenced:
            assert torch.equal(labels, image_model(frame))
        silenced = length(model).doubted
    assert silenced
    # Votes go on being counted, and what is wrong in one scene may be right in another.
    assert state_of(model).votes is not None
    model.clear_memory()
    assert model.speaker == "memory"


def test_one_that_wavers_keeps_what_it_remembers() -> None:
    model = model_of(0.6, 1)
    model.adapt(FRAMES[:2])
    assert not after(model, FRAMES[2:]).doubted
    assert model.speaker == "memory"


def test_who_is_judged_is_heeded_although_it_is_doubted() -> None:
    doubted = MemoryLength(1.0).after(-0.1, -0.1, -0.1)
    assert not has_a_say(doubted, None)
    assert has_a_say(doubted, Judge(Checks(), {"memory": (0.1, 0.1)}))
    assert has_a_say(None, None)
    spoken = [who_speaks(None, None, each, adapted=False) for each in (doubted, None)]
    assert spoken == ["image model", "image model"]
    assert who_speaks(None, None, MemoryLength(1.0), adapted=False) == "memory"
    assert who_speaks(None, None, doubted, adapted=True) == "adapted"


def test_a_warm_up_that_speaks_against_it_is_told() -> None:
    model = model_of(0.0, -1, ENDLESS)
    assert "the memory has no say but by second looks" in str(model.adapt(FRAMES[:8]))
    assert model.speaker == "image model"


def doubted(model: VideoSegmenter) -> None:
    """Let the memory be doubted by all the frames that are predicted in any case."""
    # Mean -.02, standard error .015: rather worse, and not surely.
    doubts = replace(length(model), left=0, differences=(-0.06, 0.02) * 4)
    assert doubts.doubted
    model._stream.state = replace(state_of(model), length=doubts, trial=None)


def test_it_is_heard_again_once_it_predicts_well(tmp_path: Path) -> None:
    """A few frames do not silence it for the rest of a video."""
    model = model_of(0.6, 1)
    model.adapt(FRAMES[:2])
    doubted(model)
    heard = []
    for frame in FRAMES[2:]:
        heard.append(model.speaker == "memory")
        model(frame)
        if len(heard) == 3:
            # Two frames are needed to predict one, and one speaks against all before.
            assert len(length(model).differences) == 9
            model.save_pretrained(tmp_path, state=True)
            model = model_of(0.6, 1).load_pretrained(tmp_path)
    assert heard[0] is False
    assert heard[-1]
    assert heard == sorted(heard)
    # Then it rests.
    assert state_of(model).trial is None


def test_it_stays_doubted_while_it_predicts_badly() -> None:
    model = model_of(0.0, -1, ENDLESS)
    model.adapt(FRAMES[:2])
    doubted(model)
    found = after(model, FRAMES[2:])
    assert model.speaker == "image model"
    # The latest sixteen; what was there before is gone.
    assert len(found.differences) == 16
    assert -0.06 not in found.differences
    assert state_of(model).trial is not None


def test_where_looks_judge_nothing_more_is_predicted() -> None:
    model = model_of(0.6, 1)
    model.adapt(FRAMES[:2])
    model._stream.judge = Judge(Checks(), {"memory": (0.1, 0.1)})
    doubted(model)
    model._stream.state = replace(state_of(model), judge=model._stream.judge)
    assert len(after(model, FRAMES[2:]).differences) == 8
    assert state_of(model).trial is None
