"""The demo on a clip of one's own that is not as plain as the generated one."""

import json
from fractions import Fraction
from pathlib import Path

import pytest

pytest.importorskip("cv2")
pytest.importorskip("transformers")

from ditta_adapt.demo.program import WARMUP, run_demo
from ditta_adapt.errors import DamagedFileWarning
from ditta_adapt.io.video import read_timed_video, write_video
from tests.io.clips import break_packet, set_matrix
from tests.toys import toy_video

SIZE = (64, 96)


def test_a_clip_is_shown_upright_and_at_its_own_times(tmp_path: Path) -> None:
    """Of a damaged clip, what can be decoded of it."""
    clip = tmp_path / "clip.mp4"
    times = [Fraction(t * t, 30) for t in range(WARMUP + 5)]
    write_video(clip, toy_video(len(times), SIZE), times=times)
    set_matrix(clip, 0, 1, -1, 0)
    break_packet(clip, WARMUP)
    with pytest.warns(DamagedFileWarning, match="only 16 frames"):
        shown = [time for time, _ in read_timed_video(clip)]
    with pytest.warns(DamagedFileWarning, match="only 16 frames"):
        run_demo(tmp_path / "out", clip, names=["flow"])
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (report["size"], report["frames"]) == ([*SIZE[::-1]], 16)
    played = [time for time, _ in read_timed_video(tmp_path / "out" / "before-after.mp4")]
    assert played == [time - shown[WARMUP] for time in shown[WARMUP:]]
