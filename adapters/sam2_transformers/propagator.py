"""Opens sessions of SAM2 and EdgeTAM, with the video models of transformers."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import torch

from ditta_adapt import Frame, InputError
from ditta_adapt.adapters.sam2_transformers.features import FrameFeatures
from ditta_adapt.adapters.sam2_transformers.loading import check_given, load_model
from ditta_adapt.adapters.sam2_transformers.session import Sam2VideoSession
from ditta_adapt.adapters.sam2_transformers.training import Sam2InTraining
from ditta_adapt.teachers import BasePropagator

if TYPE_CHECKING:
    from transformers import EdgeTamVideoModel, Sam2VideoModel

SMALL: Path = Path(__file__).parents[1] / "weights" / "sam2-small"
"""The shipped SAM2: config, float16 weights and a model card."""


class Sam2TransformersPropagator(BasePropagator[FrameFeatures, Sam2VideoSession]):
    """Follows objects from one positive click each, with a video model of transformers.

    Needs no torchvision and no image processor: frames are resized to the model's square input
    (bilinear, anti-aliased) and normalised here. Takes the prompt's point, not its region, unless
    told otherwise. The session shows the model's image features (`FeatureSource`), of the level
    its memory works on; sessions on the same frames share them.

    Memory on the model's device at SAM2's own size: 5 to 11 MB an object, however long the video;
    and for image features 17 MB a frame, about half under autocast. These are kept while two
    sessions are open on the same frames, and the frames are kept too; a single one keeps the
    current frame's only.

    Args:
        model: a `Sam2VideoModel` or `EdgeTamVideoModel`; kept as `.model`, moved to `device`, and
            put in eval mode by `open`.
        checkpoint: hub id or folder, loaded by the first `open` if no model is given.
        device: where the model runs; by default where the given model is, and for a checkpoint
            the GPU if there is one.
        dtype: `torch.bfloat16` for autocast, `torch.float32` for none; by default bfloat16 on CUDA
            and float32 elsewhere. Weights keep their own.
        mask_prompts: start objects from the prompt's region, as a mask, instead of its point.

    Raises:
        InputError: `model` is no such video model, or its input sizes contradict one another; or,
            when it is first opened, the checkpoint is of another kind of model.
        MissingDependencyError: when it is first opened, transformers, or what the checkpoint
            needs, is not installed.
        PropagationError: when it is first opened, the checkpoint cannot be reached, or does not
            fill the model.

    Warns:
        UserWarning: `model` was not loaded by `from_pretrained`: its weights may be random.
    """

    def __init__(
        self,
        model: Union["Sam2VideoModel", "EdgeTamVideoModel", None] = None,
        *,
        checkpoint: str | Path = "facebook/sam2.1-hiera-large",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        mask_prompts: bool = False,
    ) -> None:
        super().__init__()
        # The library keeps memories in bfloat16, which does not mix with float16.
        if dtype not in (None, torch.float32, torch.bfloat16):
            raise InputError(f"dtype is {dtype}; expected torch.float32 or torch.bfloat16.")
        self.checkpoint, self.device, self.dtype = checkpoint, device, dtype
        self.mask_prompts = mask_prompts
        self.model: Any = model
        if model is not None:
            check_given(model)

    @classmethod
    def from_pretrained(cls, checkpoint: str | Path) -> "Sam2TransformersPropagator":
        """One whose weights are loaded from a folder or hub id, when they are first needed."""
        return cls(checkpoint=checkpoint)

    @classmethod
    def from_small(
        cls, *, device: torch.device | str | None = None, mask_prompts: bool = True
    ) -> "Sam2TransformersPropagator":
        """The SAM2 of 3 M parameters that ships with this package: no download, 6 MB.

        For demonstrations and tests. It was trained from scratch on generated clips, as its model
        card says, and follows objects less well than real SAM2 weights or optical flow; it is
        better at masks than at points, so masks are its default. For real work give `checkpoint`.
        """
        return cls(checkpoint=SMALL, device=device, mask_prompts=mask_prompts)

    def training_copy(self, frames: Sequence[Frame]) -> Sam2InTraining:
        """See `TrainablePropagator`. Training is in float32.

        Raises:
            InputError: the model is no `Sam2VideoModel`.
        """
        return Sam2InTraining(self._watch(frames).model)

    def trained(self, network: Sam2InTraining) -> "Sam2TransformersPropagator":
        """See `TrainablePropagator`."""
        with warnings.catch_warnings():
            # It was loaded from somewhere, or its user was told.
            warnings.simplefilter("ignore", UserWarning)
            return Sam2TransformersPropagator(
                network.result, dtype=self.dtype, mask_prompts=self.mask_prompts
            )

    def _watch(self, frames: Sequence[Frame]) -> FrameFeatures:
        if self.model is None:
            self.model = load_model(self.checkpoint, self.device)
        self.model.to(self.device or self.model.device).eval()
        return FrameFeatures(frames, self.model, self.dtype)

    def _session(self, video: FrameFeatures) -> Sam2VideoSession:
        return Sam2VideoSession(video, self.mask_prompts)


class EdgeTamPropagator(Sam2TransformersPropagator):
    """The same of EdgeTAM, a SAM2 for phones; by default with its published weights."""

    def __init__(self, *, checkpoint: str | Path = "yonigozlan/EdgeTAM-hf") -> None:
        super().__init__(checkpoint=checkpoint)
