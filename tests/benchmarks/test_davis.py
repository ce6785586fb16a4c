"""The DAVIS-VOC loader, on a tiny tree and, where the data is there, on the real one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import davis

NAME = "clip"
HEIGHT, WIDTH = 6, 8


def expected_frame(index: int) -> np.ndarray:
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    frame[..., 0] = 200  # strong red: a BGR reader, or a wrong order of frames, shows
    frame[..., 2] = 10 * index
    return frame


def expected_mask(index: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[1:3, index : index + 2] = True
    return mask


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    frames = tmp_path / "davis" / "JPEGImages" / "480p" / NAME
    masks = tmp_path / "davis" / "Annotations" / "480p" / NAME
    frames.mkdir(parents=True)
    masks.mkdir(parents=True)
    for index in reversed(range(5)):
        Image.fromarray(expected_frame(index)).save(frames / f"{index:05d}.jpg", quality=100)
        Image.fromarray(expected_mask(index).astype(np.uint8) * 255).save(
            masks / f"{index:05d}.png"
        )
    return tmp_path


@pytest.mark.parametrize(("stride", "indices"), [(1, range(5)), (3, (0, 3)), (9, (0,))])
def test_load_video_reads_frames_and_masks_in_order(tree, stride, indices):
    video = davis.load_video(tree, NAME, ["horse", 15], stride)

    assert video.name == NAME
    assert video.classes == (13, 15)
    assert len(video.frames) == len(video.masks) == len(indices)
    for index, frame, mask in zip(indices, video.frames, video.masks, strict=True):
        assert frame.dtype == np.uint8
        assert mask.dtype == np.bool_
        np.testing.assert_allclose(frame.astype(int), expected_frame(index), atol=4)
        np.testing.assert_array_equal(mask, expected_mask(index))


def test_root_may_be_davis_itself(tree):
    video = davis.load_video(tree / "davis", NAME, ["horse"])
    assert len(video.frames) == len(davis.load_video(tree, NAME, ["horse"]).frames)


def test_palette_mask_counts_every_object(tree):
    path = tree / "davis" / "Annotations" / "480p" / NAME / "00000.png"
    mask = Image.fromarray(expected_mask(0).astype(np.uint8), mode=None).convert("P")
    # Object 1 is black here: only the index, not the colour, tells it from the background.
    mask.putpalette([0, 0, 0, 0, 0, 0])
    mask.save(path)

    assert davis.load_video(tree, NAME, ["dog"]).masks[0].sum() == expected_mask(0).sum()


def test_colour_mask_is_refused(tree):
    path = tree / "davis" / "Annotations" / "480p" / NAME / "00000.png"
    Image.new("RGBA", (WIDTH, HEIGHT)).save(path)
    with pytest.raises(ValueError, match=r"00000\.png.*RGBA"):
        davis.load_video(tree, NAME, ["dog"])


def test_mask_of_another_size_is_refused(tree):
    path = tree / "davis" / "Annotations" / "480p" / NAME / "00003.png"
    Image.new("L", (WIDTH, HEIGHT + 1)).save(path)
    with pytest.raises(ValueError, match=r"00003\.png is \(7, 8\)"):
        davis.load_video(tree, NAME, ["dog"])


def test_missing_mask_is_named_only_when_its_frame_is_read(tree):
    path = tree / "davis" / "Annotations" / "480p" / NAME / "00002.png"
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"Annotations.*00002\.png"):
        davis.load_video(tree, NAME, ["dog"])
    assert len(davis.load_video(tree, NAME, ["dog"], stride=3).frames) == 2


def test_missing_video_is_named(tree):
    with pytest.raises(FileNotFoundError, match=r"JPEGImages.480p.nowhere"):
        davis.load_video(tree, "nowhere", ["dog"])


def test_video_without_frames_is_refused(tree):
    for name in ("JPEGImages", "Annotations"):
        (tree / "davis" / name / "480p" / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no \*\.jpg in .*empty"):
        davis.load_video(tree, "empty", ["dog"])


def test_stride_below_one_is_refused(tree):
    with pytest.raises(ValueError, match="stride must be at least 1, got 0"):
        davis.load_video(tree, NAME, ["dog"], stride=0)


@pytest.mark.parametrize(
    "classes", [["zebra"], [21], [-1], [True], [1.0], [], "dog", ["dog", 12]], ids=repr
)
def test_invalid_classes_are_refused(classes):
    with pytest.raises(ValueError, match="class"):
        davis.class_ids(classes)


def test_class_ids_follow_the_voc_order():
    assert len(davis.VOC_CLASSES) == 21
    assert davis.class_ids(["background", "tvmonitor", "bird", 15]) == (0, 20, 3, 15)


def test_default_manifest_has_the_eight_videos():
    ids = {name: davis.class_ids(c) for name, c in davis.load_manifest().items()}
    assert ids == {
        "blackswan": (3,),
        "car-shadow": (7,),
        "cows": (10,),
        "dog": (12,),
        "drift-straight": (7,),
        "horsejump-high": (13, 15),
        "parkour": (15,),
        "scooter-black": (14, 15),
    }


def test_manifest_accepts_ids(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('b = [3, "dog"]\na = ["cow"]\n')
    manifest = davis.load_manifest(path)
    assert list(manifest.items()) == [("b", [3, "dog"]), ("a", ["cow"])]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dog = [", "not a TOML file"),
        ("", "names no video"),
        ('dog = "dog"', "dog must be a list"),
        ('dog = ["zebra"]', "dog: unknown class 'zebra'"),
        ("dog = []", "dog: classes must be a non-empty list"),
        ("[dog]\nclasses = [12]", "dog must be a list"),
    ],
)
def test_broken_manifest_is_refused_by_name(tmp_path, text, message):
    path = tmp_path / "broken.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"broken.toml.*{message}"):
        davis.load_manifest(path)


def test_missing_manifest_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.toml"):
        davis.load_manifest(tmp_path / "absent.toml")


def test_data_root_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("DITTA_DATA", str(tmp_path))
    assert davis.data_root() == tmp_path
    monkeypatch.setenv("DITTA_DATA", str(tmp_path / "absent"))
    with pytest.raises(FileNotFoundError, match=r"absent; set DITTA_DATA"):
        davis.data_root()


def test_data_root_defaults_to_the_sibling_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("DITTA_DATA", raising=False)
    monkeypatch.setattr(davis, "__file__", str(tmp_path / "repo" / "benchmarks" / "davis.py"))
    with pytest.raises(FileNotFoundError, match="shared"):
        davis.data_root()
    (tmp_path / "shared" / "data").mkdir(parents=True)
    assert davis.data_root() == tmp_path / "shared" / "data"


def test_prepare_normalises_each_channel():
    frame = np.full((4, 5, 3), (255, 0, 51), np.uint8)
    image = davis.prepare(frame, size=None)
    assert image.dtype == torch.float32
    assert image.shape == (1, 3, 4, 5)
    expected = torch.tensor([(1 - 0.485) / 0.229, -0.456 / 0.224, (0.2 - 0.406) / 0.225])
    torch.testing.assert_close(image[0, :, 2, 3], expected)


def test_prepare_resizes_with_anti_aliasing():
    # Columns alternate black and white: plain bilinear sampling would keep one of them.
    frame = np.zeros((8, 64, 3), np.uint8)
    frame[:, ::2] = 255
    image = davis.prepare(frame, size=(4, 8))
    assert image.shape == (1, 3, 4, 8)
    grey = (0.5 - 0.485) / 0.229
    assert (image[0, 0, :, 1:-1] - grey).abs().max() < 0.05


@pytest.mark.parametrize(
    "frame",
    [np.zeros((4, 5), np.uint8), np.zeros((3, 4, 5), np.uint8), np.zeros((4, 5, 3), np.float32)],
)
def test_prepare_refuses_other_arrays(frame):
    with pytest.raises(ValueError, match=r"frame must be \(H, W, 3\) uint8"):
        davis.prepare(frame)


def test_real_video_is_complete():
    try:
        root = davis.data_root()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    video = davis.load_video(root, "car-shadow", davis.load_manifest()["car-shadow"], stride=3)
    assert len(video.frames) == 14
    assert {f.shape for f in video.frames} == {(480, 854, 3)}
    assert all(0 < m.mean() < 0.5 for m in video.masks)
