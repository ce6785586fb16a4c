"""DAVIS-VOC: DAVIS 2016 videos whose annotated object is of known PASCAL VOC classes.

Source: Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object
Segmentation", CVPR 2016. Class order: Everingham et al., PASCAL VOC, with background first.
"""

import os
from pathlib import Path

from ditta_adapt.datasets import LabelledVideo, VideoDataset, open_dataset
from ditta_adapt.datasets.listed import ListedDataset
from ditta_adapt.errors import InputError

DATA_VARIABLE = "DITTA_DATA"
"""Environment variable that names the data folder."""

DEFAULT_MANIFEST = Path(__file__).with_name("davis_voc.toml")
"""The eight videos of the DAVIS-VOC benchmark and their classes."""

VOC_CLASSES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
"""The 21 PASCAL VOC class names; a class's id is its position."""


def data_root() -> Path:
    """Return the folder that holds `davis/` and `weights/`.

    It is the value of the environment variable `DITTA_DATA`, else `../shared/data` relative to
    the repository's root.

    Raises:
        FileNotFoundError: that folder does not exist.
    """
    named = os.environ.get(DATA_VARIABLE)
    root = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not root.is_dir():
        raise FileNotFoundError(
            f"no data folder at {root}; set {DATA_VARIABLE} to the folder that holds davis/"
        )
    return root


def davis_voc(
    root: Path, *, manifest: str | Path = DEFAULT_MANIFEST, stride: int = 1
) -> VideoDataset:
    """DAVIS-VOC as a data set: labels are 1 on the annotated object and 0 elsewhere.

    Every video has a table `relabel` from VOC classes to these two.

    Args:
        root: the folder that holds `davis/` (see `data_root`), or that of DAVIS itself.
        manifest: a TOML file of lines `video = ["class name or id", ...]`.
        stride: 1 for all frames, 3 for every third, from the first.

    Raises:
        InputError: `stride` < 1, a file or folder is missing, or an unknown class.
    """
    if stride < 1:
        raise InputError(f"stride is {stride}; expected at least 1.")
    folder = root if (root / "JPEGImages").is_dir() else root / "davis"
    whole = open_dataset("davis", folder, classes=str(manifest), model_classes=list(VOC_CLASSES))

    def open_video(name: str) -> LabelledVideo:
        video = whole[whole.names.index(name)]
        return LabelledVideo(name, video.frames[::stride], video.labels[::stride], video.relabel)

    return ListedDataset(
        "davis-voc" if stride == 1 else f"davis-voc, stride {stride}",
        whole.names,
        open_video,
        class_names=whole.class_names,
        palette=whole.palette,
    )
