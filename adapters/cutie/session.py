"""One session of the package's `InferenceCore` on a video."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from ditta_adapt import Prompt
from ditta_adapt.adapters.cutie.loading import inference_core
from ditta_adapt.adapters.cutie.video import CutieVideo, quiet
from ditta_adapt.teachers import BaseSession


class CutieSession(BaseSession[CutieVideo]):
    """Follows all objects together; offers `FeatureSource` too."""

    def __init__(self, video: CutieVideo) -> None:
        super().__init__(video)
        store = _FeaturesOfOneFrame(video)
        self._core: Any = inference_core(video.network, video.inner, store)

    def features(self, t: int) -> Float[Tensor, "D h w"]:
        """Features of the image encoder as Cutie remembers them, of stride 16."""
        video = self._video_on(t)
        with torch.inference_mode():
            projected: Tensor = video.features(t)[1][0]
        return projected.clone().float()

    def close(self) -> None:
        """Free memories and image features; a closed session refuses to go on."""
        super().close()
        self._core = None

    def _start(self, video: CutieVideo, t: int, prompts: Sequence[Prompt]) -> Bool[Tensor, "N H W"]:
        if self._ids:
            # The memory counts steps, and on this frame there was one already.
            self._core.curr_ti -= 1
        regions = torch.stack([prompt.region.cpu() for prompt in prompts])
        # Where regions overlap, the smaller object is in front.
        order = regions.flatten(1).sum(dim=1).argsort(descending=True, stable=True)
        shown = torch.zeros(video.size, dtype=torch.int64, device="cpu")
        for index in order.tolist():
            shown[regions[index]] = index + 1
        masks = F.one_hot(shown, len(prompts) + 1).permute(2, 0, 1)[1:].bool()
        ids = [prompt.object_id for prompt in prompts]
        self._step(video, t, mask=self._on_grid(video, shown, ids), objects=ids)
        return masks

    def _follow(self, video: CutieVideo, t: int, to: int) -> Bool[Tensor, "N H W"]:
        found = self._step(video, to)
        with torch.inference_mode():
            found = F.interpolate(found[None].float(), video.size, mode="bilinear")[0]
            labels = found.argmax(dim=0).cpu()
        return torch.stack([labels == number for number in range(1, len(found))])

    def _on_grid(self, video: CutieVideo, shown: Tensor, ids: Sequence[int]) -> Tensor:
        """Object ids, by pixel of the network's image."""
        table = torch.tensor([0, *ids], device="cpu")
        inner = F.interpolate(shown[None, None].float(), video.inner, mode="nearest-exact")[0, 0]
        return table[inner.long()].to(video.network.device)

    def _step(self, video: CutieVideo, t: int, **given: Any) -> Float[Tensor, "K1 h w"]:
        self._core.image_feature_store.frame = t
        with torch.inference_mode(), quiet():
            found: Tensor = self._core.step(video.image(t), **given)
        return found


class _FeaturesOfOneFrame:
    """What `InferenceCore` takes for its store of image features; it counts steps, we frames."""

    def __init__(self, video: CutieVideo) -> None:
        self._video, self.frame = video, 0

    def get_features(self, step: int, image: Tensor) -> tuple[Any, ...]:
        return self._video.features(self.frame)[:2]

    def get_key(self, step: int, image: Tensor) -> tuple[Any, ...]:
        return self._video.features(self.frame)[2:]

    def delete(self, step: int) -> None:
        """The video frees them."""
