"""The worst videos of each method at their worst frame: which they are, and what is shown."""

from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ditta_adapt.evaluation import evaluate
from ditta_adapt.evaluation.gallery import find_failures, render_gallery
from ditta_adapt.evaluation.result import Case, VideoResult
from tests.evaluation.toy_dataset import LENGTH, SIZE, toy_dataset, toy_labels, toy_plan


def saved(root: Path, wrong: dict[str, dict[int, int]]) -> None:
    """Label maps that are true but for so many columns of some frames of some videos."""
    for seed, video in enumerate(("a", "b", "c")):
        for t, labels in enumerate(toy_labels(seed)):
            labels = np.where(labels == 255, 0, labels)
            columns = wrong.get(video, {}).get(t, 0)
            labels[:, :columns] = (labels[:, :columns] + 2) % 4
            folder = root / video
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(labels).save(folder / f"{t:03d}.png")


def test_the_worst_videos_at_their_worst_frames(tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    # Of the scored frames 6 to 11; what is wrong in the warm-up is not asked for.
    saved(maps, {"a": {0: 40, 7: 4}, "b": {8: 10, 9: 30}, "c": {6: 20, 7: 20, 11: 5}})
    plan = toy_plan(
        dataset=toy_dataset(("a", "b", "c")), methods=[f"predictions:{maps}", "image-model"]
    )
    results = evaluate(plan, tmp_path / "out")
    failures = find_failures(plan, results, 2)
    own = [failure for failure in failures if failure.case.method.startswith("predictions")]
    assert len(own) == len(failures) / 2 == 2
    by_video = {failure.case.video: failure.t for failure in own}
    assert set(by_video) == {"b", "c"}
    assert by_video["b"] == 9
    assert by_video["c"] in (6, 7)
    assert own[0].miou <= own[1].miou
    assert all(failure.frame_miou < failure.miou for failure in own)
    with Image.open(BytesIO(own[0].picture)) as picture:
        # Three panels, 4 pixels apart, under titles.
        assert picture.size == (3 * SIZE[1] + 8, SIZE[0] + 16)


def test_who_failed_or_has_no_labels_is_passed_over(tmp_path: Path) -> None:
    plan = toy_plan(methods=["image-model"], dataset=toy_dataset(("a",), labelled=False))
    results = evaluate(plan, tmp_path / "out")
    failed = VideoResult(Case("image-model", "50%", "", "b"), error="it raised")
    assert find_failures(plan, [*results, failed], 3) == []
    assert "No video with labels" in render_gallery([])


class Images(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.found.append(dict(attrs))


def test_the_page_has_all_it_needs_in_it(tmp_path: Path) -> None:
    plan = toy_plan(methods=["image-model"], dataset=toy_dataset(("a",)))
    (failure,) = find_failures(plan, evaluate(plan, tmp_path / "out"), 5)
    page = render_gallery([failure])
    parser = Images()
    parser.feed(page)
    (picture,) = parser.found
    assert str(picture["src"]).startswith("data:image/jpeg;base64,")
    assert f"frame {failure.t}" in str(picture["alt"])
    assert "http" not in page.replace("http-equiv", "")


@pytest.mark.parametrize("names", [("<b>",)])
def test_names_are_escaped(names: tuple[str, ...], tmp_path: Path) -> None:
    plan = toy_plan(methods=["image-model"], dataset=toy_dataset(names))
    failures = find_failures(plan, evaluate(plan, tmp_path / "out"), 1)
    assert "<b>" not in render_gallery(failures)
    assert len(failures) == 1
    assert LENGTH // 2 <= failures[0].t < LENGTH
