import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ditta_adapt import InputError
from ditta_adapt.datasets import open_dataset
from tests.datasets.trees import frame, label, number_of, save, save_palette, write

VIDEOS = ("127_-hIVCYO4C90", "10_lwEBuoHA9nE", "9_abc")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in VIDEOS:
        folder = tmp_path / "data" / name
        for number in (12, 2, 1):
            save(folder / "origin" / f"{number:08d}.jpg", frame(number))
            # Palette images, as some tools write them back.
            write_mask = save_palette if number == 2 else save
            write_mask(folder / "mask" / f"{number:08d}.png", label(0, 1, number, 124, 255))
    write(tmp_path / "val.txt", f"{VIDEOS[0]}\n{VIDEOS[1]}\n")
    write(tmp_path / "train.txt", f"{VIDEOS[2]}\n")
    return tmp_path


def test_videos(root: Path) -> None:
    dataset = open_dataset("vspw", root)
    assert (dataset.name, len(dataset), dataset.names) == ("vspw", 2, VIDEOS[:2])
    assert [video.name for video in dataset] == list(VIDEOS[:2])
    video = dataset[1]
    assert len(video.frames) == len(video.labels) == 3
    assert [number_of(image) for image in video.frames] == [1, 2, 12]
    for number, labels in zip((1, 2, 12), video.labels, strict=True):
        np.testing.assert_array_equal(labels, label(255, 0, number - 1, 123, 255))
    assert video.relabel is None
    assert open_dataset("vspw", str(root), split="train").names == VIDEOS[2:]


def test_class_names(root: Path) -> None:
    dataset = open_dataset("vspw", root)
    assert dataset.class_names == tuple(f"class {i}" for i in range(124))
    assert dataset.palette.shape == (124, 3)
    names = {"others": "0"} | {f"thing {i}": str(i) for i in reversed(range(1, 125))}
    write(root / "label_num_dic_final.json", json.dumps(names))
    dataset = open_dataset("vspw", root)
    assert dataset.class_names == tuple(f"thing {i}" for i in range(1, 125))


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"wall": "1"}', '{"wall": "one"}', '{"wall": null}', "3"], ids=repr
)
def test_broken_class_names(root: Path, text: str) -> None:
    write(root / "label_num_dic_final.json", text)
    with pytest.raises(InputError, match=r"label_num_dic_final\.json does not name"):
        open_dataset("vspw", root)


def test_nothing_is_read_on_opening(root: Path, unchecked: None) -> None:
    broken = root / "data" / VIDEOS[0]
    (broken / "origin" / "00000002.jpg").write_bytes(b"")
    (broken / "mask" / "00000001.png").write_bytes(b"")
    video = open_dataset("vspw", root)[0]
    assert number_of(video.frames[-1]) == 12
    with pytest.raises(InputError, match=r"origin.00000002\.jpg cannot be read"):
        video.frames[1]
    with pytest.raises(InputError, match=r"mask.00000001\.png cannot be read"):
        video.labels[0]


def test_missing_parts_are_named_on_opening(root: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no folder .*nowhere; expected VSPW"):
        open_dataset("vspw", root / "nowhere")
    with pytest.raises(InputError, match=r"no file .*test\.txt; expected the videos"):
        open_dataset("vspw", root, split="test")
    write(root / "val.txt", "absent")
    with pytest.raises(InputError, match=r"no folder .*absent.origin; expected the frames"):
        open_dataset("vspw", root)
    shutil.rmtree(root / "data")
    with pytest.raises(InputError, match=r"no folder .*data; expected a folder for each video"):
        open_dataset("vspw", root)


def test_masks_are_complete(root: Path) -> None:
    dataset = open_dataset("vspw", root)
    folder = root / "data" / VIDEOS[0] / "mask"
    save(folder / "00000003.png", label(1))
    with pytest.raises(InputError, match=r"00000003\.png is the label of no frame"):
        dataset[0]
    (folder / "00000003.png").unlink()
    (folder / "00000012.png").unlink()
    with pytest.raises(InputError, match=r"no file .*00000012\.png; expected the label of"):
        dataset[0]
    shutil.rmtree(folder)
    with pytest.raises(InputError, match=r"no folder .*mask; expected a mask for each frame"):
        dataset[0]


def test_masks_of_the_test_split_are_not_public(root: Path) -> None:
    write(root / "test.txt", "\n".join(VIDEOS[:2]))
    shutil.rmtree(root / "data" / VIDEOS[0] / "mask")
    dataset = open_dataset("vspw", root, split="test")
    assert list(dataset[0].labels) == [None, None, None]
    assert all(labels is not None for labels in dataset[1].labels)


def test_video_without_frames(root: Path) -> None:
    for path in (root / "data" / VIDEOS[0] / "origin").iterdir():
        path.unlink()
    with pytest.raises(InputError, match=r"origin holds no frame"):
        open_dataset("vspw", root)[0]


def test_values_that_are_no_class(root: Path, unchecked: None) -> None:
    save(root / "data" / VIDEOS[0] / "mask" / "00000001.png", label(125))
    with pytest.raises(InputError, match=r"00000001\.png: the pixel value 125 .*0\.\.124, 255"):
        open_dataset("vspw", root)[0].labels[0]
