"""One video from its source to its results."""

import json
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from ditta_adapt import InputError, wrap
from ditta_adapt.baselines import ImageModel
from ditta_adapt.io.probe import probe_video
from ditta_adapt.io.video import read_timed_video
from ditta_adapt.reporting.pictures import overlay
from ditta_adapt.running.classes import classes_of
from ditta_adapt.running.excerpt import Excerpt
from ditta_adapt.running.label_files import decode_labels
from ditta_adapt.running.request import Request, warmup_frames
from ditta_adapt.running.run import run_video
from ditta_adapt.running.source import open_source
from ditta_adapt.running.stopping import Stop
from tests.running.clips import write_images, write_with_sound
from tests.running.runs import REQUEST, WARMUP, run, video_model
from tests.toys import toy_segmenter, toy_video


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Sums are the same whenever they are made."""
    torch.set_num_threads(1)


def test_labels_are_those_of_the_library(clip: Path, whole: Path) -> None:
    frames = [frame for _, frame in open_source([str(clip)]).read()]
    expected = list(video_model().segment(frames, warmup=WARMUP))
    for index, labels in enumerate(expected):
        assert np.array_equal(decode_labels(whole / "labels" / f"{index:06}.png"), labels)
    assert len(list((whole / "labels").iterdir())) == 14


def test_the_overlay_shows_labels_over_frames(clip: Path, whole: Path) -> None:
    source = open_source([str(clip)])
    palette = classes_of(toy_segmenter()).palette
    shown = list(read_timed_video(whole / "overlay.mp4"))
    assert [time for time, _ in shown] == list(source.times)
    for index, ((_, frame), (_, picture)) in enumerate(zip(source.read(), shown, strict=True)):
        labels = decode_labels(whole / "labels" / f"{index:06}.png")
        difference = overlay(frame, labels, palette).astype(int) - picture
        # What is left is the encoder's.
        assert np.abs(difference).mean() < 8


def test_the_report_says_what_was_done(clip: Path, whole: Path) -> None:
    report = json.loads((whole / "report.json").read_text())
    labels = [decode_labels(path) for path in sorted((whole / "labels").iterdir())]
    assert report["frames"] == 14
    assert report["size"] == [40, 56]
    assert report["warmup_frames"] == WARMUP
    assert sum(report["frames_by_speaker"].values()) == 14
    # Looks come at the first, third and sixth frame after the warm-up, counted from 0.
    assert report["looks"] == [WARMUP, WARMUP + 2, WARMUP + 5]
    assert report["pixels_changing"]["video_model"] == pytest.approx(
        np.mean([(a != b).mean() for a, b in pairwise(labels)])
    )
    plain = [ImageModel(toy_segmenter())(f).numpy() for _, f in open_source([str(clip)]).read()]
    assert report["pixels_changing"]["image_model"] == pytest.approx(
        np.mean([(a != b).mean() for a, b in pairwise(plain)])
    )
    for entry in report["classes"]:
        share = np.mean([(each == entry["index"]).mean() for each in labels])
        assert entry["share"] == pytest.approx(share)
    assert "the model does not name its classes" in report["notes"][0]
    page = (whole / "report.html").read_text()
    assert "<title>" in page
    assert "class 2" in page


def test_one_compressed_file(clip: Path, whole: Path, tmp_path: Path) -> None:
    run(clip, tmp_path / "out", Request(warmup=WARMUP, labels="npz", page=False))
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["labels.npz", "overlay.mp4", "report.json"]
    with np.load(tmp_path / "out" / "labels.npz") as packed:
        for index in range(14):
            single = decode_labels(whole / "labels" / f"{index:06}.png")
            assert np.array_equal(packed[f"{index:06}"], single)


def test_kept_classes(clip: Path, whole: Path, tmp_path: Path) -> None:
    """What is not kept is 255, and shows the frame."""
    kept = ("1", "class 3")
    run(clip, tmp_path / "out", Request(warmup=WARMUP, classes=kept))
    for index in range(14):
        every = decode_labels(whole / "labels" / f"{index:06}.png")
        some = decode_labels(tmp_path / "out" / "labels" / f"{index:06}.png")
        assert np.array_equal(some, np.where(np.isin(every, (1, 3)), every, 255))
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert {entry["index"] for entry in report["classes"]} <= {1, 3}
    with pytest.raises(InputError, match="the model has no class 'car'; it has 0 to 3: class 0"):
        run(clip, tmp_path / "other", Request(classes=("car",)))
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("count", [1, 2])
def test_videos_of_hardly_any_frame(tmp_path: Path, count: int) -> None:
    (tmp_path / "clip").mkdir()
    write_images(tmp_path / "clip", toy_video(count, size=(40, 56)))
    outcome = run(tmp_path / "clip", tmp_path / "out", Request())
    assert outcome.frames == count
    assert len(list((tmp_path / "out" / "labels").iterdir())) == count
    assert (tmp_path / "out" / "report.html").exists()


def test_without_a_warm_up_the_image_model_speaks(clip: Path, tmp_path: Path) -> None:
    outcome = run(clip, tmp_path / "out", Request(warmup=0))
    assert outcome.report["frames_by_speaker"] == {"image model": 14}
    assert outcome.report["adaptation"] is None
    for index, (_, frame) in enumerate(open_source([str(clip)]).read()):
        plain = ImageModel(toy_segmenter())(frame)
        labels = decode_labels(tmp_path / "out" / "labels" / f"{index:06}.png")
        assert np.array_equal(labels, plain)


def test_a_part_of_a_video_with_its_sound(tmp_path: Path) -> None:
    write_with_sound(tmp_path / "clip.mp4", 30)
    part = Excerpt(Fraction(1), Fraction(2), stride=3)
    run(tmp_path / "clip.mp4", tmp_path / "out", Request(warmup=2, excerpt=part))
    found = probe_video(tmp_path / "out" / "overlay.mp4")
    assert found.times == tuple(Fraction(k, 10) for k in (0, 3, 6, 9))
    assert found.sound


def test_nothing_to_label(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no frame there: its last one is at 0.52 s"):
        run(clip, tmp_path / "out", Request(excerpt=Excerpt(Fraction(5))))
    assert not (tmp_path / "out").exists()


def test_labels_that_are_gone_are_said(clip: Path, tmp_path: Path) -> None:
    stop = Stop()

    def ask(done: int, total: int | None) -> None:
        stop.asked = done == 8

    run(clip, tmp_path / "out", stop=stop, tick=ask)
    (tmp_path / "out" / "labels" / "000003.png").unlink()
    with pytest.raises(InputError, match=r"000003\.png cannot be read as an image"):
        run(clip, tmp_path / "out")


@pytest.mark.parametrize(
    ("warmup", "count", "expected"),
    [
        (None, 1000, 64),
        (None, 200, 20),
        (None, 30, 8),
        (None, 3, 3),
        (None, None, 8),
        (0.5, 30, 15),
        (1.0, 30, 30),
        (5, 30, 5),
        (50, 30, 30),
        (5, None, 5),
        (0, 30, 0),
    ],
)
def test_how_many_frames_are_adapted_to(
    warmup: float | None, count: int | None, expected: int
) -> None:
    assert warmup_frames(warmup, count) == expected


def test_the_users_model_is_as_it_was(clip: Path, tmp_path: Path) -> None:
    segmenter = toy_segmenter()
    before = {name: value.clone() for name, value in segmenter.model.state_dict().items()}
    run_video(open_source([str(clip)]), wrap(segmenter), REQUEST, tmp_path / "out")
    after: Sequence[tuple[str, torch.Tensor]] = list(segmenter.model.state_dict().items())
    assert all(torch.equal(before[name], value) for name, value in after)
