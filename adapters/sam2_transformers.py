"""SAM2 and EdgeTAM of transformers as a teacher."""

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import torch
from jaxtyping import Float
from torch import Tensor

from ditta_adapt import Frame, InputError, Masks, Prompt, PropagationError
from ditta_adapt.adapters._sam2_video_features import FrameFeatures
from ditta_adapt.adapters._sam2_video_loading import check_given, load_model, run_class_of

if TYPE_CHECKING:
    from transformers import EdgeTamVideoModel, Sam2VideoModel


class Sam2TransformersPropagator:
    """Follows objects from one positive click each, with a video model of transformers.

    Needs no torchvision and no image processor: frames are resized to the model's square input
    (bilinear, anti-aliased) and normalised here. Takes the prompt's point, not its region, unless
    told otherwise. The session shows the model's image features (`FeatureSource`), of the level
    its memory works on.

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
        InputError: `model` is no such video model, or its input sizes contradict one another.

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
        # The library keeps memories in bfloat16, which does not mix with float16.
        if dtype not in (None, torch.float32, torch.bfloat16):
            raise InputError(f"dtype is {dtype}; expected torch.float32 or torch.bfloat16.")
        self.checkpoint, self.device, self.dtype = checkpoint, device, dtype
        self.mask_prompts = mask_prompts
        self.model: Any = model
        self._features: weakref.WeakSet[FrameFeatures] = weakref.WeakSet()
        if model is not None:
            check_given(model)

    @contextmanager
    def open(self, frames: Sequence[Frame]) -> Iterator["Sam2VideoSession"]:
        """Start a session; sessions open on the same frames share their image features.

        Raises:
            MissingDependencyError: transformers, or what the checkpoint needs, is not installed.
            PropagationError: the checkpoint cannot be reached, or does not fill the model.
            InputError: no frames, or the checkpoint is of another kind of model.
        """
        features = next((known for known in self._features if known.frames is frames), None)
        if features is None:
            if self.model is None:
                self.model = load_model(self.checkpoint, self.device)
            self.model.to(self.device or self.model.device).eval()
            run_class = run_class_of(self.model)
            features = FrameFeatures(self.model, run_class, frames, self.dtype, self.mask_prompts)
            self._features.add(features)
        session = Sam2VideoSession(features)
        del features
        try:
            yield session
        finally:
            session.close()


class Sam2VideoSession:
    """Follows objects from a positive click or a mask each.

    Objects prompted in one call share an inference session of transformers, later ones get their
    own: the library would encode the memory of every object on that frame as if it had been
    clicked there, so a late object would change earlier tracks.
    """

    def __init__(self, features: FrameFeatures) -> None:
        self._features: FrameFeatures | None = features
        features.sessions += 1
        self._runs: list[Any] = []
        self._ids: list[int] = []
        self._at = 0
        self._masks = torch.zeros(0, *features.size, dtype=torch.bool)

    def prompt(self, t: int, prompts: Sequence[Prompt]) -> Masks:
        """Start new objects on frame `t`, the frame last reached."""
        features = self._alive(t)
        ids = [prompt.object_id for prompt in prompts]
        for object_id in ids:
            if (self._ids + ids).count(object_id) > 1:
                raise PropagationError(f"object {object_id} was prompted already.")
        if prompts:
            run = features.new_run(t, prompts)
            masks = features.step(run, t, reverse=False)
            self._runs.append(run)
            self._ids += ids
            self._masks, self._at = torch.cat([self._masks, masks]), t
        return self._current()

    def propagate(self, t: int, to: int) -> Masks:
        """Follow all objects to a neighbouring frame; one that is out of sight has no pixel."""
        features = self._alive(t, to)
        if abs(t - to) != 1:
            raise PropagationError(f"cannot go from frame {t} to {to}; expected neighbours.")
        masks = [features.step(run, to, reverse=to < t) for run in self._runs]
        self._masks, self._at = torch.cat([self._masks[:0], *masks]), to
        return self._current()

    def features(self, t: int) -> Float[Tensor, "D h w"]:
        """Features of the image encoder, coarsest level; the frame is squeezed to a square."""
        level = self._alive(t).at(t)[-1]
        side = isqrt(level.shape[0])
        return level.permute(1, 2, 0).view(-1, side, side).float()

    def close(self) -> None:
        """Free memories and features; a closed session refuses to go on."""
        if self._features is not None:
            self._features.sessions -= 1
        self._features = None
        self._runs = []
        self._masks = self._masks[:0].clone()

    def _current(self) -> Masks:
        return Masks(torch.tensor(self._ids, dtype=torch.int64), self._masks.clone())

    def _alive(self, t: int, *others: int) -> FrameFeatures:
        if self._features is None:
            raise PropagationError("the session is closed; open a new one.")
        for index in (t, *others):
            if not 0 <= index < len(self._features.frames):
                raise PropagationError(
                    f"there is no frame {index} of {len(self._features.frames)}."
                )
        if self._runs and t != self._at:
            raise PropagationError(
                f"the objects are on frame {self._at}, not {t}; propagate them there first."
            )
        return self._features
