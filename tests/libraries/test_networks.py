"""Networks of the coverage table that want torchvision, one by one."""

import warnings

import pytest

from benchmarks.coverage import torchvision_networks
from benchmarks.coverage.measure import measure
from benchmarks.coverage.network import Network
from tests.libraries.conftest import MISSING

# The other encoders, and the larger ones, are left to the command.
LEFT_OUT = ("mobilenet_v2", "efficientnet", "resnet101")
NETWORKS = [
    network
    for network in ([] if MISSING else torchvision_networks.networks())
    if not any(part in network.name for part in LEFT_OUT)
]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_it_is_wrapped_with_nothing_named_and_right(network: Network) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        row = measure(network, conformance=False)
    assert row.right, row
