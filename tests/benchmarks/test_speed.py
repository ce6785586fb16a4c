"""The speed benchmarks: that they run anywhere, and that what they compare with is right."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from benchmarks import adaptation, cuda, flow, overhead, sam2_speed
from benchmarks.flow import bent_pictures
from benchmarks.speed.clock import interleaved
from benchmarks.speed.workload import build, image_model, moving

CPU = torch.device("cpu")
SMALL = ["--device", "cpu", "--model", "tiny", "--size", "64", "96"]


def test_the_camera_moves_as_it_says() -> None:
    frames = moving(30, (40, 60), speed=(5, 2))
    for one, other in list(pairwise(frames))[:19]:
        assert np.array_equal(one[2:, 5:], other[:-2, :-5])
    # And back, after twenty steps.
    assert np.array_equal(frames[21], frames[19])


def test_bent_pictures_are_bent_by_the_flow_that_is_given() -> None:
    for bent, picture, truth in list(bent_pictures())[:2]:
        for y, x in ((100, 200), (150, 300), (60, 400)):
            there_x, there_y = x + float(truth[0, y, x]), y + float(truth[1, y, x])
            left, top = int(there_x), int(there_y)
            near = picture[0, top : top + 2, left : left + 2].double()
            a, b = there_x - left, there_y - top
            weights = torch.tensor([[(1 - a) * (1 - b), a * (1 - b)], [(1 - a) * b, a * b]])
            assert float(bent[0, y, x]) == pytest.approx(float((weights * near).sum()), abs=1)


def test_the_image_model_is_its_own_forward_pass() -> None:
    segmenter, frame = build("tiny", CPU), moving(1, (64, 96))[0]
    with torch.no_grad():
        images = segmenter.preprocess(torch.from_numpy(frame).permute(2, 0, 1)[None])
        logits = segmenter.model(images).logits  # type: ignore[attr-defined]
        logits = torch.nn.functional.interpolate(logits, (64, 96), mode="bilinear")
    assert np.array_equal(image_model(segmenter, frame, CPU), logits.argmax(dim=1)[0].numpy())


def test_calls_take_turns() -> None:
    log: list[tuple[str, int]] = []
    calls = [lambda n: log.append(("a", n)), lambda n: log.append(("b", n))]
    times = interleaved(calls, CPU, rounds=2, warmup=1)
    assert log == [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2), ("b", 2)]
    assert [len(own) for own in times] == [2, 2]


def test_overhead(capsys: pytest.CaptureFixture[str]) -> None:
    rows = overhead.main([*SMALL, "--frames", "5", "--looked", "3"])
    assert [row["name"] for row in rows] == [
        "image model alone",
        "without memory",
        "default, no looks",
        "default with looks, mean of 3",
    ]
    assert rows[0]["ratio"] == 1
    for row in rows:
        expected = row["milliseconds"] / rows[0]["milliseconds"]
        assert row["ratio"] == pytest.approx(expected)
    assert "tiny, 64 x 96" in capsys.readouterr().out


def test_adaptation() -> None:
    lines = adaptation.main([*SMALL, "--frames", "2", "--rounds", "1"])
    assert [line[0] for line in lines[1:]] == list(adaptation.WAYS)
    assert lines[1][2] == "1.00"


def test_flow() -> None:
    lines = flow.main(["--device", "cpu", "--times-only", "--rounds", "1"])
    errors = {name: float(mean) for name, _, mean, _ in lines[1:]}
    assert list(errors) == list(flow.METHODS)
    # Motions are up to 16 pixels; a method that finds them is off by a fraction of one.
    assert max(errors.values()) < 0.5


def test_everything_has_its_step() -> None:
    names = list(cuda.steps("cpu", tiny=True))
    assert names[0] == "tests"
    assert {name.partition(",")[0] for name in names[1:]} == {
        "overhead",
        "flow",
        "adaptation",
        "sam2",
    }
    assert cuda.main(["--device", "cpu", "--tiny", "--only", "overhead, tiny, bf"]) == 0


def test_a_step_that_fails_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise RuntimeError("no kernel")

    done: list[str] = []
    found = {"one": fails, "other": lambda: done.append("other")}
    monkeypatch.setattr(cuda, "steps", lambda device, tiny: found)
    assert cuda.main(["--device", "cpu"]) == 1
    assert done == ["other"]
    assert "failed: RuntimeError: no kernel" in capsys.readouterr().out


def test_prompts_are_apart_and_inside() -> None:
    prompts = sam2_speed.prompts_on(np.zeros((120, 200, 3), dtype=np.uint8), 7)
    assert len({prompt.point for prompt in prompts}) == 7
    for prompt in prompts:
        x, y = prompt.point
        assert bool(prompt.region[y, x])
