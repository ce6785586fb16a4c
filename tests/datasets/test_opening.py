import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from ditta_adapt import InputError
from ditta_adapt.datasets import LabelledVideo, VideoDataset, open_dataset, opening
from tests.datasets.trees import frame, save


class Own:
    name = "own"
    names = ("a", "b")
    class_names = ("sky",)
    palette = np.zeros((1, 3), np.uint8)

    def __init__(self, root: Path, *, count: int = 2) -> None:
        assert isinstance(root, Path)
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> LabelledVideo:
        return LabelledVideo(self.names[index], [frame(0)], [None])


def test_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no data set 'imagenet'; expected one of bdd, camvid, "):
        open_dataset("imagenet", tmp_path)


def test_unknown_option(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'vspw' .*\['spilt'\].*it has split"):
        open_dataset("vspw", tmp_path, spilt="val")
    with pytest.raises(InputError, match=r"it has no options"):
        open_dataset("folder", tmp_path, split="val")


@pytest.mark.parametrize("name", sorted({*opening.dataset_names()} - {"demo"}))
def test_missing_root(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"there is no f.*absent; expected"):
        open_dataset(name, tmp_path / "absent")


def test_all_are_data_sets(tmp_path: Path) -> None:
    save(tmp_path / "0.png", frame(0))
    assert isinstance(open_dataset("folder", tmp_path), VideoDataset)
    assert isinstance(Own(tmp_path), VideoDataset)
    assert not isinstance([], VideoDataset)


def test_demo() -> None:
    dataset = open_dataset("demo", ".", videos=2, frames=1)
    assert dataset.names == ("seed-3", "seed-4")
    video = dataset[1]
    assert (len(video.frames), len(video.labels)) == (1, 1)
    assert video.labels[0].max() < len(dataset.class_names) == 9
    assert not np.array_equal(video.frames[0], dataset[0].frames[0])
    with pytest.raises(InputError, match="at least 1"):
        open_dataset("demo", ".", videos=0)


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("camvid", {"num_classes": "11"}, "num_classes is '11'; expected int"),
        ("camvid", {"num_classes": 2, "void": "eleven"}, "void is 'eleven'; expected int"),
        ("vspw", {"split": 3}, "split is 3; expected str"),
        ("davis", {"year": "2016"}, "year is '2016'; expected int"),
        ("demo", {"videos": "two"}, "videos is 'two'; expected int"),
    ],
)
def test_options_of_another_type(
    tmp_path: Path, name: str, options: dict[str, object], expected: str
) -> None:
    with pytest.raises(InputError, match=expected):
        open_dataset(name, tmp_path, **options)


def test_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = f"{__name__}:Own"
    dataset = open_dataset(spec, str(tmp_path))
    assert isinstance(dataset, Own)
    assert [video.name for video in dataset] == ["a", "b"]
    with pytest.raises(InputError, match="2 names of 3 videos"):
        open_dataset(spec, tmp_path, count=3)
    with pytest.raises(InputError, match=r"\['size'\].*it has count"):
        open_dataset(spec, tmp_path, size=3)
    monkeypatch.setattr(Own, "palette", np.zeros((1, 3)))
    with pytest.raises(InputError, match=r"palette has shape \(1, 3\) and dtype float64"):
        open_dataset(spec, tmp_path)
    monkeypatch.setattr(Own, "class_names", ("x",) * 256)
    with pytest.raises(InputError, match="256 label classes"):
        open_dataset(spec, tmp_path)


def test_the_data_set_of_a_third_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint("mine", f"{__name__}:Own", opening.DATASETS)]
    monkeypatch.setattr(opening, "entry_points", lambda group: points)
    assert open_dataset("mine", tmp_path).names == ("a", "b")
    with pytest.raises(InputError, match="count is '2'; expected int"):
        open_dataset("mine", tmp_path, count="2")
    with pytest.raises(InputError, match="no data set 'vspw'; expected one of mine, or package"):
        open_dataset("vspw", tmp_path)


def test_the_built_in_names() -> None:
    expected = {"camvid", "cityscapes", "davis", "demo", "folder", "video", "vspw"}
    assert set(opening.dataset_names()) >= expected


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("no_such_module:x", "ModuleNotFoundError"),
        ("json:no_such_name", "has no 'no_such_name'"),
        ("json:", "does not name a factory"),
        (":x", "does not name a factory"),
        ("json:__name__", "is a str; expected a function or class"),
        ("pathlib:PurePath", "returned a PurePosixPath; expected a data set"),
    ],
)
def test_what_is_no_factory(tmp_path: Path, spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_dataset(spec, tmp_path)


def test_importing_imports_no_library() -> None:
    code = (
        "import sys, ditta_adapt.datasets\n"
        "assert not {'PIL', 'av', 'cv2', 'scipy', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
