"""Who speaks: decided by second looks that nobody has learned yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Literal

from ditta_adapt.config import AdaptConfig, Checks, WarpedVotes
from ditta_adapt.safety.guarded_training import Trained

Speaker = Literal["image model", "memory", "adapted"]
"""The image model frame by frame; its votes with those of past frames; the adapted decoder, with
what it remembers."""

# Opinions that count; older ones are of another part of the video.
_KEPT = 8
# Opinions of most models and videos spread less than this; and how many opinions that counts for.
_SPREAD, _WEIGHT = 0.05, 2


@dataclass(frozen=True, slots=True)
class Judge:
    r"""What second looks say of each candidate, and so whose labels are given out.

    At every look each candidate's labels of that frame are compared with the look's, before the
    look is learned or remembered (progressive validation), and so are those of the frame before,
    carried along to this one: its opinion is how much better a candidate agrees with the look than
    the image model does, on average of both, see `agreement` and `hear`. A candidate is approved as
    far as

    .. math:: \bar d - z\, \frac{s}{\sqrt n}, \qquad
              s^2 = \frac{\nu s_0^2 + \sum_i (d_i - \bar d)^2}{\nu + n - 1}, \qquad
              s_0 = 0.05, \; \nu = 2

    is above 0, the mean of its last `n` opinions less `z` standard errors: looks that contradict
    each other say little. So do a few that agree, which may be chance: until opinions show how far
    they spread, `s_0` is taken for it, with the weight of `nu` of them. One alone approves of
    nothing. The candidate that is approved most speaks; the image model where none is.

    Attributes:
        checks: `z` is its `standard_errors`.
        opinions: of every candidate but the image model, its last eight.
    """

    checks: Checks
    opinions: Mapping[Speaker, tuple[float, ...]] = field(default_factory=dict)

    def after(self, differences: Mapping[Speaker, float]) -> "Judge":
        """What is known after one more look.

        Args:
            differences: agreement of every candidate less that of the image model.
        """
        opinions = {
            name: (*self.opinions[name], differences[name])[-_KEPT:]
            if name in differences
            else self.opinions[name]
            for name in self.opinions
        }
        return replace(self, opinions=opinions)

    def approval(self, name: Speaker) -> float:
        """How far a candidate is approved; it may speak if this is above 0."""
        found = self.opinions[name]
        if not found:
            return 0.0
        if len(found) == 1:
            return min(found[0], 0.0)
        mean, count = fmean(found), len(found)
        squares = _WEIGHT * _SPREAD**2 + sum((each - mean) ** 2 for each in found)
        error: float = (squares / (_WEIGHT + count - 1) / count) ** 0.5
        return mean - self.checks.standard_errors * error

    @property
    def speaker(self) -> Speaker:
        """Whose labels are given out."""
        best = max(self.opinions, key=self.approval, default=None)
        return best if best is not None and self.approval(best) > 0 else "image model"

    def without(self, name: Speaker) -> "Judge":
        """The judge of all candidates but one."""
        return replace(self, opinions={k: v for k, v in self.opinions.items() if k != name})

    def forgetting(self) -> "Judge":
        """The same candidates without any opinion, as after a cut."""
        return replace(self, opinions=dict.fromkeys(self.opinions, ()))


def judge_of(trained: Trained, config: AdaptConfig, *, looked: bool) -> Judge | None:
    """The judge of what came of the warm-up; none where nothing is checked, or nobody can look.

    Args:
        trained: whether there is an adapted decoder to be judged.
        config: with nothing left to `"auto"`.
        looked: whether the model can look a second time.
    """
    if not looked or not isinstance(config.safety, Checks):
        return None
    names: list[Speaker] = ["memory"] if isinstance(config.memory, WarpedVotes) else []
    if trained.adapted:
        names.append("adapted")
    return Judge(config.safety, dict.fromkeys(names, ()))
