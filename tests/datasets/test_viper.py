import shutil
from pathlib import Path

import numpy as np
import pytest

from ditta_adapt import InputError
from ditta_adapt.datasets import MappedDataset, open_dataset, read_class_map
from tests.datasets.trees import frame, label, number_of, save, save_palette

SEQUENCES = {"001": (0, 1, 2, 10), "002": (5,)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for sequence, numbers in SEQUENCES.items():
        for number in numbers:
            stem = f"{sequence}_{number:05d}"
            suffix = "jpg" if sequence == "001" else "png"
            save(tmp_path / "val/img" / sequence / f"{stem}.{suffix}", frame(number))
            save_palette(tmp_path / "val/cls" / sequence / f"{stem}.png", label(0, 1, 2, 29, 31, 7))
    # As a program for domain adaptation leaves it there.
    save(tmp_path / "val/cls/001/001_00000_labelTrainIds.png", label(0))
    return tmp_path


def test_videos(root: Path) -> None:
    dataset = open_dataset("viper", root)
    assert (dataset.name, dataset.names) == ("viper", ("001", "002"))
    assert (len(dataset.class_names), dataset.palette.shape) == (30, (30, 3))
    # The id of a class less 2, see `classes.csv`.
    names = {0: "sky", 1: "road", 18: "person", 22: "car", 27: "train", 29: "boat"}
    assert {place: dataset.class_names[place] for place in names} == names
    assert dataset.palette[22].tolist() == [0, 0, 142]
    assert [number_of(image) for image in dataset[0].frames] == [0, 1, 2, 10]
    assert [number_of(image) for image in dataset[1].frames] == [5]
    for video in dataset:
        for labels in video.labels:
            np.testing.assert_array_equal(labels, label(255, 255, 0, 27, 29, 5))


def test_every_frame_has_a_label_unless_only_a_part_was_downloaded(root: Path) -> None:
    (root / "val/cls/001/001_00001.png").unlink()
    with pytest.raises(InputError, match=r"no file .*001_00001\.png; expected the label of"):
        open_dataset("viper", root)[0]
    video = open_dataset("viper", root, complete=False)[0]
    assert [labels is None for labels in video.labels] == [False, True, False, False]
    (root / "val/img/001/001_00002.jpg").unlink()
    with pytest.raises(InputError, match=r"001_00002\.png is the label of no frame"):
        open_dataset("viper", root, complete=False)[0]


def test_the_test_split_has_no_labels(root: Path) -> None:
    save(root / "test/img/003/003_00000.jpg", frame(3))
    assert list(open_dataset("viper", root, split="test")[0].labels) == [None]
    (root / "val").rename(root / "train")
    assert open_dataset("viper", root, split="train").names == ("001", "002")


def test_missing_parts_are_named(root: Path) -> None:
    shutil.rmtree(root / "val/img/002")
    with pytest.raises(InputError, match=r"no folder .*img.002; expected the frames for"):
        open_dataset("viper", root)
    shutil.rmtree(root / "val/cls/002")
    shutil.rmtree(root / "val/cls/001")
    with pytest.raises(InputError, match=r"no folder .*cls.001; expected the labels for"):
        open_dataset("viper", root)
    shutil.rmtree(root / "val/cls")
    with pytest.raises(InputError, match=r"no folder .*cls; expected a folder of labels"):
        open_dataset("viper", root)
    shutil.rmtree(root / "val/img/001")
    with pytest.raises(InputError, match="img is empty"):
        open_dataset("viper", root)
    with pytest.raises(InputError, match=r"no folder .*train.img"):
        open_dataset("viper", root, split="train")


def test_ids_that_are_no_class(root: Path, unchecked: None) -> None:
    save(root / "val/cls/002/002_00005.png", label(32))
    with pytest.raises(InputError, match=r"00005\.png: the pixel value 32 .*expected 0\.\.31, 255"):
        open_dataset("viper", root)[1].labels[0]


def test_labels_for_a_model_of_cityscapes(root: Path) -> None:
    mapped = MappedDataset(open_dataset("viper", root), read_class_map("cityscapes-viper"))
    # Trees count as vegetation; a train and a boat do not count.
    np.testing.assert_array_equal(mapped[1].labels[0], label(255, 255, 0, 255, 255, 6))
