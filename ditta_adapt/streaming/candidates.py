"""Who may speak on a frame, and what each would say."""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from ditta_adapt.config import AdaptConfig, AttentionAddon, WarpedVotes
from ditta_adapt.models.segmenter import SegmenterOutput
from ditta_adapt.ops.soft_votes import soft_votes
from ditta_adapt.safety.judge import Judge, Speaker
from ditta_adapt.streaming.carried import Said
from ditta_adapt.streaming.memory import update_memory
from ditta_adapt.streaming.prediction import Evidence, predict_labels
from ditta_adapt.training.addon import TemporalAddon


@dataclass(frozen=True, slots=True)
class Candidates:
    """What is known of a frame apart from its decoding.

    Attributes:
        config: of the adaptation.
        memory: what is remembered, decided.
        addon: attention to the frame before, of the adapted model.
        past: votes of the frames before, warped to this one.
        before: output of the frame before.
        fuse: whether the past counts.
    """

    config: AdaptConfig
    memory: WarpedVotes | AttentionAddon | None
    addon: TemporalAddon | None
    past: Float[Tensor, "C h w"] | None
    before: SegmenterOutput | None
    fuse: bool

    def all_say(
        self,
        judge: Judge | None,
        output_of: Callable[[Speaker], SegmenterOutput],
        looked: Float[Tensor, "C h w"] | None = None,
    ) -> Said | None:
        """Labels of the frame by everybody who is judged; none where nobody is.

        Args:
            judge: whose candidates are asked, besides the image model.
            output_of: the decoding of each.
            looked: see `evidence`.
        """
        if judge is None or not judge.opinions:
            return None
        names: tuple[Speaker, ...] = ("image model", *judge.opinions)
        outputs = {name: output_of(name) for name in names}
        height, width = outputs["image model"].logits.shape[2:]
        return {
            name: predict_labels(self.evidence(name, output, (height, width), looked))
            for name, output in outputs.items()
        }

    def evidence(
        self,
        speaker: Speaker,
        output: SegmenterOutput,
        size: tuple[int, int],
        looked: Float[Tensor, "C h w"] | None = None,
    ) -> Evidence:
        """All that speaks for the classes of the frame, by one candidate.

        Args:
            speaker: the candidate.
            output: of its decoder.
            size: `(H, W)` that labels are wanted at.
            looked: votes of a second look at the frame, which who remembers is told of.
        """
        fused = self.fuse and speaker != "image model"
        votes = second = None
        if fused and isinstance(self.memory, WarpedVotes):
            votes = update_memory(self.past, soft_votes(output.logits), looked)
        elif fused and self.addon is not None and self.before is not None:
            second = self.addon(output.features, self.before.features, self.before.logits)
        attention = self.memory if isinstance(self.memory, AttentionAddon) else None
        return Evidence(
            size=size,
            logits=output.logits,
            addon_logits=second,
            votes=votes,
            normalizer=self.config.reliability_normalizer,
            threshold=attention.fusion_threshold if attention is not None else 0.0,
        )
