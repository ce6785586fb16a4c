import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ditta_adapt import InputError
from ditta_adapt.datasets import open_dataset, read_class_map
from tests.datasets.trees import SIZE, frame, label, number_of, save, write

VIDEOS = ("127_-hIVCYO4C90", "10_lwEBuoHA9nE")
# Void, wall, train as if it were no object, two people, the first and the last train.
IDS = (0, 1, 124, 6100, 6101, 12400, 12499)
EXPECTED = (255, 0, 123, 60, 60, 123, 123)


def mask(*values: int) -> np.ndarray:
    image = np.full(SIZE, values[-1], np.uint16)
    image[0, : len(values)] = values
    return image


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in VIDEOS:
        for number in (3, 1, 12):
            save(tmp_path / "imgs" / name / f"{number:08d}.jpg", frame(number))
            # Without objects a mask has 8 bits.
            stored = label(0, 1, 124) if number == 1 else mask(*IDS)
            save(tmp_path / "panomasks" / name / f"{number:08d}.png", stored)
    write(tmp_path / "val.txt", f"{VIDEOS[0]}\n{VIDEOS[1]}\n")
    return tmp_path


def test_videos(root: Path) -> None:
    dataset = open_dataset("vipseg", root)
    assert (dataset.name, dataset.names) == ("vipseg", VIDEOS)
    assert dataset.class_names == read_class_map("vspw-cityscapes").model
    assert dataset.palette.shape == (124, 3)
    video = dataset[1]
    assert [number_of(image) for image in video.frames] == [1, 3, 12]
    np.testing.assert_array_equal(video.labels[0], label(255, 0, 123))
    for t in (1, 2):
        np.testing.assert_array_equal(video.labels[t], label(*EXPECTED))


def test_the_layout_of_720p(root: Path) -> None:
    (root / "imgs").rename(root / "images")
    assert number_of(open_dataset("vipseg", root)[0].frames[1]) == 3


def document(names: tuple[str, ...] = VIDEOS) -> dict[str, Any]:
    """As `panoptic_gt_VIPSeg_val.json`: a segment's id is another one in every video."""
    return {
        "annotations": [
            {
                "video_id": name,
                "annotations": [
                    {
                        "file_name": f"{number:08d}.png",
                        "segments_info": [
                            {"id": 70000 + place, "category_id": 60, "iscrowd": 0},
                            {"id": 300, "category_id": place, "iscrowd": 0},
                        ],
                    }
                    for number in (1, 3, 12)
                ],
            }
            for place, name in enumerate(names)
        ]
    }


@pytest.fixture
def coloured(root: Path) -> Path:
    shutil.rmtree(root / "panomasks")
    write(root / "panoptic_gt_VIPSeg_val.json", json.dumps(document()))
    for place, name in enumerate(VIDEOS):
        for number in (1, 3, 12):
            ids = np.full(SIZE, 300)
            ids[0, :2] = (0, 70000 + place)
            colours = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1)
            path = root / "panomasksRGB" / name / f"{number:08d}.png"
            save(path, colours.astype(np.uint8))
    return root


def test_coloured_masks(coloured: Path) -> None:
    dataset = open_dataset("vipseg", coloured)
    for place, video in enumerate(dataset):
        for labels in video.labels:
            assert labels is not None
            np.testing.assert_array_equal(labels, label(255, 60, place))
    (coloured / "val.txt").unlink()
    assert open_dataset("vipseg", coloured).names == VIDEOS
    path = coloured / "panoptic_gt_VIPSeg_val.json"
    path.rename(coloured / "panoptic_gt_VIPSeg.json")
    assert open_dataset("vipseg", coloured).names == VIDEOS
    # Where both are there, the masks as they were released are read.
    for number in (1, 3, 12):
        save(coloured / "panomasks" / VIDEOS[0] / f"{number:08d}.png", label(5))
    write(coloured / "val.txt", VIDEOS[0])
    np.testing.assert_array_equal(open_dataset("vipseg", coloured)[0].labels[0], label(4))


def test_coloured_masks_of_another_file(coloured: Path, unchecked: None) -> None:
    path = coloured / "panoptic_gt_VIPSeg_val.json"
    write(path, json.dumps(document(VIDEOS[:1])))
    with pytest.raises(InputError, match=r"00000001\.png shows the segment 300, of which the JSON"):
        open_dataset("vipseg", coloured)[1].labels[0]
    for text in ("{", "[]", '{"annotations": 3}', '{"annotations": [{"video_id": 1}]}'):
        write(path, text)
        with pytest.raises(InputError, match=r"VIPSeg_val\.json cannot be read"):
            open_dataset("vipseg", coloured)
    path.unlink()
    with pytest.raises(InputError, match=r"no file .*VIPSeg_val\.json; expected the classes of"):
        open_dataset("vipseg", coloured)


def test_masks_are_complete(root: Path) -> None:
    (root / "panomasks" / VIDEOS[0] / "00000012.png").unlink()
    with pytest.raises(InputError, match=r"no file .*00000012\.png; expected the label of"):
        open_dataset("vipseg", root)[0]
    shutil.rmtree(root / "panomasks" / VIDEOS[0])
    with pytest.raises(InputError, match=r"no folder .*expected a mask for each frame"):
        open_dataset("vipseg", root)[0]


def test_masks_of_the_test_split_are_not_public(root: Path) -> None:
    write(root / "test.txt", "\n".join(VIDEOS))
    shutil.rmtree(root / "panomasks" / VIDEOS[0])
    dataset = open_dataset("vipseg", root, split="test")
    assert list(dataset[0].labels) == [None] * 3
    assert all(labels is not None for labels in dataset[1].labels)
    (root / "panomasks").rename(root / "panomasksRGB")
    assert list(open_dataset("vipseg", root, split="test")[0].labels) == [None] * 3


def test_missing_parts_are_named(root: Path) -> None:
    with pytest.raises(InputError, match=r"no file .*train\.txt; expected the videos of VIPSeg's"):
        open_dataset("vipseg", root, split="train")
    write(root / "val.txt", "absent")
    with pytest.raises(InputError, match=r"no folder .*absent; expected the frames of a video"):
        open_dataset("vipseg", root)
    shutil.rmtree(root / "panomasks")
    with pytest.raises(InputError, match=r"no folder .*panomasks; .*or panomasksRGB"):
        open_dataset("vipseg", root)
    shutil.rmtree(root / "imgs")
    with pytest.raises(InputError, match=r"no folder .*imgs; expected a folder of frames"):
        open_dataset("vipseg", root)


def test_ids_that_are_no_class(root: Path, unchecked: None) -> None:
    save(root / "panomasks" / VIDEOS[0] / "00000001.png", mask(12500))
    with pytest.raises(InputError, match=r"pixel value 12500 .*expected 0\.\.12499"):
        open_dataset("vipseg", root)[0].labels[0]
