"""The method with parts of it switched off, as in the paper's ablation."""

from dataclasses import replace

from ditta_adapt.config import AdaptConfig, TargetKind


def ablation(*, addon: bool, targets: bool, contrastive: bool) -> AdaptConfig:
    """The paper preset with any of its three parts left out; all eight combinations.

    * Without `addon` there is no temporal add-on: neither its loss nor the fusion.
    * Without `targets` the student learns the frozen model's own labels instead of those from the
      teacher's masks, by the same losses: the decoder too, which makes it self-training. The
      objects to contrast are then the classes, see `ditta_adapt.targets.self_labels`.
    * Without `contrastive` that loss is 0, and no projection head is made.
    * Without any of the three nothing is learned: the image model.

    The default preset has no contrastive part; of it, `AdaptConfig(addon="none")`,
    `AdaptConfig(targets="self")` and `AdaptConfig(targets="none")` make sense.

    Args:
        addon: part A.
        targets: part B, the distillation targets from the teacher.
        contrastive: part C, mask-contrastive alignment.

    Source: paper, Table 2, which uses the image model's labels for A and C without B.

    Example:
        >>> model = wrap(my_model, config=ablation(addon=True, targets=False, contrastive=False))
        ... # doctest: +SKIP
    """
    paper = AdaptConfig.paper()
    own: TargetKind = "self" if addon or contrastive else "none"
    return replace(
        paper,
        addon=paper.addon if addon else "none",
        targets=paper.targets if targets else own,
        contrastive_weight=paper.contrastive_weight if contrastive else 0.0,
    )
