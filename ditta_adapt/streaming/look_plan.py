"""When to look a second time: early, then as seldom as the budget says."""

from dataclasses import dataclass, replace

from ditta_adapt.config import SecondLook


@dataclass(frozen=True, slots=True)
class LookPlan:
    """The looks of a stream so far; a new one after every frame.

    Attributes:
        options: which frames get a look.
        frames: streamed so far.
        scene: of these, since the last cut.
        spent: passes of the image model that looks cost so far.
        last: what the last look cost; none before the first, when the scales tell.
    """

    options: SecondLook
    frames: int = 0
    scene: int = 0
    spent: float = 0.0
    last: float | None = None

    def next(self, *, cut: bool = False) -> "LookPlan":
        """The plan at the next frame."""
        return replace(self, frames=self.frames + 1, scene=1 if cut else self.scene + 1)

    @property
    def due(self) -> bool:
        """Whether the present frame gets a look.

        It does if the first looks are due and the stream as a whole has not had more looks than
        these and the budget allow; or if the budget has saved up for one.
        """
        saved = self.options.budget * self.frames
        expected = self.last
        if expected is None:
            expected = sum(scale**2 for scale in self.options.scales)
        if self.scene in self.options.first:
            return self.spent + expected <= saved + expected * len(self.options.first)
        # A look that cost nothing saw nothing: the model takes no other size.
        return self.options.budget > 0 and 0 < expected <= saved - self.spent

    def after(self, cost: float) -> "LookPlan":
        """The plan once the present frame had a look."""
        return replace(self, spent=self.spent + cost, last=cost)
