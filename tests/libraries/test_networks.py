"""Every network of the coverage table that wants torchvision, one by one."""

import warnings

import pytest

from benchmarks.coverage import torchvision_networks
from benchmarks.coverage.measure import measure
from benchmarks.coverage.network import Network
from tests.libraries.conftest import MISSING

NETWORKS = [] if MISSING else list(torchvision_networks.networks())


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_it_is_wrapped_with_nothing_named_and_right(network: Network) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        row = measure(network, conformance=False)
    assert row.right, row
