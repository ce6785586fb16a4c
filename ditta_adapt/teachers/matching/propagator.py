"""Opens sessions that match every frame with those before."""

from collections.abc import Sequence

from ditta_adapt.errors import InputError
from ditta_adapt.io.frames import Frame
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.teachers.base_propagator import BasePropagator
from ditta_adapt.teachers.matching.backbone import BackboneFeatures
from ditta_adapt.teachers.matching.features import (
    FeatureNetwork,
    SegmenterFeatures,
    check_features,
)
from ditta_adapt.teachers.matching.session import MatchingSession
from ditta_adapt.teachers.matching.training import MatchingInTraining
from ditta_adapt.teachers.matching.video import MatchingVideo, Trained


class MatchingPropagator(BasePropagator[MatchingVideo, MatchingSession]):
    """Follows objects by how their pixels look, without weights of its own.

    Each cell of a new frame gets the mask of the remembered cells that look most like it: of the
    frame where an object began, of every k-th one, and of the last; see `Memory`. Unlike flow it
    finds what was hidden again. Objects start from the prompt's region, not from its point, and
    share the pixels of a frame. Any map is warped by the same matches (`DenseWarper`).

    What places look like, the frozen encoder of the wrapped segmenter says (`wrap` calls `bind`),
    or a network of your own.

    Memory: keys of at most 32 frames and `most` remembered ones, each at most 128 float32 a cell.

    Args:
        features: any network, see `FeatureNetwork`; by default the segmenter's, once bound.
        cells: of the longer side of the grid that is matched; 8 to 512. Time grows as its fourth
            power.
        top_k: how many remembered cells count.
        temperature: of the softmax over them; squared distances are 4 at most.
        every: which frames are remembered beside those where objects began, and the last.
        most: how many frames are remembered at most, 3 or more.

    Raises:
        InputError: an argument out of range.

    Source: Cheng et al., "Rethinking Space-Time Networks with Improved Memory Coverage" (STCN),
    NeurIPS 2021, with features that were not trained for it.
    """

    def __init__(
        self,
        features: FeatureNetwork | None = None,
        *,
        cells: int = 80,
        top_k: int = 10,
        temperature: float = 0.1,
        every: int = 5,
        most: int = 8,
    ) -> None:
        super().__init__()
        if features is not None:
            check_features(features)
        if not (8 <= cells <= 512 and top_k >= 1 and temperature > 0 and every >= 1 and most >= 3):
            raise InputError(
                f"cells is {cells}, top_k {top_k}, temperature {temperature}, every {every}, most "
                f"{most}; expected 8 to 512, at least 1, above 0, at least 1, at least 3."
            )
        self.features, self.cells = features, cells
        self.top_k, self.temperature = top_k, temperature
        self.every, self.most = every, most
        self._own: FeatureNetwork | None = None
        self._trained: Trained | None = None

    @classmethod
    def from_pretrained(cls, checkpoint: str) -> "MatchingPropagator":
        """One that compares the features of a backbone of transformers; see `BackboneFeatures`."""
        return cls(BackboneFeatures(checkpoint))

    def bind(self, segmenter: Segmenter) -> None:
        """Take features from the frozen encoder of a segmenter, unless others were given."""
        self._own = SegmenterFeatures(segmenter)

    def training_copy(self, frames: Sequence[Frame]) -> MatchingInTraining:
        """See `TrainablePropagator`."""
        return MatchingInTraining(self._watch(frames), self.top_k)

    def trained(self, network: MatchingInTraining) -> "MatchingPropagator":
        """See `TrainablePropagator`. What was learned holds for videos of the same features."""
        other = MatchingPropagator(
            self.features,
            cells=self.cells,
            top_k=self.top_k,
            temperature=self.temperature,
            every=self.every,
            most=self.most,
        )
        other._own, other._trained = self._own, network.result
        return other

    def _watch(self, frames: Sequence[Frame]) -> MatchingVideo:
        features = self.features or self._own
        if features is None:
            raise InputError(
                "there are no features to match; expected MatchingPropagator(features=...), or "
                "bind(segmenter), which wrap(model, propagator=...) does."
            )
        return MatchingVideo(
            frames,
            features,
            cells=self.cells,
            top_k=self.top_k,
            temperature=self.temperature,
            trained=self._trained,
        )

    def _session(self, video: MatchingVideo) -> MatchingSession:
        return MatchingSession(video, every=self.every, most=self.most, top_k=self.top_k)
