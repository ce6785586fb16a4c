"""What training programs put around a model, with the real wrappers, is taken off."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from ditta_adapt import HookedSegmenter, UnknownModelError, wrap
from ditta_adapt.adapters.segformer import SegformerSegmenter
from ditta_adapt.models import unwrap
from tests.toys import ToyNet, toy_segmenter, toy_video

FRAMES = toy_video(4, size=(40, 56))

# Of torch's own compiler, and of peft about transformers.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning"),
]


def segformer() -> SegformerForSemanticSegmentation:
    torch.manual_seed(0)
    config = SegformerConfig(
        num_labels=3,
        hidden_sizes=[8, 16, 24, 32],
        num_attention_heads=[1, 1, 2, 4],
        depths=[1, 1, 1, 1],
        decoder_hidden_size=16,
    )
    return SegformerForSemanticSegmentation(config).eval()


@contextmanager
def process_group(folder: Path) -> Iterator[None]:
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=0, world_size=1
    )
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def averaged(model: nn.Module) -> nn.Module:
    return torch.optim.swa_utils.AveragedModel(model)


WRAPPERS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "parallel": nn.DataParallel,
    "averaged": averaged,
    "compiled": torch.compile,
    "compiled, parallel": lambda model: torch.compile(nn.DataParallel(model)),
}


@pytest.mark.parametrize("around", WRAPPERS.values(), ids=WRAPPERS.keys())
def test_a_wrapped_model_is_the_model(around: Callable[[nn.Module], nn.Module]) -> None:
    model = segformer()
    plain, wrapped = wrap(model), wrap(around(model))
    assert isinstance(wrapped.segmenter, SegformerSegmenter)
    assert plain.adapt(FRAMES[:3]).losses == wrapped.adapt(FRAMES[:3]).losses
    assert torch.equal(plain(FRAMES[3]), wrapped(FRAMES[3]))


def test_distributed(tmp_path: Path) -> None:
    model = segformer()
    with process_group(tmp_path):
        video_model = wrap(nn.parallel.DistributedDataParallel(model))
        video_model.adapt(FRAMES[:3])
    assert video_model.segmenter.model is model  # type: ignore[attr-defined]


def test_a_model_compiled_in_place() -> None:
    model = segformer()
    expected = wrap(segformer())(FRAMES[0])
    model.compile()
    assert torch.equal(wrap(model)(FRAMES[0]), expected)


def test_adapters_and_hooks_take_it_off_too() -> None:
    model = ToyNet().eval()
    hooked = HookedSegmenter(nn.DataParallel(model), decoder="decoder", features="input:decoder.4")
    assert hooked.model is model
    inner = segformer()
    assert SegformerSegmenter(nn.DataParallel(inner)).model is inner  # type: ignore[arg-type]


def test_a_segmenter_that_is_a_module_itself() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = toy_segmenter().model
            segmenter = toy_segmenter()
            self.preprocess, self.encode = segmenter.preprocess, segmenter.encode
            self.decode, self.adaptable_modules = segmenter.decode, segmenter.adaptable_modules
            self.num_classes, self.feature_dim = segmenter.num_classes, segmenter.feature_dim

    both = Both()
    assert wrap(nn.DataParallel(both)).segmenter is both


class TestPeft:
    """LoRA runs as before; the decoder is adapted with the adapters in it, the encoder is not."""

    @staticmethod
    def tuned() -> nn.Module:
        peft = pytest.importorskip("peft")
        torch.manual_seed(1)
        model = peft.get_peft_model(
            segformer(),
            peft.LoraConfig(
                r=2,
                target_modules=["q_proj", "v_proj", "linear_fuse"],
                modules_to_save=["classifier"],
                init_lora_weights=False,  # So that they change what the model says.
            ),
        )
        return model.eval()

    def test_its_adapters_run(self) -> None:
        model = self.tuned()
        video_model = wrap(model)
        with torch.no_grad():
            images = video_model.segmenter.preprocess(
                torch.from_numpy(FRAMES[0]).permute(2, 0, 1)[None]
            )
            expected = model(images).logits
            with model.disable_adapter():
                assert not torch.equal(model(images).logits, expected)
        found = video_model.predict(FRAMES[0])
        resized = nn.functional.interpolate(expected, FRAMES[0].shape[:2], mode="bilinear")
        torch.testing.assert_close(found.probabilities, resized.softmax(1)[0])

    def test_the_decoder_is_adapted_and_the_model_as_it_was(self) -> None:
        model = self.tuned()
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        grads = [parameter.requires_grad for parameter in model.parameters()]
        video_model = wrap(model)
        report = video_model.adapt(FRAMES[:3])
        assert report.losses
        assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
        assert grads == [parameter.requires_grad for parameter in model.parameters()]
        assert list(video_model.segmenter.adaptable_modules()) == ["decode_head"]


def test_mixed_adapters_of_peft() -> None:
    peft = pytest.importorskip("peft")
    model = segformer()
    mixed = peft.get_peft_model(model, peft.LoraConfig(r=2, target_modules=["q_proj"]), mixed=True)
    assert unwrap(mixed) is model
    assert torch.is_tensor(wrap(mixed)(FRAMES[0]))


def test_without_peft_nothing_of_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    assert torch.is_tensor(wrap(segformer())(FRAMES[0]))


def test_models_without_weights_or_parts_of_their_own() -> None:
    scripted = torch.jit.ScriptModule()
    sharded = type("FullyShardedDataParallel", (nn.Module,), {"__module__": "torch.distributed"})()
    exported = torch.export.export(nn.Conv2d(3, 3, 1), (torch.zeros(1, 3, 4, 4),))
    for model, words in (
        (scripted, "scripted or traced"),
        (sharded, "FullyShardedDataParallel"),
        (exported, "exported program"),
    ):
        with pytest.raises(UnknownModelError, match=words):
            wrap(model)


@pytest.mark.parametrize("thing", [None, 3, "model", torch.zeros(2), nn.Identity()])
def test_what_is_no_wrapper_stays(thing: object) -> None:
    assert unwrap(thing) is thing


def test_a_class_that_only_has_the_name() -> None:
    class DataParallel(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images

    mine = DataParallel()
    assert unwrap(mine) is mine
