"""Flow in plain torch, on a GPU."""

from itertools import pairwise

import torch

from benchmarks.speed.workload import moving
from ditta_adapt.io.frames import frame_to_tensor
from ditta_adapt.teachers.flow import LucasKanade

GPU = torch.device("cuda")


def test_flow_is_that_of_the_cpu_and_captured() -> None:
    frames = [frame_to_tensor(frame) for frame in moving(5, (144, 256))]
    here, there = LucasKanade(), LucasKanade()
    for first, second in pairwise(frames):
        pair = [here.prepare(frame, (144, 256)) for frame in (first, second)]
        expected = here.flow(*pair)
        found = there.flow(*(x.to(GPU) for x in pair)).cpu()
        assert ((found - expected).abs() < 0.05).float().mean() > 0.98
    assert not there._both_ways.problem
    assert len(there._both_ways._graphs) == 1
