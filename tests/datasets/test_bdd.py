import shutil
from pathlib import Path

import numpy as np
import pytest

from ditta_adapt import InputError
from ditta_adapt.datasets import MappedDataset, open_dataset, read_class_map
from ditta_adapt.datasets.cityscapes import CLASSES
from tests.datasets.trees import frame, label, number_of, save, write

CLIPS = ("c33ec7c6-ab13ff1b", "0837760b-d0fc2090")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "splits/valid_imgs_val.txt", "".join(f"{clip}_307\n" for clip in CLIPS))
    for clip in CLIPS:
        for split, shift in (("val", 0), ("val_orig_10k", 10)):
            for index in range(9):
                path = tmp_path / split / "images" / f"{clip}_{303 + index}.jpg"
                save(path, frame(index + shift * (index == 4)))
        save(tmp_path / "val/labels" / f"{clip}_307.png", label(0, 18, 255, 13))
    return tmp_path


def test_videos(root: Path) -> None:
    dataset = open_dataset("bdd", root)
    assert dataset.name == "bdd"
    assert dataset.names == tuple(f"{clip}_307" for clip in CLIPS)
    assert dataset.class_names == tuple(name for name, _, _ in CLASSES)
    assert dataset.palette[13].tolist() == [0, 0, 142]
    for video in dataset:
        # The labelled frame is that of BDD10K.
        assert [number_of(image) for image in video.frames] == [0, 1, 2, 3, 14, 5, 6, 7, 8]
        assert [t for t in range(9) if video.labels[t] is not None] == [4]
        np.testing.assert_array_equal(video.labels[4], label(0, 18, 255, 13))
    video = open_dataset("bdd", root, split="val")[0]
    assert [number_of(image) for image in video.frames] == list(range(9))


def test_labels_of_its_own(root: Path) -> None:
    for clip in CLIPS:
        save(root / "val_orig_10k/labels" / f"{clip}_307.png", label(5))
    np.testing.assert_array_equal(open_dataset("bdd", root)[0].labels[4], label(5))


def test_missing_parts_are_named(root: Path) -> None:
    (root / "val_orig_10k/images" / f"{CLIPS[0]}_311.jpg").unlink()
    (root / "val/labels" / f"{CLIPS[1]}_307.png").unlink()
    dataset = open_dataset("bdd", root)
    with pytest.raises(InputError, match=r"ab13ff1b_311\.jpg; expected one of the 9 frames around"):
        dataset[0]
    with pytest.raises(InputError, match=r"d0fc2090_307\.png; expected the label of a frame that"):
        dataset[1]
    shutil.rmtree(root / "val/labels")
    with pytest.raises(InputError, match=r"no folder .*val.labels; expected labels called"):
        open_dataset("bdd", root)
    with pytest.raises(InputError, match=r"no folder .*train.images; expected frames called"):
        open_dataset("bdd", root, split="train")


def test_lists(root: Path) -> None:
    path = root / "splits/valid_imgs_val.txt"
    write(path, "c33ec7c6-ab13ff1b\n")
    with pytest.raises(InputError, match=r"val\.txt names 'c33ec7c6-ab13ff1b'; expected <clip>_"):
        open_dataset("bdd", root)
    path.unlink()
    with pytest.raises(InputError, match=r"no file .*valid_imgs_val\.txt; expected the labelled"):
        open_dataset("bdd", root)


@pytest.mark.parametrize(
    ("name", "counts"), [("viper-cityscapes", 15), ("synthia_seq-cityscapes", 11)]
)
def test_the_maps_to_cityscapes_are_for_its_classes(root: Path, name: str, counts: int) -> None:
    for clip in CLIPS:
        save(root / "val/labels" / f"{clip}_307.png", label(*range(8)))
        save(root / "val_orig_10k/labels" / f"{clip}_307.png", label(*range(8)))
    found = read_class_map(name)
    video = MappedDataset(open_dataset("bdd", root), found)[0]
    left_out = {3, 5} if counts == 15 else {3, 4}
    expected = label(*(255 if value in left_out else value for value in range(8)))
    np.testing.assert_array_equal(video.labels[4], expected)
    assert len({value for value in found.table.tolist() if value >= 0}) == counts
