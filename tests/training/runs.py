"""Short trainings on random targets."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ditta_adapt import AdaptConfig
from ditta_adapt.config import CacheBudget
from ditta_adapt.io.frames import frames_to_tensors
from ditta_adapt.models.encodings import CacheSpace, FrameCache
from ditta_adapt.models.forward import encode_frame
from ditta_adapt.models.segmenter import Encoded, Segmenter
from ditta_adapt.progress import silent
from ditta_adapt.targets.targets import IGNORE, Targets
from ditta_adapt.training.student import Student
from ditta_adapt.training.train import train_student
from tests.toys import NUM_CLASSES, toy_segmenter, toy_video

SIZE = (12, 14)


def make_targets(num_frames: int, seed: int = 0) -> Targets:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, NUM_CLASSES, (num_frames, *SIZE), generator=generator)
    labels[:, :2] = IGNORE
    ids = torch.randint(0, 4, (num_frames, *SIZE), generator=generator)
    return Targets(list(labels.to(torch.int16)), list(ids.to(torch.uint8)), {}, True, "test")


def encodings(segmenter: Segmenter, frames: list[Tensor]) -> FrameCache[Encoded]:
    cpu = torch.device("cpu")
    space = CacheSpace(cpu, CacheBudget())
    return FrameCache(lambda t: encode_frame(segmenter, frames[t]), len(frames), cpu, space)


def run(config: AdaptConfig, num_frames: int = 3) -> tuple[list[dict[str, float]], Student]:
    torch.manual_seed(config.seed)
    student = Student.create(toy_segmenter(), config, num_frames)
    tensors = frames_to_tensors(toy_video(num_frames, SIZE))
    cache = encodings(student.segmenter, tensors)
    history = train_student(
        student, cache, make_targets(num_frames), no_anchor, config, silent
    ).losses
    return history, student


def no_anchor(t: int) -> Tensor:
    """These targets are trusted fully."""
    raise AssertionError("the frozen model is not asked")


def upsampled(logits: Tensor) -> Tensor:
    return F.interpolate(logits, SIZE, mode="bilinear", align_corners=False)
