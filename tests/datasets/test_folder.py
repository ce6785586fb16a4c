from pathlib import Path

import pytest

from ditta_adapt import InputError
from ditta_adapt.datasets import open_dataset
from tests.datasets.trees import frame, number_of, save, write


def test_one_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (10, 9, 1):
        save(tmp_path / "clip" / f"{number}.jpg", frame(number))
    save(tmp_path / "clip" / "results" / "1.png", frame(0))
    write(tmp_path / "clip" / "notes.txt")
    dataset = open_dataset("folder", tmp_path / "clip")
    assert (dataset.names, dataset.class_names, dataset.palette.shape) == (("clip",), (), (0, 3))
    video = dataset[0]
    assert [number_of(image) for image in video.frames] == [1, 9, 10]
    assert list(video.labels) == [None, None, None]
    monkeypatch.chdir(tmp_path / "clip")
    assert open_dataset("folder", ".").names == ("clip",)


def test_folder_of_videos(tmp_path: Path) -> None:
    for name, count in (("v10", 2), ("v9", 3)):
        for number in range(count):
            save(tmp_path / name / f"{number}.png", frame(number))
    dataset = open_dataset("folder", tmp_path)
    assert dataset.names == ("v9", "v10")
    assert [len(video.frames) for video in dataset] == [3, 2]
    with pytest.raises(IndexError):
        dataset[2]
    (tmp_path / "v11").mkdir()
    with pytest.raises(InputError, match=r"v11 holds no frame"):
        open_dataset("folder", tmp_path)[2]


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is empty; expected images"):
        open_dataset("folder", tmp_path)
    with pytest.raises(InputError, match=r"no folder .*absent"):
        open_dataset("folder", tmp_path / "absent")
