"""Opens sessions of SAM 2, with a predictor of the `sam2` package."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ditta_adapt import Frame, InputError
from ditta_adapt.adapters.sam2.features import ImageFeatures
from ditta_adapt.adapters.sam2.loading import DEFAULT_HUB_ID, check_source, load_predictor
from ditta_adapt.adapters.sam2.session import SAM2Session
from ditta_adapt.teachers import BasePropagator


class SAM2Propagator(BasePropagator[ImageFeatures, SAM2Session]):
    """Follows each object from one positive click, with the `SAM2VideoPredictor` of sam2 1.1.

    With no argument it loads `hub_id` when it is first used. Give a predictor, or `config` with
    `checkpoint`, or another `hub_id`. Runs in bfloat16 autocast on CUDA, else in float32. Takes
    the prompt's point, not its region, unless told otherwise. The session shows the model's image
    features (`FeatureSource`), of the level its memory works on; sessions on the same frames share
    them.

    Args:
        predictor: built, in eval mode; used as it is, and moved only if `device` is given.
        config: name of a config of the package, `"configs/sam2.1/sam2.1_hiera_l.yaml"`.
        checkpoint: file with the weights for that config.
        hub_id: model on the Hugging Face hub.
        device: where to run; CUDA if there is one, unless a predictor is given.
        cached_frames: how many frames' image features are kept for all sessions open on the same
            frames; a published model's take 17 MB a frame in float32.
        mask_prompts: start objects from the prompt's region, as a mask, instead of its point.

    Raises:
        MissingDependencyError: sam2, or what it needs, is not installed.
        InputError: arguments that do not go together, an unknown hub id, no such file; or, when it
            is first opened, a checkpoint that does not fit the config.
        PropagationError: when it is first opened, the model could not be fetched from the hub.
    """

    def __init__(
        self,
        predictor: Any = None,
        *,
        config: str | None = None,
        checkpoint: str | Path | None = None,
        hub_id: str = DEFAULT_HUB_ID,
        device: str | torch.device | None = None,
        cached_frames: int = 64,
        mask_prompts: bool = False,
    ) -> None:
        super().__init__()
        if cached_frames < 1:
            raise InputError(f"cached_frames is {cached_frames}; expected at least 1.")
        check_source(predictor, config, checkpoint, hub_id)
        if predictor is not None and device is not None:
            predictor = predictor.to(device)
        self.predictor = predictor
        self.cached_frames = cached_frames
        self.mask_prompts = mask_prompts
        self._source = (config, checkpoint, hub_id, device)

    @classmethod
    def from_pretrained(cls, hub_id: str) -> "SAM2Propagator":
        """One whose weights come from the hub, when they are first needed."""
        return cls(hub_id=hub_id)

    def _watch(self, frames: Sequence[Frame]) -> ImageFeatures:
        if self.predictor is None:
            self.predictor = load_predictor(*self._source)
        return ImageFeatures(frames, self.predictor, self.cached_frames)

    def _session(self, video: ImageFeatures) -> SAM2Session:
        return SAM2Session(video, self.mask_prompts)
