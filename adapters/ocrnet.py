"""OCRNet, and other models of mmsegmentation, as segmenters."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from ditta_adapt import HookedSegmenter, InputError, SegmenterOutput
from ditta_adapt.adapters._mmseg_normalisation import rgb_normalisation
from ditta_adapt.models import caught_inputs, normalise, unwrap


class OCRNetSegmenter:
    """OCRNet in two layouts: mmsegmentation's, and that of the authors' programs.

    * mmsegmentation: a `CascadeEncoderDecoder` whose last head is an `OCRHead`, and just as well
      any cascade or plain `EncoderDecoder` whose last head ends in `conv_seg`. Backbone and neck
      are frozen; `decode_head` is adapted, in a cascade with the heads before the last.
    * the authors': a module with `aux_head`, `conv3x3_ocr` (or `conv3x3`), `ocr_gather_head`,
      `ocr_distri_head` and `cls_head`. These are adapted; what runs before them is frozen.

    Features are what enters the last classifier, before its dropout; logits are on the same
    grid. What the model does after its head (resizing the logits to the image) is not run.
    Models are recognised by their attributes: neither mmcv nor mmseg is imported.

    Args:
        model: the model; kept as `.model`, without what is wrapped around it (`DataParallel`
            and the like).
        mean: of the normalisation, RGB in [0, 1] units. By default the model's
            `data_preprocessor` says whether and how to normalise; without one, ImageNet's.
        std: likewise; give both or neither.
        bgr: whether the model takes BGR images. By default so if its `data_preprocessor` does
            not swap channels (mmsegmentation reads images as BGR); without one, RGB.

    Padding that a `data_preprocessor` adds is left out.

    Raises:
        InputError: neither layout; a head without `conv_seg`; one output channel (a sigmoid)
            instead of one per class; `mean` without `std` or the other way round; a sliding window
            (`test_cfg`), or logits that are resized with `align_corners`.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        bgr: bool | None = None,
    ) -> None:
        self.model: Any = unwrap(model)
        if self.num_classes < 2:
            raise InputError(
                f"the classifier of {type(self.model).__name__} has one output channel (a "
                "sigmoid); expected one per class."
            )
        _check_whole(self.model)
        settings = getattr(self.model, "data_preprocessor", None)
        self._bgr = not getattr(settings, "channel_conversion", True) if bgr is None else bgr
        self._mean, self._std = rgb_normalisation(settings, mean, std)

    @property
    def num_classes(self) -> int:
        """Number of classes `C`."""
        return int(self._classifier()[-1].out_channels)

    @property
    def feature_dim(self) -> int:
        """Number of feature channels `D`."""
        return int(self._classifier()[0].in_channels)

    def preprocess(self, frames: UInt8[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H W"]:
        """Normalise, and swap to BGR for a model that takes it."""
        images = normalise(frames.float(), self._mean, self._std)
        images = images.flip(1) if self._bgr else images
        return images.to(next(self.model.parameters()).dtype)

    def encode(self, images: Float[Tensor, "B 3 H W"]) -> Sequence[Tensor]:
        """What enters the decode heads: the output of backbone and neck."""
        features: Sequence[Tensor]
        if _is_mmseg(self.model):
            features = self.model.extract_feat(images)
        else:  # The model's own forward knows how its body joins the branches (align_corners).
            door = HookedSegmenter(self.model, decoder="aux_head", features="aux_head")
            features = door.encode(images)[0]
        return features

    def decode(self, encoded: Sequence[Tensor]) -> SegmenterOutput:
        """Run the heads in their order; the last one gives features and logits."""
        if not _is_mmseg(self.model):
            aux_head, convolution, gather, distribute, classifier = _parts(self.model)
            pixels = convolution(encoded[0])
            features = distribute(pixels, gather(pixels, aux_head(encoded[0])))
            return SegmenterOutput(features=features, logits=classifier(features))
        *heads, conv_seg = _parts(self.model)
        caught: list[Tensor] = []
        with caught_inputs(heads[-1].dropout or conv_seg) as entered:
            # Some heads use their dropout elsewhere too: its last call before conv_seg counts.
            handle = conv_seg.register_forward_pre_hook(lambda *_: caught.append(entered[-1]))
            try:
                output: Any = heads[0](encoded)
                for head in heads[1:]:
                    output = head(encoded, output)
            finally:
                handle.remove()
        # A head with auxiliary outputs gives the segmentation first.
        logits = output if isinstance(output, Tensor) else output[0]
        return SegmenterOutput(features=caught[-1], logits=logits)

    def reference(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C h w"]:
        """Logits of the model's own forward pass, of mmsegmentation's resized to the image."""
        if not _is_mmseg(self.model):
            output: Any = self.model(images)
            return output if isinstance(output, Tensor) else output[-1]
        about = [{"img_shape": images.shape[2:], "pad_shape": images.shape[2:]}] * len(images)
        logits: Tensor = self.model.encode_decode(images, about)
        return logits

    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        """The decode head(s), or the parts of OCR by their names."""
        if _is_mmseg(self.model):
            return {"decode_head": self.model.decode_head}
        return dict(zip(_OCR_PARTS, _parts(self.model), strict=True))

    def _classifier(self) -> list[nn.Conv2d]:
        return [m for m in _parts(self.model)[-1].modules() if isinstance(m, nn.Conv2d)]


_OCR_PARTS = ("aux_head", "conv3x3_ocr", "ocr_gather_head", "ocr_distri_head", "cls_head")


def _check_whole(model: Any) -> None:
    """Refuse a model of mmsegmentation that does more around its head than is run here."""
    if not _is_mmseg(model):
        return
    name, mode = type(model).__name__, (getattr(model, "test_cfg", None) or {}).get("mode", "whole")
    if mode != "whole":
        raise InputError(
            f"test_cfg of {name} has mode {mode!r}; expected 'whole', since the image is run as "
            "one. Set model.test_cfg = dict(mode='whole'), or label with the model alone."
        )
    if getattr(model, "align_corners", False):
        raise InputError(
            f"{name} resizes its logits with align_corners=True; expected False, as labels are "
            "resized here. Give a segmenter of your own whose decode resizes logits and features "
            "to the image's size."
        )


def _is_mmseg(model: Any) -> bool:
    return hasattr(model, "extract_feat") and hasattr(model, "decode_head")


def _parts(model: Any) -> list[Any]:
    """The modules of decode in the order they run; the final classifier comes last."""
    if _is_mmseg(model):
        cascade = isinstance(model.decode_head, nn.ModuleList)
        heads = list(model.decode_head) if cascade else [model.decode_head]
        if hasattr(heads[-1], "conv_seg"):
            return [*heads, heads[-1].conv_seg]
        raise InputError(
            f"{type(heads[-1]).__name__} has no conv_seg; name its parts with HookedSegmenter."
        )
    # Some programs call the convolution just conv3x3.
    own = {"conv3x3_ocr": getattr(model, "conv3x3", None)}
    parts = [getattr(model, name, own.get(name)) for name in _OCR_PARTS]
    if None not in parts:
        return parts
    raise InputError(
        f"{type(model).__name__} has neither extract_feat and decode_head, as in mmsegmentation, "
        f"nor all of {_OCR_PARTS}, as in the authors' layout."
    )
