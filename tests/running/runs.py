"""Runs of one small model, and what they leave behind."""

import json
import re
from pathlib import Path
from typing import Any

from ditta_adapt import AdaptConfig, SecondLook, VideoSegmenter, wrap
from ditta_adapt.running.request import Request
from ditta_adapt.running.run import Outcome, run_video
from ditta_adapt.running.source import open_source
from tests.toys import toy_segmenter

WARMUP = 4
REQUEST = Request(warmup=WARMUP)


def video_model() -> VideoSegmenter:
    # A first look early, so that what it leaves behind has to outlive a stop.
    return wrap(toy_segmenter(), config=AdaptConfig(look=SecondLook(first=(1, 3, 6)), seed=1))


def run(clip: Path, out: Path, request: Request = REQUEST, **more: Any) -> Outcome:
    return run_video(open_source([str(clip)]), video_model(), request, out, **more)


def files_of(out: Path) -> dict[str, bytes]:
    """All results but the clock."""
    found = {}
    for path in sorted(out.rglob("*")):
        if path.is_file():
            found[str(path.relative_to(out))] = path.read_bytes()
    report = json.loads(found.pop("report.json"))
    report.pop("seconds")
    report["adaptation"].pop("seconds")
    found["report"] = json.dumps(report).encode()
    page = found.pop("report.html", b"").decode()
    page, tables = re.subn("<table><caption>Time</caption>.*?</table>", "", page)
    assert tables <= 1
    found["page"] = page.encode()
    return found
