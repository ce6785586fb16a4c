"""The pictures of the pages are those that the code draws, and small."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL")

from PIL import Image

ROOT = Path(__file__).parents[2]
MOST_BYTES = 150_000


@pytest.mark.skipif(
    find_spec("cv2") is None or find_spec("transformers") is None,
    reason="what they are drawn with is not installed",
)
def test_pictures_are_up_to_date(tmp_path: Path) -> None:
    # By itself, since checks of shapes would be most of the time.
    subprocess.run([sys.executable, "-m", "tools.draw_concepts", tmp_path], cwd=ROOT, check=True)
    drawn = sorted(tmp_path.glob("*.png"))
    assert len(drawn) == 2
    for path in drawn:
        kept = ROOT / "docs" / "pictures" / path.name
        assert kept.stat().st_size < MOST_BYTES
        before, now = pixels(kept), pixels(path)
        assert before.shape == now.shape, "run python -m tools.draw_concepts"
        # Another processor rounds otherwise, and then chooses other colours.
        far = (np.abs(before - now).max(axis=2) > 60).mean()
        assert far < 0.03, "run python -m tools.draw_concepts"


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)
