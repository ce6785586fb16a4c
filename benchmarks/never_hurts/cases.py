"""Which network on which video under which circumstances: a fixed, seeded sample."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.davis import DEFAULT_MANIFEST

MORE_MANIFEST = Path(__file__).parents[1] / "davis_voc_more.toml"
"""Nine further videos of DAVIS 2016 and their classes, of another copy of the data set."""

DEV = (
    "blackswan",
    "car-shadow",
    "cows",
    "dog",
    "drift-straight",
    "horsejump-high",
    "parkour",
    "scooter-black",
)
"""The videos of `DEFAULT_MANIFEST`."""

MORE = (
    "boat",
    "bus",
    "car-turn",
    "dog-agility",
    "flamingo",
    "hike",
    "horsejump-low",
    "scooter-gray",
    "tennis",
)
"""The videos of `MORE_MANIFEST`."""

WIDTHS = ("espnetv2-0.5", "espnetv2-1.0", "espnetv2-1.5", "espnetv2-2.0")
GENERATED = ("unet", "dilated", "segformer")
"""Networks that know the demo's generated scenes, and videos of these."""

# Those that can be repeated bit by bit, and that leave something to be seen.
_CORRUPTIONS = ("gaussian_noise", "contrast", "defocus_blur", "motion_blur", "brightness")
_STRENGTHS = ("low", "med", "high")
_SIZES = ((256, 448), (384, 672))


@dataclass(frozen=True)
class Case:
    """One network on one video.

    Attributes:
        network: a name of `networks.build`.
        video: of DAVIS; or `scene-N`, generated.
        stride: every so many-th frame is taken.
        warmup: share of the frames, in (0, 1).
        size: `(H, W)` the network is shown.
        corruption: `name:strength`, or `""`.
        frames: at most so many are streamed.
    """

    network: str
    video: str
    stride: int = 2
    warmup: float = 0.1
    size: tuple[int, int] = _SIZES[0]
    corruption: str = ""
    frames: int = 40

    @property
    def name(self) -> str:
        """A name for files."""
        parts = [self.network, self.video, f"s{self.stride}", f"w{round(100 * self.warmup)}"]
        parts += [f"{self.size[0]}x{self.size[1]}", self.corruption.replace(":", "-") or "clean"]
        return "_".join([*parts, f"n{self.frames}"])

    @property
    def manifest(self) -> Path:
        """Where the classes of a DAVIS video are listed."""
        return DEFAULT_MANIFEST if self.video in DEV else MORE_MANIFEST


def widths() -> list[Case]:
    """All videos with all widths of one network, every second frame, 10 % warm-up."""
    return [Case(n, v, frames=1000) for n in reversed(WIDTHS) for v in (*DEV, *MORE)]


def dev() -> list[Case]:
    """The first eight videos, every frame, 10 % and 50 %."""
    shares = (0.1, 0.5)
    return [Case(WIDTHS[-1], v, stride=1, warmup=w, frames=1000) for w in shares for v in DEV]


def sample(count: int = 120, seed: int = 0) -> list[Case]:
    """A seeded sample of everything: five of six of DAVIS, two thirds clean."""
    rng = random.Random(seed)
    cases: dict[Case, None] = {}
    while len(cases) < count:
        generated = len(cases) % 6 == 5
        corruption = ""
        if len(cases) % 3 == 2:
            corruption = f"{rng.choice(_CORRUPTIONS)}:{rng.choice(_STRENGTHS)}"
        stride, warmup = rng.choice((1, 2, 3)), rng.choice((0.05, 0.1, 0.25, 0.5))
        if generated:
            network, video = rng.choice(GENERATED), f"scene-{rng.randrange(3, 40)}"
            size = (192, 320)
        else:
            network, video = rng.choice(WIDTHS), rng.choice((*DEV, *MORE))
            size = rng.choice(_SIZES)
        cases[Case(network, video, stride, warmup, size, corruption, frames=24)] = None
    return list(cases)


def scenes() -> list[Case]:
    """Networks of three families on generated videos, every second frame, 10 %, some corrupted.

    Small frames, much motion, and networks that are good at them: little to gain.
    """
    cases = []
    for k in range(16):
        spoiled = f"{_CORRUPTIONS[k % 4]}:med"
        for n, corruption in (*((n, "") for n in GENERATED), (GENERATED[k % 3], spoiled)):
            own = {"size": (192, 320), "corruption": corruption, "frames": 36}
            cases.append(Case(n, f"scene-{40 + k}", **own))
    return cases


SETS = {"sample": sample, "widths": widths, "dev": dev, "scenes": scenes}


def part_of(cases: Sequence[Case], part: int, parts: int) -> list[Case]:
    """Every `parts`-th case, from number `part` on."""
    return list(cases[part::parts])
