"""A small model in a state of its own."""

import pytest

from tests.toys import ToyNet


@pytest.fixture
def net() -> ToyNet:
    """A model in a state of its own: mixed train flags, some parameters frozen."""
    net = ToyNet()
    net.train()
    net.encoder.eval()
    net.decoder[1].weight.requires_grad_(False)
    return net
