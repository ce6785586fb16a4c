import shutil
from pathlib import Path

import numpy as np
import pytest

from ditta_adapt import InputError
from ditta_adapt.datasets import open_dataset
from ditta_adapt.datasets.image_files import FrameFiles
from tests.datasets.trees import frame, label, number_of, save

# Two snippets that follow each other in one long recording, one that starts at 0.
SNIPPETS = {"frankfurt_000001_000130": 111, "frankfurt_000001_000160": 141}
SNIPPETS |= {"lindau_000002_000019": 0}


def add(root: Path, snippet: str, first: int, split: str = "val") -> None:
    city, sequence, _ = snippet.split("_")
    for index in range(30):
        name = f"{city}_{sequence}_{first + index:06d}_leftImg8bit.png"
        # The picture tells the index in the snippet; those of a split's other files do not.
        save(root / "leftImg8bit_sequence" / split / city / name, frame(index % 25))
    save(root / "gtFine" / split / city / f"{snippet}_gtFine_labelIds.png", label(0, 7, 26, 33))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for snippet, first in SNIPPETS.items():
        add(tmp_path, snippet, first)
    save(tmp_path / "gtFine/val/lindau/lindau_000002_000019_gtFine_color.png", frame(0))
    return tmp_path


def test_videos(root: Path) -> None:
    dataset = open_dataset("cityscapes", root)
    assert dataset.names == tuple(SNIPPETS)
    assert dataset.class_names[:2] == ("road", "sidewalk")
    assert dataset.palette.shape == (19, 3)
    assert dataset.palette[13].tolist() == [0, 0, 142]  # car
    for video in dataset:
        assert len(video.frames) == len(video.labels) == 30
        assert [number_of(video.frames[i]) for i in (0, 11, 20)] == [0, 11, 20]
        labelled = [t for t in range(30) if video.labels[t] is not None]
        assert labelled == [19]
        np.testing.assert_array_equal(video.labels[19], label(255, 0, 13, 18))


def test_the_label_is_that_of_its_frame(root: Path) -> None:
    """Of the snippets that tables of domain adaptation call Cityscapes-Seq."""
    for video in open_dataset("cityscapes", root):
        assert isinstance(video.frames, FrameFiles)
        assert video.frames.paths[19].name == f"{video.name}_leftImg8bit.png"
        assert len({path.name for path in video.frames.paths}) == 30


def test_train_ids(root: Path) -> None:
    folder = root / "gtFine/val/lindau"
    (folder / "lindau_000002_000019_gtFine_labelIds.png").unlink()
    save(folder / "lindau_000002_000019_gtFine_labelTrainIds.png", label(255, 18, 3))
    # Where both are there, the official one is read.
    both = root / "gtFine/val/frankfurt" / "frankfurt_000001_000130_gtFine_labelTrainIds.png"
    save(both, label(5))
    dataset = open_dataset("cityscapes", root)
    np.testing.assert_array_equal(dataset[0].labels[19], label(255, 0, 13, 18))
    np.testing.assert_array_equal(dataset[2].labels[19], label(255, 18, 3))


def test_splits(root: Path) -> None:
    add(root, "aachen_000000_000019", 0, split="train")
    assert open_dataset("cityscapes", root, split="train").names == ("aachen_000000_000019",)
    with pytest.raises(InputError, match=r"no folder .*leftImg8bit_sequence.test"):
        open_dataset("cityscapes", root, split="test")


def test_missing_frames_are_named(root: Path) -> None:
    folder = root / "leftImg8bit_sequence/val/lindau"
    (folder / "lindau_000002_000021_leftImg8bit.png").unlink()
    dataset = open_dataset("cityscapes", root)
    with pytest.raises(InputError, match=r"000021_leftImg8bit\.png; expected frame 21 of the 30"):
        dataset[2]
    shutil.rmtree(folder)
    with pytest.raises(InputError, match=r"no folder .*lindau; expected the frames for"):
        open_dataset("cityscapes", root)


def test_missing_labels_are_named(root: Path) -> None:
    shutil.rmtree(root / "gtFine/val/lindau")
    with pytest.raises(InputError, match=r"no folder .*gtFine.val.lindau; expected the labels for"):
        open_dataset("cityscapes", root)
    for path in root.glob("gtFine/val/*/*.png"):
        path.unlink()
    shutil.rmtree(root / "leftImg8bit_sequence/val/lindau")
    with pytest.raises(InputError, match="holds no label"):
        open_dataset("cityscapes", root)
    shutil.rmtree(root / "gtFine")
    with pytest.raises(InputError, match=r"no folder .*gtFine.val"):
        open_dataset("cityscapes", root)


def test_unknown_names(root: Path) -> None:
    save(root / "gtFine/val/lindau/lindau_gtFine_labelIds.png", label(7))
    with pytest.raises(InputError, match=r"lindau_gtFine_labelIds\.png has an unknown name"):
        open_dataset("cityscapes", root)
