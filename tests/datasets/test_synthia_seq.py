import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from ditta_adapt import InputError
from ditta_adapt.datasets import open_dataset
from ditta_adapt.datasets.image_files import read_first_channel
from tests.datasets.trees import SIZE, frame, label, number_of, save, save_palette

DAWN, FALL = "SYNTHIA-SEQS-04-DAWN", "SYNTHIA-SEQS-05-FALL"
FRONT = "Stereo_Left/Omni_F"
# The kind of colour in the header of a PNG file, by the number of channels.
KINDS = {2: 4, 3: 2, 4: 6}


def save_wide(path: Path, samples: np.ndarray) -> None:
    """A PNG of several channels of 16 bits, written by hand."""
    height, width, channels = samples.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", width, height, 16, KINDS[channels], 0, 0, 0)
    chunks = {b"IHDR": header, b"IDAT": zlib.compress(rows), b"IEND": b""}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            for name, data in chunks.items()
        )
    )


def channels(first: np.ndarray, count: int = 3) -> np.ndarray:
    """A label image with numbers of instances in its other channels."""
    image = np.full((*first.shape, count), 1234, np.uint16)
    image[..., 0] = first
    return image


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for sequence, count in ((DAWN, 3), (FALL, 1)):
        for number in range(count):
            for place, shift in ((FRONT, 0), ("Stereo_Right/Omni_B", 10)):
                stem = f"{place}/{number:06d}"
                save(tmp_path / sequence / "RGB" / f"{stem}.png", frame(number + shift))
                ids = label(0, 1, 12, 13, 14, 15, 8)
                save_wide(tmp_path / sequence / "GT/LABELS" / f"{stem}.png", channels(ids))
    # As a program for domain adaptation leaves it there.
    left = tmp_path / DAWN / "GT/LABELS" / FRONT / "000000_labelTrainIds_updated.png"
    save(left, label(0))
    (tmp_path / "splits").mkdir()
    return tmp_path


def test_videos(root: Path) -> None:
    dataset = open_dataset("synthia_seq", root)
    assert (dataset.name, dataset.names) == ("synthia_seq", (DAWN, FALL))
    assert (len(dataset.class_names), dataset.palette.shape) == (13, (13, 3))
    names = {0: "Sky", 7: "Car", 11: "Lanemarking", 12: "Traffic Light"}
    assert {place: dataset.class_names[place] for place in names} == names
    assert dataset.palette[7].tolist() == [64, 0, 128]
    assert [number_of(image) for image in dataset[0].frames] == [0, 1, 2]
    for video in dataset:
        for labels in video.labels:
            np.testing.assert_array_equal(labels, label(255, 0, 11, 255, 255, 12, 7))


def test_one_sequence_and_other_cameras(root: Path) -> None:
    assert open_dataset("synthia_seq", root / DAWN).names == (DAWN,)
    behind = open_dataset("synthia_seq", root, camera="Omni_B", side="Stereo_Right")
    assert [number_of(image) for image in behind[0].frames] == [10, 11, 12]
    with pytest.raises(InputError, match=r"no folder .*Omni_L; expected the frames of a camera"):
        open_dataset("synthia_seq", root, camera="Omni_L")


def test_missing_parts_are_named(root: Path) -> None:
    labels = root / DAWN / "GT/LABELS" / FRONT
    (labels / "000001.png").unlink()
    with pytest.raises(InputError, match=r"no file .*000001\.png; expected the label of"):
        open_dataset("synthia_seq", root)[0]
    shutil.rmtree(labels)
    with pytest.raises(InputError, match=r"no folder .*Omni_F; expected the labels of a camera"):
        open_dataset("synthia_seq", root)
    with pytest.raises(InputError, match=r"splits holds no sequence; expected SYNTHIA-SEQS-\*"):
        open_dataset("synthia_seq", root / "splits")


def test_ids_that_are_no_class(root: Path, unchecked: None) -> None:
    # 264 is 8 in its lower byte.
    wide = channels(np.full(SIZE, 264))
    save_wide(root / FALL / "GT/LABELS" / FRONT / "000000.png", wide)
    with pytest.raises(InputError, match=r"pixel value 264 is no label .*expected 0\.\.15, 255"):
        open_dataset("synthia_seq", root)[1].labels[0]


def test_the_first_channel_of_every_kind_of_image(tmp_path: Path, unchecked: None) -> None:
    path, values = tmp_path / "label.png", label(0, 1, 2, 255, 3)
    wide = values.astype(np.uint16) * 200
    for count in (3, 4):
        save_wide(path, channels(wide, count))
        np.testing.assert_array_equal(read_first_channel(path), wide)
        save(path, np.dstack([values, *[np.full(SIZE, 9, np.uint8)] * (count - 1)]))
        np.testing.assert_array_equal(read_first_channel(path), values)
    for write in (save, save_palette):
        write(path, values)
        np.testing.assert_array_equal(read_first_channel(path), values)
    save_wide(path, channels(wide, 2))
    with pytest.raises(InputError, match=r"label\.png has two channels of 16 bits"):
        read_first_channel(path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match=r"label\.png cannot be read"):
        read_first_channel(path)
