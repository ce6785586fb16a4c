"""Draw `docs/pictures/report.png`: the report of a generated street, in Chromium.

    PYTHONPATH=build/browser python -m tools.draw_report

`make test-browser` brings the library that drives it.
"""

import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from ditta_adapt import wrap
from ditta_adapt.demo.model import load_demo_model
from ditta_adapt.demo.scenes import render_video
from ditta_adapt.demo.shift import shift_frames
from ditta_adapt.io.video import write_video
from ditta_adapt.running.request import Request
from ditta_adapt.running.run import run_video
from ditta_adapt.running.source import open_source
from tools.rooms import ROOT

PICTURE = ROOT / "docs" / "pictures" / "report.png"
SEED, FRAMES, WARMUP = 3, 48, 8
SIZE = {"width": 1080, "height": 1240}


def main() -> None:
    """Label the street, and take a picture of the top of its report."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "street.mp4"
        frames, _ = render_video(SEED, FRAMES)
        write_video(clip, shift_frames(frames, seed=SEED))
        out = Path(folder) / "out"
        run_video(open_source([str(clip)]), wrap(load_demo_model()), Request(warmup=WARMUP), out)
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=shutil.which("chromium"))
            page = browser.new_page(viewport=SIZE)
            page.goto((out / "report.html").as_uri())
            shown = page.screenshot()
            browser.close()
    # A palette of 128 colours makes it a third of the size.
    Image.open(io.BytesIO(shown)).convert("RGB").quantize(128).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
