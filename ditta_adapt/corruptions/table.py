"""The names of the corruptions, and the numbers behind their three strengths."""

STRENGTH_NAMES = ("low", "med", "high")
"""From mild to severe; 1, 2 and 3 mean the same."""

STRENGTHS: dict[str, tuple[tuple[float, ...], ...]] = {
    # sigma, on a scale where white is 1
    "gaussian_noise": ((0.18,), (0.26,), (0.38,)),
    # added to the value
    "brightness": ((0.3,), (0.4,), (0.5,)),
    # factor on the distance from the mean
    "contrast": ((0.2,), (0.1,), (0.05,)),
    # factor on the saturation, and what is added
    "saturate": ((2, 0), (5, 0.1), (20, 0.2)),
    # factor on the size
    "pixelate": ((0.4,), (0.3,), (0.25,)),
    # radius of the disk, sigma of its anti-aliasing
    "defocus_blur": ((6, 0.5), (8, 0.5), (10, 0.5)),
    # sigma of the blur, reach of the shuffle, passes
    "glass_blur": ((1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    # frames in the window
    "motion_blur": ((2,), (3,), (4,)),
    # constant rate factor
    "crf_compression": ((40,), (45,), (50,)),
    # side of the median, factor on the segmentation, factor on the saturation
    "cartoon": ((1, 1.0, 1.0), (3, 1.2, 1.5), (5, 1.5, 2.0)),
}
"""The numbers of each corruption for `low`, `med` and `high`, in the order of its function."""

STYLE_NAMES = ("style1", "style2", "style3", "style4")
"""Corruptions of DAVIS-C that need a neural network and are not part of this library."""


def corruption_names(*, include_styles: bool = True) -> tuple[str, ...]:
    """The names of the corruptions of DAVIS-C, in a fixed order.

    Args:
        include_styles: whether to name the four styles too, which `Corruption.apply` refuses.

    Returns:
        All fourteen names, or the ten that can be applied.
    """
    return (*STRENGTHS, *STYLE_NAMES) if include_styles else tuple(STRENGTHS)
