"""Where `Sam2TransformersPropagator` takes its model from, and what it refuses."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import nn

from ditta_adapt import (
    AdaptConfig,
    DittaError,
    Frame,
    InputError,
    MaskVote,
    MissingDependencyError,
    PropagationError,
    ShapeError,
    Training,
    wrap,
)
from ditta_adapt.adapters.sam2_transformers import Sam2TransformersPropagator
from tests.adapters.sam2_video_models import (
    KINDS,
    SIZE,
    Reference,
    config_of,
    counted_features,
    follow,
    prompts_of,
    small_model,
)
from tests.toys import toy_segmenter, toy_video

pytestmark = pytest.mark.filterwarnings("ignore:the .*Model was not loaded by from_pretrained")


def test_nothing_is_imported_or_loaded_before_open() -> None:
    program = (
        "import sys; from ditta_adapt.adapters import optical_flow, sam2, sam2_transformers;"
        "sam2_transformers.Sam2TransformersPropagator();"
        "assert not {'cv2', 'sam2', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_default_checkpoint_is_loaded_by_the_first_open(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def from_pretrained(name: str, **options: object) -> tuple[Any, dict[str, set[str]]]:
        asked.append(name)
        return small_model(), {"missing_keys": set()}

    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", from_pretrained)
    teacher = Sam2TransformersPropagator(device="cpu")
    frames = toy_video(2, SIZE)
    assert asked == []
    for _ in range(2):
        with teacher.open(frames) as session:
            session.prompt(0, prompts_of((3, 4)))
    assert asked == ["facebook/sam2.1-hiera-large"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("error")
def test_loads_a_folder(kind: str, tmp_path: Path) -> None:
    model, frames = small_model(kind), toy_video(4, SIZE)
    model.save_pretrained(tmp_path)
    reference = Reference(model, frames)
    reference.prompt(0, prompts_of((3, 4)))
    expected = reference.follow(0)
    teacher = Sam2TransformersPropagator(checkpoint=tmp_path, device="cpu")
    with teacher.open(frames) as session:
        found = follow(session, range(4), prompts_of((3, 4)))
    assert type(teacher.model) is type(model)
    assert all(torch.equal(found[t].masks, expected[t]) for t in expected)
    # It was loaded from somewhere: no warning, here an error.
    Sam2TransformersPropagator(teacher.model)


def open_folder(folder: Path) -> None:
    with Sam2TransformersPropagator(checkpoint=folder).open(toy_video(1, SIZE)):
        raise AssertionError("opened")


def test_checkpoints_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(PropagationError, match=r"none.* could not be loaded: .*pass the folder"):
        open_folder(tmp_path / "none")
    other = transformers.SegformerConfig(hidden_sizes=[8, 8, 8, 8], depths=[1] * 4)
    transformers.SegformerModel(other).save_pretrained(tmp_path / "other")
    with pytest.raises(InputError, match="SegformerModel; expected one of Sam2VideoModel"):
        open_folder(tmp_path / "other")
    small_model().save_pretrained(tmp_path / "small")
    weights = tmp_path / "small" / "model.safetensors"
    state = load_file(weights)
    name = "memory_encoder.projection.weight"
    save_file({**state, name: state[name][:-1].contiguous()}, weights, {"format": "pt"})
    with pytest.raises(PropagationError, match="could not be loaded"):
        open_folder(tmp_path / "small")
    del state[name]
    save_file(state, weights, {"format": "pt"})
    with pytest.raises(PropagationError, match=rf"lacks 1 weights, such as {name}"):
        open_folder(tmp_path / "small")
    # As a clone without git-lfs has it.
    weights.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(PropagationError, match="could not be loaded"):
        open_folder(tmp_path / "small")


def test_missing_libraries_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def from_pretrained(name: str, **options: object) -> None:
        raise ImportError("TimmWrapperModel requires the timm library")

    frames = toy_video(1, SIZE)
    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", from_pretrained)
    with (
        pytest.raises(MissingDependencyError, match="requires the timm library"),
        Sam2TransformersPropagator().open(frames),
    ):
        pass
    monkeypatch.setitem(sys.modules, "transformers", None)
    with (
        pytest.raises(MissingDependencyError, match=r"pip install 'ditta-adapt\[hf\]'"),
        Sam2TransformersPropagator().open(frames),
    ):
        pass


def test_models_that_cannot_be_used() -> None:
    for model in (nn.Linear(1, 1), "facebook/sam2.1-hiera-large"):
        with pytest.raises(InputError, match=r"expected one of .*goes to checkpoint="):
            Sam2TransformersPropagator(model)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"dtype is torch.float16; expected"):
        Sam2TransformersPropagator(dtype=torch.float16)
    config = config_of("Sam2Video")
    config.image_size = 128
    model = transformers.Sam2VideoModel(config)
    with pytest.raises(InputError, match=r"image_size is 128 but .*image_size is 64; expected 128"):
        Sam2TransformersPropagator(model)


def test_a_model_that_was_not_loaded_is_warned_of() -> None:
    with pytest.warns(UserWarning, match="Sam2VideoModel was not loaded by from_pre"):
        Sam2TransformersPropagator(small_model())


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda s: s.propagate(0, 2), PropagationError, "expected neighbours"),
        (lambda s: s.propagate(0, 0), PropagationError, "expected neighbours"),
        (lambda s: s.propagate(0, -1), PropagationError, "no frame -1"),
        (lambda s: s.propagate(1, 2), PropagationError, "on frame 0, not 1"),
        (lambda s: s.prompt(3, prompts_of((3, 4), first_id=2)), PropagationError, "no frame 3"),
        (lambda s: s.prompt(1, prompts_of((3, 4), first_id=2)), PropagationError, "on frame 0"),
        (lambda s: s.prompt(0, prompts_of((3, 4))), PropagationError, "1 was prompted already"),
        (lambda s: s.prompt(0, 2 * prompts_of((3, 4), first_id=2)), PropagationError, "2 was pro"),
        (lambda s: s.prompt(0, prompts_of((50, 4), first_id=2)), InputError, "of object 2 is out"),
        (lambda s: s.prompt(0, prompts_of((0, -1), first_id=2)), InputError, "is outside the fra"),
    ],
)
def test_wrong_calls_are_refused_and_change_nothing(
    use: Any, error: type[DittaError], message: str
) -> None:
    with Sam2TransformersPropagator(small_model()).open(toy_video(3, SIZE)) as session:
        before = session.prompt(0, prompts_of((3, 4)))
        with pytest.raises(error, match=message):
            use(session)
        after = session.prompt(0, [])
        assert after.object_ids.tolist() == [1]
        assert torch.equal(after.masks, before.masks)
        assert session.propagate(0, 1).object_ids.tolist() == [1]


def test_frames_that_cannot_be_used() -> None:
    teacher = Sam2TransformersPropagator(small_model())
    with pytest.raises(InputError, match="no frames"), teacher.open([]):
        pass
    frames: list[Frame] = [*toy_video(1, SIZE), *toy_video(1, (30, 30))]
    with teacher.open(frames) as session:
        session.prompt(0, prompts_of((3, 4)))
        with pytest.raises(
            ShapeError, match=r"frame 1 is \(30, 30\) \(H, W\) but the video is \(37"
        ):
            session.propagate(0, 1)


def test_teaches_a_segmenter() -> None:
    model, frames = small_model(), toy_video(4)
    config = AdaptConfig(targets=MaskVote(prompt_threshold=0.0), training=Training(passes=1))
    video = wrap(toy_segmenter(), propagator=Sam2TransformersPropagator(model), config=config)
    with counted_features(model) as passes:
        report = video.adapt(frames)
    assert passes == [1] * 4
    assert sum(report.classes.values()) > 0
    assert video(frames[0]).shape == frames[0].shape[:2]
