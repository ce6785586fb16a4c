"""OCRNet, and other models of mmsegmentation, as segmenters."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from ditta_adapt import HookedSegmenter, InputError
from ditta_adapt.models import carried_preprocessing, unwrap


class OCRNetSegmenter(HookedSegmenter):
    """OCRNet in two layouts: mmsegmentation's, and that of the authors' programs.

    * mmsegmentation: any cascade or plain `EncoderDecoder`, OCRNet's among them. Backbone and neck
      are frozen, the decode heads are adapted. It is run as the library's own `inference` does:
      with a sliding window if `test_cfg` says so, its logits resized as it does.
    * the authors': a module with `aux_head`, `ocr_gather_head`, `ocr_distri_head` and `cls_head`.
      What runs before the `aux_head` is frozen.

    Features are what enters the last classifier. Models are recognised by their attributes: neither
    mmcv nor mmseg is imported. Padding that a `data_preprocessor` adds is left out.

    Args:
        model: the model; kept as `.model`, without what is wrapped around it (`DataParallel`
            and the like).
        processor: what images are prepared with, see `wrap`. By default the model's
            `data_preprocessor` says whether and how to normalise; without one, ImageNet's.
        mean: of the normalisation, RGB in [0, 1] units, in place of a processor.
        std: likewise; give both or neither.
        bgr: whether the model takes BGR images. By default so if its `data_preprocessor` does
            not swap channels (mmsegmentation reads images as BGR); without one, RGB.
        threshold: probability above which a pixel is of the class, of a model with a single one;
            that of its head by default.

    Raises:
        InputError: neither layout; `mean` without `std` or the other way round.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        processor: Any = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        bgr: bool | None = None,
        threshold: float | None = None,
    ) -> None:
        model = unwrap(model)
        if (mean is None) != (std is None):
            raise InputError("mean and std belong together; give both or neither.")
        options: dict[str, Any]
        if _is_mmseg(model):
            frozen = [name for name in ("backbone", "neck") if getattr(model, name, None)]
            sliding = _mode(model) != "whole"
            options = {"frozen": frozen, "call": _inference, "calls_vary": sliding}
            threshold = threshold or getattr(_last_head(model), "threshold", None)
        elif all(hasattr(model, name) for name in _OCR_PARTS):
            options = {"start": "aux_head"}
        else:
            raise InputError(
                f"{type(model).__name__} has neither extract_feat and decode_head, as in "
                f"mmsegmentation, nor all of {_OCR_PARTS}, as in the authors' layout."
            )
        super().__init__(
            model,
            processor=_settings(model, mean, std, bgr) or processor,
            threshold=0.5 if threshold is None else threshold,
            **options,
        )


_OCR_PARTS = ("aux_head", "ocr_gather_head", "ocr_distri_head", "cls_head")


def _is_mmseg(model: Any) -> bool:
    return hasattr(model, "extract_feat") and hasattr(model, "decode_head")


def _last_head(model: Any) -> Any:
    heads = model.decode_head
    return heads[-1] if isinstance(heads, nn.ModuleList) else heads


def _inference(model: Any, images: Tensor) -> Any:
    """Logits as mmsegmentation's own inference has them, at the size of the image."""
    size = tuple(images.shape[2:])
    about = {"ori_shape": size, "img_shape": size, "pad_shape": size, "padding_size": [0] * 4}
    run = model.encode_decode if _mode(model) == "whole" else model.inference
    return run(images, [about] * len(images))


def _mode(model: Any) -> str:
    return str((getattr(model, "test_cfg", None) or {}).get("mode", "whole"))


def _settings(
    model: Any, mean: Sequence[float] | None, std: Sequence[float] | None, bgr: bool | None
) -> dict[str, Any] | None:
    """Preprocessor settings of what is given; none if nothing is."""
    if mean is None and bgr is None:
        return None
    carried = carried_preprocessing(model).settings
    settings = carried if mean is None else {"image_mean": mean, "image_std": std}
    flip = carried.get("do_flip_channel_order", False) if bgr is None else bgr
    return {**settings, "do_flip_channel_order": flip}
