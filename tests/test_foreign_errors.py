"""Whatever is put through the public door, only errors of our own come out of it."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ditta_adapt
from ditta_adapt import (
    AdaptConfig,
    DittaError,
    HookedSegmenter,
    SegmenterError,
    SegmenterOutput,
    wrap,
)
from ditta_adapt.baselines import ImageModel, Tent, ZeroShotRefinement
from ditta_adapt.io import read_video, write_video
from tests.testing.broken_segmenters import BROKEN
from tests.toys import NUM_CLASSES, ToyNet, ToySegmenter, toy_segmenter, toy_video

pytestmark = pytest.mark.usefixtures("unchecked")

FRAMES = toy_video(4)


def use(model: Any) -> None:
    """All that a video model can do."""
    video_model = wrap(model)
    repr(video_model)
    video_model.adapt(FRAMES[:2])
    video_model(FRAMES[2])
    list(video_model.segment(FRAMES, warmup=2))


class NoCount(ToySegmenter):
    @property
    def num_classes(self) -> int:  # type: ignore[override]
        raise ValueError("mine")

    @num_classes.setter
    def num_classes(self, count: int) -> None:
        pass


class RaisesWhenCalled(ToySegmenter):
    def __init__(self, where: str) -> None:
        super().__init__(ToyNet().eval())
        self.where = where

    def preprocess(self, frames: Tensor) -> Tensor:
        return self._call("preprocess", super().preprocess, frames)

    def encode(self, images: Tensor) -> Tensor:
        return self._call("encode", super().encode, images)

    def decode(self, encoded: Tensor) -> SegmenterOutput:
        return self._call("decode", super().decode, encoded)

    def adaptable_modules(self) -> Any:
        if self.where == "adaptable_modules":
            raise KeyError("head")
        return super().adaptable_modules()

    def _call(self, name: str, function: Callable[[Any], Any], value: Any) -> Any:
        if name == self.where:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
        return function(value)


def of(change: Callable[[ToyNet], object]) -> Callable[[], ToySegmenter]:
    def build() -> ToySegmenter:
        net = ToyNet().eval()
        change(net)
        return ToySegmenter(net)

    return build


def lazy(net: ToyNet) -> None:
    net.decoder[4] = nn.LazyConv2d(NUM_CLASSES, 1)


def sparse_encoder(net: ToyNet) -> None:
    net.encoder.register_buffer("table", torch.eye(3).to_sparse())


def infinite(net: ToyNet) -> None:
    net.decoder[4].weight.data[:] = torch.inf


MODELS: dict[str, Callable[[], Any]] = {
    "nothing": lambda: None,
    "number": lambda: 3,
    "text": lambda: "model",
    "class": lambda: ToyNet,
    "segmenter class": lambda: ToySegmenter,
    "tensor": lambda: torch.zeros(3),
    "function": lambda: len,
    "no scores": lambda: nn.Linear(3, 3),
    "layer": nn.Identity,
    "no scores, parallel": lambda: nn.DataParallel(nn.Linear(3, 3)),
    "scripted": torch.jit.ScriptModule,
    "meta": of(lambda net: net.to("meta")),
    "meta encoder": of(lambda net: net.encoder.to("meta")),
    "lazy": of(lazy),
    "infinite": of(infinite),
    "state dict": lambda: ToyNet().state_dict(),
    **{
        f"{where} raises": lambda where=where: RaisesWhenCalled(where)
        for where in ("preprocess", "encode", "decode", "adaptable_modules")
    },
    "no count": lambda: NoCount(ToyNet().eval()),
    "hooked, raises": lambda: HookedSegmenter(
        nn.Sequential(nn.Linear(3, 3), nn.Linear(4, 4)), features="0", adapt="*"
    ),
    "hooked, no module": lambda: HookedSegmenter("model", features="0", adapt="*"),  # type: ignore[arg-type]
    "hooked, no such part": lambda: HookedSegmenter(ToyNet(), features="head", decoder="decoder"),
    "hooked, no parameters": lambda: HookedSegmenter(nn.ReLU(), features="", adapt="*"),
}


@pytest.mark.parametrize("name", MODELS)
def test_broken_models(name: str) -> None:
    with pytest.raises(DittaError) as caught:
        use(MODELS[name]())
    assert str(caught.value)


@pytest.mark.parametrize("name", [name for name in BROKEN if name != "raises"])
def test_broken_segmenters(name: str) -> None:
    """Those that break a rule of the conformance suite each: refused, or no harm."""
    factory, _ = BROKEN[name]
    with suppress(DittaError):
        use(factory())


def test_what_a_model_raises_is_named_and_kept() -> None:
    with pytest.raises(SegmenterError, match=r"decode .*RuntimeError: mat1 and mat2") as caught:
        use(RaisesWhenCalled("decode"))
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_running_out_of_memory_stays_what_it_is() -> None:
    """Programs catch it, to go on with less."""

    class Large(ToySegmenter):
        def decode(self, encoded: Tensor) -> SegmenterOutput:
            raise torch.OutOfMemoryError("20 GiB")

    with pytest.raises(torch.OutOfMemoryError):
        wrap(Large(ToyNet().eval()))(FRAMES[0])


def generator() -> Iterator[object]:
    yield FRAMES[0]
    yield None


BAD_FRAMES: dict[str, Any] = {
    "nothing": None,
    "number": 3,
    "text": "clip.mp4",
    "path": Path("clip.mp4"),
    "bytes": b"clip",
    "empty": [],
    "empty array": np.zeros((0, 8, 8, 3), np.uint8),
    "one frame": FRAMES[0],
    "scalar": np.zeros((), np.uint8),
    "scalar tensor": torch.zeros((), dtype=torch.uint8),
    "dictionary": {"frames": FRAMES},
    "numbers": [1, 2, 3],
    "nothings": [None],
    "words": ["a", "b"],
    "missing files": [Path("missing-1.png"), Path("missing-2.png")],
    "floats": [frame / 255 for frame in FRAMES],
    "signed": [frame.astype(np.int64) for frame in FRAMES],
    "objects": [frame.astype(object) for frame in FRAMES],
    "words in arrays": [np.full((4, 4, 3), "a")],
    "complex": [frame.astype(complex) for frame in FRAMES],
    "grey": [frame[..., 0] for frame in FRAMES],
    "alpha": [np.concatenate([frame, frame[..., :1]], axis=2) for frame in FRAMES],
    "channels first": [frame.transpose(2, 0, 1) for frame in FRAMES],
    "batches": [frame[None] for frame in FRAMES],
    "no pixel": [np.zeros((0, 4, 3), np.uint8)],
    "two sizes": [FRAMES[0], FRAMES[1][:-1]],
    "meta": [torch.zeros(8, 8, 3, dtype=torch.uint8, device="meta")],
    "sparse": [torch.zeros(8, 8, 3, dtype=torch.uint8).to_sparse()],
    "structured": [np.zeros((4, 4, 3), dtype=[("r", np.uint8)])],
    "generator": generator,
}


@pytest.mark.parametrize("name", BAD_FRAMES)
@pytest.mark.parametrize("options", [{}, {"value_range": (0, 1)}], ids=["uint8", "floats"])
def test_bad_frames(name: str, options: dict[str, Any]) -> None:
    frames = BAD_FRAMES[name]
    if name == "floats" and options:
        return
    model = wrap(toy_segmenter(), **options)
    for call in (model.adapt, lambda frames: list(model.segment(frames, warmup=2))):
        with pytest.raises(DittaError):
            call(frames() if callable(frames) else frames)
    for method in (ImageModel(toy_segmenter()), Tent.original(toy_segmenter(), seed=0)):
        with pytest.raises(DittaError):
            method.adapt(frames() if callable(frames) else frames)
    assert model.report is None


@pytest.mark.parametrize("name", BAD_FRAMES)
def test_one_bad_frame(name: str) -> None:
    frame = BAD_FRAMES[name]
    if name == "one frame":
        return
    model = wrap(toy_segmenter())
    for call in (model, model.predict, ImageModel(toy_segmenter())):
        with pytest.raises(DittaError):
            call(frame() if callable(frame) else frame)


@pytest.mark.parametrize(
    "options",
    [
        {"config": "paper"},
        {"config": {"seed": 3}},
        {"config": AdaptConfig},
        {"cache": 3},
        {"target_builder": 3},
        {"target_builder": None},
        {"propagator": None},
        {"propagator": "sam3"},
        {"propagator": ToyNet()},
        {"color": "grey"},
        {"value_range": 1},
    ],
    ids=str,
)
def test_bad_arguments_of_wrap(options: dict[str, Any]) -> None:
    with pytest.raises(DittaError):
        wrap(toy_segmenter(), **options)


@pytest.mark.parametrize("warmup", ["8", None, -1, 1.5, float("nan"), 0.0, [2], 1j], ids=str)
def test_bad_warmups(warmup: Any) -> None:
    with pytest.raises(DittaError):
        list(wrap(toy_segmenter()).segment(FRAMES, warmup=warmup))


@pytest.mark.parametrize("progress", [3, "bar", None])
def test_progress_that_cannot_be_called(progress: Any) -> None:
    model = wrap(toy_segmenter())
    with pytest.raises(DittaError, match="progress is"):
        model.adapt(FRAMES[:2], progress=progress)
    with pytest.raises(DittaError, match="progress is"):
        list(model.segment(FRAMES, warmup=2, progress=progress))


@pytest.mark.parametrize(
    "path", [None, 3, b"clip", "a\0b", "x" * 300, Path("file") / "clip"], ids=lambda p: repr(p)[:12]
)
def test_bad_paths(path: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("mine")
    model = wrap(toy_segmenter())
    report = model.adapt(FRAMES[:2])
    for call in (
        model.save_pretrained,
        model.load_pretrained,
        report.save,
        lambda path: list(read_video(path)),
        lambda path: write_video(path, FRAMES),
    ):
        with pytest.raises(DittaError):
            call(path)
    assert Path("file").read_text() == "mine"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_every_error_has_one_root() -> None:
    errors = [value for name, value in vars(ditta_adapt).items() if name.endswith("Error")]
    assert len(errors) > 5
    assert all(issubclass(error, DittaError) for error in errors)


def test_methods_check_what_they_are_built_from() -> None:
    for build in (
        lambda: ImageModel(None),
        lambda: Tent.original(3, seed=0),
        lambda: ZeroShotRefinement(toy_segmenter(), "sam3"),
        lambda: ZeroShotRefinement(toy_segmenter(), None),  # type: ignore[arg-type]
    ):
        with pytest.raises(DittaError):
            build()
