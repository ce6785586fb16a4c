"""The method with parts of it switched off, as in the paper's ablation."""

from dataclasses import replace

from ditta_adapt.config import AdaptConfig, SelfLabels, Training


def ablation(*, addon: bool, targets: bool, contrastive: bool) -> AdaptConfig:
    """The paper preset with any of its three parts left out; all eight combinations.

    * Without `addon` there is no temporal add-on: neither its loss nor the fusion.
    * Without `targets` the student learns the frozen model's own labels instead of those from the
      propagator's masks, by the same losses: the decoder too, which makes it self-training. The
      objects to contrast are then the classes, see `ditta_adapt.targets.self_labels`.
    * Without `contrastive` that loss is 0, and no projection head is made.
    * Without any of the three nothing is learned: the image model.

    The default preset has no contrastive part; of it, `AdaptConfig(memory=None)`,
    `AdaptConfig(targets=SelfLabels())` and `AdaptConfig(targets=None)` make sense.

    Args:
        addon: part A.
        targets: part B, the distillation targets from the propagator.
        contrastive: part C, mask-contrastive alignment.

    Source: paper, Table 2, which uses the image model's labels for A and C without B.

    Example:
        >>> model = wrap(my_model, config=ablation(addon=True, targets=False, contrastive=False))
        ... # doctest: +SKIP
    """
    paper = AdaptConfig.paper()
    own = SelfLabels() if addon or contrastive else None
    training = replace(paper.training, contrast=paper.training.contrast if contrastive else None)
    learned = paper.targets if targets else own
    return replace(
        paper,
        targets=learned,
        training=Training() if learned is None else training,
        memory=paper.memory if addon else None,
    )
