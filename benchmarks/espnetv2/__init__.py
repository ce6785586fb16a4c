"""ESPNetv2 for semantic segmentation, split into an encoder and a decoder.

Source: Mehta, Rastegari, Shapiro, Hajishirzi, "ESPNetv2: A Light-weight, Power Efficient, and
General Purpose Convolutional Neural Network", CVPR 2019, arXiv 1811.11431; the decoder is the one
of the released PASCAL VOC and Cityscapes weights (sacmehta/EdgeNets, MIT), which
`load_espnetv2` reads.
"""

from benchmarks.espnetv2.encoder import CHANNELS
from benchmarks.espnetv2.network import ESPNetv2
from benchmarks.espnetv2.weights import load_espnetv2, rename_released

__all__ = ["CHANNELS", "ESPNetv2", "load_espnetv2", "rename_released"]
