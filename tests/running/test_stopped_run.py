"""Runs that are stopped, killed or out of disk go on, and end with the same files."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ditta_adapt import AdaptConfig, InputError, PropagatorTraining, wrap
from ditta_adapt.io.video import read_timed_video
from ditta_adapt.progress import Progress
from ditta_adapt.running import labelling
from ditta_adapt.running.excerpt import Excerpt
from ditta_adapt.running.request import Request
from ditta_adapt.running.run import Outcome, run_video
from ditta_adapt.running.source import open_source
from ditta_adapt.running.stopping import Stop
from ditta_adapt.teachers.matching import MatchingPropagator
from tests.running.clips import write_with_sound
from tests.running.runs import REQUEST, WARMUP, files_of, run, video_model
from tests.toys import toy_segmenter


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Sums are the same whenever they are made."""
    torch.set_num_threads(1)


@pytest.mark.parametrize("at", [1, 4, 5, 7, 13])
def test_a_run_that_was_stopped_ends_with_the_same_files(
    clip: Path, whole: Path, tmp_path: Path, at: int
) -> None:
    stop = Stop()

    def ask(done: int, total: int | None) -> None:
        assert total == 14
        stop.asked = done == at

    stopped = run(clip, tmp_path / "out", stop=stop, tick=ask)
    assert stopped.status == "stopped"
    # In the warm-up there is nothing yet to go on with.
    assert stopped.frames == (at if at >= WARMUP else 0)
    assert not (tmp_path / "out" / "overlay.mp4").exists()
    assert run(clip, tmp_path / "out").status == "done"
    assert files_of(tmp_path / "out") == files_of(whole)


def test_a_run_that_was_stopped_at_every_frame(clip: Path, whole: Path, tmp_path: Path) -> None:
    for _ in range(14 - WARMUP):
        stop = Stop()

        def ask(done: int, total: int | None, stop: Stop = stop) -> None:
            stop.asked = done >= WARMUP

        assert run(clip, tmp_path / "out", stop=stop, tick=ask).status == "stopped"
    assert run(clip, tmp_path / "out").status in ("done", "stopped")
    assert run(clip, tmp_path / "out").status in ("done", "was done")
    assert files_of(tmp_path / "out") == files_of(whole)


def test_a_run_that_was_killed_goes_on_from_its_last_checkpoint(
    clip: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelling, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)

    def kill(done: int, total: int | None) -> None:
        if done == 9:
            raise MemoryError("killed")

    with pytest.raises(MemoryError):
        run(clip, tmp_path / "out", tick=kill)
    seen: list[int] = []
    run(clip, tmp_path / "out", tick=lambda done, total: seen.append(done))
    assert seen[0] == 9
    assert files_of(tmp_path / "out") == files_of(whole)


def test_stopped_while_adapting(clip: Path, tmp_path: Path) -> None:
    stop = Stop()

    def ask(progress: Progress) -> None:
        stop.asked = True

    assert run(clip, tmp_path / "out", stop=stop, progress=ask).frames == 0


def test_done_is_done(clip: Path, whole: Path) -> None:
    before = files_of(whole)
    outcome = run(clip, whole)
    assert outcome.status == "was done"
    assert outcome.frames == 14
    assert files_of(whole) == before
    with pytest.raises(InputError, match="holds something else"):
        run(clip, whole, Request(warmup=WARMUP, excerpt=Excerpt(stride=2)))
    with pytest.raises(InputError, match="holds something else"):
        run(clip, whole, settings={"device": "other"})


def test_a_live_video_ends_when_it_is_stopped(clip: Path, tmp_path: Path) -> None:
    write_with_sound(tmp_path / "clip.mp4", 20)
    source, stop = open_source([(tmp_path / "clip.mp4").as_uri()]), Stop()

    def ask(done: int, total: int | None) -> None:
        assert total is None
        stop.asked = done == 8

    outcome = run_video(
        source, video_model(), Request(warmup=3), tmp_path / "out", stop=stop, tick=ask
    )
    assert outcome.status == "done"
    assert outcome.frames == 8
    assert len(list(read_timed_video(tmp_path / "out" / "overlay.mp4"))) == 8
    with pytest.raises(InputError, match="whose length is not known; give a number of frames"):
        run_video(source, video_model(), Request(warmup=0.1), tmp_path / "other")


def test_a_disk_that_is_full_leaves_what_was_whole(
    clip: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelling, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    real, opened = Path.open, list[Path]()

    def open_file(path: Path, mode: str = "r", **options: Any) -> Any:
        if mode == "wb" and path.parent.name == "labels":
            opened.append(path)
            if len(opened) == 10:
                raise OSError(28, "No space left on device")
        return real(path, mode, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", open_file)
        with pytest.raises(InputError, match=r"cannot be written: .*No space left"):
            run(clip, tmp_path / "out")
    assert not list((tmp_path / "out" / "labels").glob(".*"))
    assert not list((tmp_path / "out").glob("*.mp4"))
    run(clip, tmp_path / "out")
    assert files_of(tmp_path / "out") == files_of(whole)


def test_a_run_that_trains_its_propagator_begins_anew(clip: Path, tmp_path: Path) -> None:
    """What a propagator learned is not kept, so a stopped run must leave nothing half."""

    def trained(out: Path, **more: Any) -> Outcome:
        training = PropagatorTraining(iterations=2)
        config = AdaptConfig(look=None, seed=1, propagator_training=training)
        model = wrap(toy_segmenter(), propagator=MatchingPropagator(cells=16), config=config)
        return run_video(open_source([str(clip)]), model, REQUEST, out, **more)

    stop = Stop()

    def ask(done: int, total: int | None) -> None:
        stop.asked = done == 9

    stopped = trained(tmp_path / "out", stop=stop, tick=ask)
    assert (stopped.status, stopped.frames) == ("stopped", 0)
    assert trained(tmp_path / "out").status == "done"
    assert trained(tmp_path / "whole").status == "done"
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")
