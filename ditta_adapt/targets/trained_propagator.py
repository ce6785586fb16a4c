"""A propagator that was trained on the warm-up before it teaches there."""

import torch

from ditta_adapt.config import AdaptConfig
from ditta_adapt.progress import ProgressCallback
from ditta_adapt.targets.prompts import make_prompts, select_points
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.propagator import Propagator
from ditta_adapt.teachers.test_time import adapt_propagator


def train_propagator(
    propagator: Propagator, warm_up: WarmUp, config: AdaptConfig, progress: ProgressCallback
) -> tuple[Propagator, str]:
    """Train on the image model's own regions in the first frame, where the configuration says so.

    The regions are those of the most reliable pixel of every class, see `select_points`. Whether
    their labels are right does not matter: they are followed, and not learned.

    Args:
        propagator: stays as it is.
        warm_up: is followed.
        config: its `propagator_training` and seed are read.
        progress: called after every step.

    Returns:
        The trained propagator, and in plain words what was done; the one that was given and no
        words where nothing was asked for.

    Raises:
        InputError: it cannot be trained.
        PropagationError: it raised.
        AdaptationError: a loss is not finite.
    """
    options = config.propagator_training
    if options is None:
        return propagator, ""
    first = warm_up.predictions[0]
    nothing = torch.zeros(0, *warm_up.size, dtype=torch.bool)
    points = select_points(first.labels, first.reliability, nothing, threshold=0.0)
    regions = [prompt.region for prompt in make_prompts(first.labels, points, 1)]
    trained, report = adapt_propagator(
        propagator,
        warm_up.video,
        torch.stack(regions),
        objective=options.objective,
        iterations=options.iterations,
        seed=config.seed,
        progress=progress,
    )
    if not report.iterations:
        return trained, f"the propagator: {report.reason}"
    note = f"the propagator was trained for {report.iterations} steps"
    if len(warm_up.frames) < 3:
        return trained, note
    # Without a rule the last weights are kept, whatever came of them.
    last = report.held_out[-1] if options.iterations else min(report.held_out)
    first_loss = report.held_out[0]
    return trained, f"{note}; the loss of held-out cycles was {first_loss:.4f}, and is {last:.4f}"
