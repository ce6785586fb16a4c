"""Test-time training of propagators: losses that need no labels but the first frame's masks."""

from ditta_adapt.teachers.test_time.mask_network import DecodesValues, MaskNetwork

__all__ = ["DecodesValues", "MaskNetwork"]
