"""Networks of mmsegmentation, with eight of its heads, as a whole and with a sliding window."""

import sys
import types
import warnings
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from benchmarks.coverage.network import Network

CLASSES = 5
NORM = {"type": "BN"}
RESNET = {"type": "ResNetV1c", "depth": 18, "num_stages": 4, "norm_cfg": NORM, "base_channels": 16}
PLAIN = {
    "in_channels": 128,
    "in_index": 3,
    "channels": 16,
    "num_classes": CLASSES,
    "norm_cfg": NORM,
}
ALL_STAGES = PLAIN | {"in_channels": [16, 32, 64, 128], "in_index": [0, 1, 2, 3]}
HEADS: dict[str, dict[str, Any] | list[dict[str, Any]]] = {
    "FCNHead": PLAIN | {"num_convs": 1},
    "PSPHead": PLAIN | {"pool_scales": (1, 2, 3, 6)},
    "ASPPHead": PLAIN | {"dilations": (1, 2, 4)},
    "UPerHead": ALL_STAGES | {"pool_scales": (1, 2, 3, 6)},
    "SegformerHead": ALL_STAGES,
    "OCRHead": [
        PLAIN | {"type": "FCNHead", "num_convs": 1},
        PLAIN | {"type": "OCRHead", "ocr_channels": 8},
    ],
    "IterativeDecodeHead": {
        "num_stages": 2,
        "kernel_update_head": [
            {
                "type": "KernelUpdateHead",
                "num_classes": CLASSES,
                "num_ffn_fcs": 2,
                "num_heads": 2,
                "num_mask_fcs": 1,
                "feedforward_channels": 32,
                "in_channels": 16,
                "out_channels": 16,
                "dropout": 0.0,
                "conv_kernel_size": 1,
                "ffn_act_cfg": {"type": "ReLU", "inplace": True},
                "with_ffn": True,
                "feat_transform_cfg": {
                    "conv_cfg": {"type": "Conv2d"},
                    "act_cfg": None,
                },
                "kernel_updator_cfg": {
                    "type": "KernelUpdator",
                    "in_channels": 16,
                    "feat_channels": 16,
                    "out_channels": 16,
                    "act_cfg": {"type": "ReLU", "inplace": True},
                    "norm_cfg": {"type": "LN"},
                },
            }
        ]
        * 2,
        "kernel_generate_head": PLAIN | {"type": "FCNHead", "num_convs": 1},
    },
    "SegmenterMaskTransformerHead": PLAIN
    | {
        "num_layers": 1,
        "num_heads": 2,
        "embed_dims": 16,
        "dropout_ratio": 0.0,
        "norm_cfg": {"type": "LN"},
    },
}


_IN_TRAIN_MODE = ("restores", "interpolates", "state_dict", "original_untouched")


def networks() -> Iterator[Network]:
    """One by one; none where mmsegmentation is not installed."""
    _make_importable()
    for head in HEADS:
        for mode in ("whole", "slide"):
            make = _maker(head, mode, False)
            known = dict.fromkeys(_IN_TRAIN_MODE, "returns all stages in train mode")
            if head != "IterativeDecodeHead":
                known = {}
            yield Network("mmseg", f"{head}, {mode}", make, inference, expected_failures=known)
    yield Network(
        "mmseg", "FCNHead, align_corners", _maker("FCNHead", "whole", True), own=inference
    )


def inference(model: nn.Module, images: Tensor) -> Tensor:
    """The logits by which mmsegmentation labels, from its own inference."""
    whole: Any = model
    size = tuple(images.shape[2:])
    about = {"ori_shape": size, "img_shape": size, "pad_shape": size, "padding_size": [0] * 4}
    scores: Tensor = whole.inference(images, [about] * len(images))
    return scores


class _NotCompiled(types.ModuleType):
    """Stands for `mmcv.ops`, which mmcv-lite lacks; no network here uses one of its operators."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def _make_importable() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mmcv

        sys.modules.setdefault("mmcv.ops", _NotCompiled("mmcv.ops"))
        import mmseg.models  # noqa: F401

        del mmcv


def _maker(head: str, mode: str, align_corners: bool) -> Any:
    def make() -> nn.Module:
        from mmengine import ConfigDict
        from mmengine.registry import init_default_scope
        from mmseg.registry import MODELS

        init_default_scope("mmseg")

        settings = HEADS[head]
        heads: Any = (
            [each | {"align_corners": align_corners} for each in settings]
            if isinstance(settings, list)
            else {"type": head, **settings}
            | ({} if head == "IterativeDecodeHead" else {"align_corners": align_corners})
        )
        window = {"mode": "slide", "crop_size": (64, 64), "stride": (48, 48)}
        config = {
            "type": "CascadeEncoderDecoder" if isinstance(heads, list) else "EncoderDecoder",
            "backbone": RESNET,
            "decode_head": heads,
            "data_preprocessor": {"type": "SegDataPreProcessor", "bgr_to_rgb": True},
            "test_cfg": ConfigDict({"mode": "whole"} if mode == "whole" else window),
        }
        if isinstance(heads, list):
            config["num_stages"] = len(heads)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model: nn.Module = MODELS.build(config)
        return model.eval()

    return make
