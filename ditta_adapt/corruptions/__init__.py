"""DAVIS-C: fourteen ways to spoil a video, each in three strengths, to measure robustness.

The numbers are those of `table.STRENGTHS`. Each operation follows the program that made the data
set, including what looks accidental in it, and differs from it in three ways that hold for all:

* Frames are corrupted as they are given and come back as arrays. The program read JPEG files and
  wrote JPEG files, which adds a second, mild loss; write the result as JPEG to have that too.
* Randomness comes from a seed. The program had none, so noise and glass blur equal the released
  frames in distribution, not pixel by pixel.
* The program read its images as blue, green, red and treated them as red, green, blue. Frames
  here are RGB; where the order matters (grey pixels in `colour.saturate`, edges in
  `cartoon.cartoon`), the result is what the program's files show when read as they should be.

Source: "Test-time Training for Matching-based Video Object Segmentation" (NeurIPS 2023).
"""

from ditta_adapt.corruptions.corruption import Corruption, parse_corruption
from ditta_adapt.corruptions.style import Style, plain_style
from ditta_adapt.corruptions.table import STRENGTH_NAMES, corruption_names

__all__ = [
    "STRENGTH_NAMES",
    "Corruption",
    "Style",
    "corruption_names",
    "parse_corruption",
    "plain_style",
]
