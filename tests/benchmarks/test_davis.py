"""DAVIS-VOC as a data set, on a tiny tree and, where the data is there, on the real one."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import davis
from ditta_adapt import InputError

NAME = "clip"
HEIGHT, WIDTH = 6, 8


def expected_frame(index: int) -> np.ndarray:
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    frame[..., 0] = 200
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
    for index in range(5):
        Image.fromarray(expected_frame(index)).save(frames / f"{index:05d}.jpg", quality=100)
        mask = expected_mask(index).astype(np.uint8) * 255
        Image.fromarray(mask).save(masks / f"{index:05d}.png")
    (tmp_path / "own.toml").write_text(f'{NAME} = ["horse", 15]\n')
    return tmp_path


@pytest.mark.parametrize(("stride", "indices"), [(1, range(5)), (3, (0, 3)), (9, (0,))])
def test_frames_and_labels_of_every_nth(tree: Path, stride: int, indices: list[int]) -> None:
    (video,) = davis.davis_voc(tree, manifest=tree / "own.toml", stride=stride)
    assert video.name == NAME
    assert np.flatnonzero(video.relabel).tolist() == [13, 15]
    for index, frame, labels in zip(indices, video.frames, video.labels, strict=True):
        np.testing.assert_allclose(frame.astype(int), expected_frame(index), atol=4)
        np.testing.assert_array_equal(labels, expected_mask(index))


def test_root_may_be_davis_itself(tree: Path) -> None:
    dataset = davis.davis_voc(tree / "davis", manifest=tree / "own.toml")
    assert len(dataset[0].frames) == 5


@pytest.mark.parametrize("stride", [0, -1])
def test_stride_below_one_is_refused(tree: Path, stride: int) -> None:
    with pytest.raises(InputError, match=f"stride is {stride}"):
        davis.davis_voc(tree, manifest=tree / "own.toml", stride=stride)


def test_the_default_videos(tree: Path) -> None:
    """The eight of the benchmark, with their classes by number."""
    expected = {
        "blackswan": [3],
        "car-shadow": [7],
        "cows": [10],
        "dog": [12],
        "drift-straight": [7],
        "horsejump-high": [13, 15],
        "parkour": [15],
        "scooter-black": [14, 15],
    }
    for kind in ("JPEGImages", "Annotations"):
        clip = tree / "davis" / kind / "480p" / NAME
        for name in expected:
            (clip.parent / name).symlink_to(clip)
    found = {video.name: np.flatnonzero(video.relabel).tolist() for video in davis.davis_voc(tree)}
    assert found == expected
    assert len(davis.VOC_CLASSES) == 21


def test_data_root_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DITTA_DATA", str(tmp_path))
    assert davis.data_root() == tmp_path
    monkeypatch.setenv("DITTA_DATA", str(tmp_path / "absent"))
    with pytest.raises(FileNotFoundError, match=r"absent; set DITTA_DATA"):
        davis.data_root()


def test_data_root_defaults_to_the_sibling_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DITTA_DATA", raising=False)
    monkeypatch.setattr(davis, "__file__", str(tmp_path / "repo" / "benchmarks" / "davis.py"))
    with pytest.raises(FileNotFoundError, match="shared"):
        davis.data_root()
    (tmp_path / "shared" / "data").mkdir(parents=True)
    assert davis.data_root() == tmp_path / "shared" / "data"


def test_real_video_is_complete() -> None:
    try:
        root = davis.data_root()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    dataset = davis.davis_voc(root, stride=3)
    video = dataset[dataset.names.index("car-shadow")]
    assert len(video.frames) == 14
    assert {frame.shape for frame in video.frames} == {(480, 854, 3)}
    assert all(0 < np.mean(labels) < 0.5 for labels in video.labels)
