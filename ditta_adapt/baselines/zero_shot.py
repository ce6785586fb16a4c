"""Zero-shot refinement: the regions of the first frame, followed by a propagator for ever."""

from typing import Any

from jaxtyping import Int64, UInt8
from torch import Tensor

from ditta_adapt.baselines.arguments import check_number
from ditta_adapt.baselines.image_prediction import ImagePrediction
from ditta_adapt.baselines.painting import paint
from ditta_adapt.baselines.streamed import StreamedMethod
from ditta_adapt.ops.components import connected_components, find_components
from ditta_adapt.teachers.live_frames import LiveFrames
from ditta_adapt.teachers.live_session import LiveSession
from ditta_adapt.teachers.propagator import Prompt, Propagator


class ZeroShotRefinement(StreamedMethod):
    """Follow what the image model sees in frame 0, and paint it over its later predictions.

    The label map of frame 0 falls into 8-connected components; those under `min_area` of the image
    are dropped, the others are prompted and followed forward through the whole video. In every
    frame they are painted over the image model's own labels by ascending score, which is the
    largest class probability in the component on frame 0. What no mask covers, also because an
    object was lost, is the image model's. Objects that come later are never added.

    A prompt has the component as its region and its most confident pixel as its point. The paper
    gives SAM2 the mask; for that, build the propagator with `mask_prompts=True`, for otherwise SAM2
    starts from the point, and then its masks may reach beyond or fall short of the components.
    There is no limit on the number of objects but `min_area`; SAM2's memory grows with it.

    Args:
        model: a model of a known type, or any `Segmenter`.
        propagator: what follows objects, or the registered name of one.
        min_area: least area of a component, as a share of the image in [0, 1].

    Raises:
        InputError: an argument out of its range.

    Source: DiTTA, arXiv 2604.10950, the baseline "zero-shot SAM2"; the order of painting, the kind
    of score and frame 0 of the video, not of its evaluated part, are choices.
    """

    def __init__(
        self, model: Any, propagator: Propagator | str, *, min_area: float = 0.0005
    ) -> None:
        check_number("min_area", min_area, 0, 1)
        super().__init__(model, propagator)
        self.min_area = min_area

    def _new_stream(self) -> "_FollowedComponents":
        return _FollowedComponents(self._propagator, self.min_area)


class _FollowedComponents:
    """One video: the components of its first frame, in the order of painting."""

    def __init__(self, propagator: Propagator, min_area: float) -> None:
        self._propagator, self._min_area = propagator, min_area
        self._frames = LiveFrames()
        self._classes: list[int] = []
        self._teacher: LiveSession | None = None

    def label(
        self, frame: UInt8[Tensor, "3 H W"], prediction: ImagePrediction
    ) -> Int64[Tensor, "H W"]:
        labels = prediction.labels
        self._frames.append(frame.permute(1, 2, 0))
        if len(self._frames) == 1:
            prompts = self._prompts(prediction)
            if prompts:
                self._teacher = LiveSession(self._propagator, self._frames)
                masks = self._teacher.prompt(prompts)
        elif self._teacher is not None:
            masks = self._teacher.advance()
        if self._teacher is None:
            return labels
        return paint(labels, masks.masks.to(labels.device), self._classes)

    def close(self) -> None:
        if self._teacher is not None:
            self._teacher.close()

    def _prompts(self, prediction: ImagePrediction) -> list[Prompt]:
        numbers = connected_components(prediction.labels)
        components = find_components(
            prediction.labels, prediction.confidence, numbers, min_share=self._min_area
        )
        self._classes = [component.label for component in components]
        return [
            Prompt(object_id, component.peak, numbers == component.number)
            for object_id, component in enumerate(components, start=1)
        ]
