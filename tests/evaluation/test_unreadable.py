"""Videos of which a part cannot be read: left out, or failed."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("cv2")

from ditta_adapt import InputError, wrap
from ditta_adapt.corruptions import parse_corruption
from ditta_adapt.datasets import LabelledVideo, open_dataset
from ditta_adapt.datasets.image_files import FrameFiles
from ditta_adapt.datasets.lazy import LazySequence
from ditta_adapt.datasets.listed import ListedDataset
from ditta_adapt.evaluation import Plan, VideoResult, evaluate
from ditta_adapt.evaluation.evaluate import RESULTS
from ditta_adapt.io.video import write_video
from ditta_adapt.metrics import SegmentationScore, VideoConsistency
from tests.datasets.trees import save
from tests.evaluation.toy_dataset import LENGTH, SIZE, toy_labels, toy_plan
from tests.io.clips import break_packet
from tests.toys import toy_video

pytestmark = pytest.mark.usefixtures("unchecked")

BROKEN = (2, 8)


class Labels(LazySequence[np.ndarray]):
    """Labels that notice which of them are read."""

    def __init__(self) -> None:
        self.read: set[int] = set()

    def __len__(self) -> int:
        return LENGTH

    def _read(self, index: int) -> np.ndarray:
        self.read.add(index)
        return toy_labels(0)[index]


def folder_of_frames(folder: Path, broken: Sequence[int]) -> FrameFiles:
    for t, frame in enumerate(toy_video(LENGTH, SIZE)):
        save(folder / f"{t}.png", frame)
    for t in broken:
        (folder / f"{t}.png").write_bytes(b"")
    return FrameFiles(folder / f"{t}.png" for t in range(LENGTH))


def plan_of(folder: Path, broken: Sequence[int] = BROKEN, **changes: object) -> Plan:
    """A whole video, and one with frames that cannot be read."""
    videos = {}
    for name, missing in (("whole", ()), ("broken", broken)):
        frames = folder_of_frames(folder / name, missing)
        videos[name] = LabelledVideo(name, frames, Labels())
    dataset = ListedDataset("folders", list(videos), videos.__getitem__, class_names="abcd")
    return toy_plan(dataset=dataset, **changes)


def test_unreadable_frames_are_left_out(tmp_path: Path) -> None:
    """As if the video had never had them; the split is that of all frames."""
    plan = plan_of(tmp_path / "videos", warmups=[0.5])
    results = evaluate(plan, tmp_path / "out")
    assert [result.error for result in results] == [""] * 4
    model = wrap(plan.parts.segmenter, propagator=plan.parts.propagator)
    video, labels = toy_video(LENGTH, SIZE), toy_labels(0)
    warmup, rest = ([t for t in part if t not in BROKEN] for part in (range(6), range(6, 12)))
    model.adapt([video[t] for t in warmup])
    score, consistency = SegmentationScore(4), VideoConsistency(8)
    for t in rest:
        predicted = model(video[t])
        score.update(predicted, labels[t])
        consistency.update(predicted, labels[t])
    whole, ditta = results[1], results[3]
    assert torch.equal(ditta.confusion, score.confusion)
    assert ditta.consistency[8] == consistency.end_video()
    assert (whole.frames, ditta.frames) == (6, 5)
    assert ditta.unread == "2 of 12 frames could not be read"
    assert ditta.note.endswith("; 2 of 12 frames could not be read")
    assert whole.unread == ""
    assert results[2].note == ditta.unread
    assert not set(BROKEN) & plan.dataset[1].labels.read


def test_told_labels_are_those_of_the_frames(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "videos", methods=["true-labels"])
    whole, broken = evaluate(plan, tmp_path / "out")
    assert (whole.error, broken.error) == ("", "")
    assert "2 of 12 frames could not be read" in broken.note


def test_corruptions_follow_the_frames(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "videos", methods=["image-model"], corruptions=["motion_blur:high"])
    result = evaluate(plan, tmp_path / "out")[1]
    video = [frame for t, frame in enumerate(toy_video(LENGTH, SIZE)) if t not in BROKEN]
    frames = list(parse_corruption("motion_blur:high").apply(video))[5:]
    model, score = wrap(plan.parts.segmenter), SegmentationScore(4)
    for t, frame in zip((6, 7, 9, 10, 11), frames, strict=True):
        score.update(model(frame), toy_labels(0)[t])
    assert torch.equal(result.confusion, score.confusion)


def test_or_the_video_fails_and_the_others_go_on(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "videos", methods=["image-model"], on_error="stop")
    whole, broken = evaluate(plan, tmp_path / "out")
    assert whole.error == ""
    assert "2.png cannot be read as an image" in broken.error


def test_results_that_would_be_the_same_are_taken(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "videos", methods=["image-model"])
    ran: list[str] = []

    def run(on_error: str) -> list[VideoResult]:
        ran.clear()
        return evaluate(
            replace(plan, on_error=on_error),
            tmp_path / "out",
            lambda result, done, total: ran.append(result.case.video),
        )

    skipped = run("skip")
    assert ran == ["whole", "broken"]
    stopped = run("stop")
    assert ran == ["broken"]
    assert [bool(result.error) for result in stopped] == [False, True]
    again = run("skip")
    assert ran == ["broken"]
    assert torch.equal(again[1].confusion, skipped[1].confusion)
    run("skip")
    assert ran == []


def test_results_from_before_are_those_of_whole_videos(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "videos", broken=(), methods=["image-model"])
    evaluate(plan, tmp_path / "out")
    path = tmp_path / "out" / RESULTS
    head, *lines = (json.loads(line) for line in path.read_text().splitlines())
    for line in lines:
        assert line.pop("unread") == ""
    path.write_text("".join(json.dumps(line) + "\n" for line in (head, *lines)))
    ran: list[VideoResult] = []
    evaluate(replace(plan, on_error="stop"), tmp_path / "out", lambda r, d, t: ran.append(r))
    assert ran == []


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (range(LENGTH), "none of the 12 frames could be read; the last one: "),
        (range(6), "none of the 6 frames of the warm-up could be read"),
        (range(6, LENGTH), "none of the frames to be scored could be read: 6 of 12 frames"),
    ],
)
def test_nothing_is_left(tmp_path: Path, broken: range, reason: str) -> None:
    plan = plan_of(tmp_path / "videos", broken=broken)
    *_, iss, ditta = evaluate(plan, tmp_path / "out")
    assert reason in iss.error
    assert reason in ditta.error


def test_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_video(path, toy_video(LENGTH, SIZE))
    break_packet(path, 6)
    plan = toy_plan(dataset=open_dataset("video", path), methods=["image-model"], warmups=[0.5])
    with pytest.warns(UserWarning, match="only 11 frames could be decoded"):
        (result,) = evaluate(plan, tmp_path / "skip")
    assert result.frames == 11 - 11 // 2
    assert result.note.startswith("only 11 frames could be decoded (")
    with pytest.warns(UserWarning, match="only 11 frames could be decoded"):
        (stopped,) = evaluate(replace(plan, on_error="stop"), tmp_path / "stop")
    assert "the video is damaged: only 11 frames could be decoded" in stopped.error


def test_unreadable_labels_fail_their_video(tmp_path: Path) -> None:
    class BrokenLabels(Labels):
        def _read(self, index: int) -> np.ndarray:
            raise InputError("7.png cannot be read")

    frames = folder_of_frames(tmp_path / "a", ())
    video = LabelledVideo("a", frames, BrokenLabels())
    dataset = ListedDataset("folders", ["a"], lambda name: video, class_names="abcd")
    (result,) = evaluate(toy_plan(dataset=dataset, methods=["image-model"]), tmp_path / "out")
    assert "7.png cannot be read" in result.error


def test_another_word_is_refused_at_once() -> None:
    with pytest.raises(InputError, match="on_error is 'ignore'"):
        toy_plan(on_error="ignore")
