from pathlib import Path

import numpy as np
import pytest

from ditta_adapt import InputError
from ditta_adapt.datasets import open_dataset
from tests.datasets.trees import frame, label, number_of, save, save_palette, write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in (1, 2, 10):
        save(tmp_path / f"seq10/frames/f{number}.jpg", frame(number))
        save(tmp_path / f"seq2/images/f{number}.png", frame(number))
    save(tmp_path / "seq2/labels/f2.png", label(0, 2, 255, 1))
    save_palette(tmp_path / "seq10/labels/f1.png", label(2))
    save(tmp_path / "seq10/labels/f10.png", label(1).astype(np.uint16))
    write(tmp_path / "classes.txt", "road\nsky\nhigh grass\n")
    return tmp_path


def test_videos(root: Path) -> None:
    dataset = open_dataset("camvid", root)
    assert dataset.names == ("seq2", "seq10")
    assert dataset.class_names == ("road", "sky", "high grass")
    assert dataset.palette.shape == (3, 3)
    two, ten = dataset
    assert [number_of(image) for image in two.frames] == [1, 2, 10]
    assert [number_of(image) for image in ten.frames] == [1, 2, 10]
    assert [labels is None for labels in two.labels] == [True, False, True]
    assert [labels is None for labels in ten.labels] == [False, True, False]
    np.testing.assert_array_equal(two.labels[1], label(0, 2, 255, 1))
    np.testing.assert_array_equal(ten.labels[0], label(2))
    np.testing.assert_array_equal(ten.labels[2], label(1))


def test_classes_without_names(root: Path) -> None:
    (root / "classes.txt").unlink()
    with pytest.raises(InputError, match=r"no file .*classes\.txt.*num_classes="):
        open_dataset("camvid", root)
    dataset = open_dataset("camvid", root, num_classes=3)
    assert dataset.class_names == ("class 0", "class 1", "class 2")
    with pytest.raises(InputError, match="0 label classes"):
        open_dataset("camvid", root, num_classes=0)


def test_classes_that_disagree(root: Path) -> None:
    assert len(open_dataset("camvid", root, num_classes=3).class_names) == 3
    with pytest.raises(InputError, match="names 3 classes, but num_classes is 4"):
        open_dataset("camvid", root, num_classes=4)


def test_void(root: Path) -> None:
    write(root / "classes.txt", "road\nsky\n")
    video = open_dataset("camvid", root, void=2)[0]
    np.testing.assert_array_equal(video.labels[1], label(0, 255, 255, 1))


def test_values_that_are_no_class(root: Path, unchecked: None) -> None:
    write(root / "classes.txt", "road\nsky\n")
    with pytest.raises(InputError, match=r"f2\.png: the pixel value 2 .*expected 0\.\.1, 255"):
        open_dataset("camvid", root)[0].labels[1]


def test_palette(root: Path) -> None:
    write(root / "palette.txt", "0 0 0\n255 1 2\n\n3 4 5\n")
    palette = open_dataset("camvid", root).palette
    assert palette.dtype == np.uint8
    assert palette.tolist() == [[0, 0, 0], [255, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 0 0\n", "holds 1 colours for 3 classes"),
        ("0 0 0\n0 0\n0 0 0", "holds the line '0 0'"),
        ("0 0 0\n0 0 256\n0 0 0", "holds the line '0 0 256'"),
        ("0 0 0\n0 0 -1\n0 0 0", "holds the line '0 0 -1'"),
        ("0 0 0\n#ff0000\n0 0 0", "holds the line '#ff0000'"),
    ],
)
def test_broken_palettes(root: Path, text: str, message: str) -> None:
    write(root / "palette.txt", text)
    with pytest.raises(InputError, match=f"palette.txt {message}"):
        open_dataset("camvid", root)


def test_labels_without_frames_and_videos_without_labels(root: Path) -> None:
    (root / "seq2/labels/f2.png").rename(root / "seq2/labels/f2_L.png")
    dataset = open_dataset("camvid", root)
    with pytest.raises(InputError, match=r"f2_L\.png is the label of no frame; .* such as f1\.png"):
        dataset[0]
    (root / "seq2/labels/f2_L.png").unlink()
    with pytest.raises(InputError, match=r"labels holds no label"):
        dataset[0]
    (root / "seq2/labels").rmdir()
    with pytest.raises(InputError, match=r"no folder .*seq2.labels"):
        open_dataset("camvid", root)


def test_folders_of_frames(root: Path) -> None:
    (root / "seq2/frames").mkdir()
    with pytest.raises(InputError, match=r"seq2 holds both images/ and frames/"):
        open_dataset("camvid", root)
    (root / "seq2/frames").rmdir()
    (root / "seq2/images").rename(root / "seq2/pictures")
    with pytest.raises(InputError, match=r"seq2 holds neither images/ nor frames/"):
        open_dataset("camvid", root)


def test_no_videos(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no video"):
        open_dataset("camvid", tmp_path, num_classes=2)
    with pytest.raises(InputError, match="no folder"):
        open_dataset("camvid", tmp_path / "absent")
