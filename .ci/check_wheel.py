"""What an installed wheel must be able to do, run outside the checkout."""

import sys
import zipfile
from pathlib import PurePosixPath

import numpy as np

import ditta_adapt
from ditta_adapt import wrap
from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator
from ditta_adapt.demo.model import load_demo_model

with zipfile.ZipFile(sys.argv[1]) as wheel:
    names = [PurePosixPath(name) for name in wheel.namelist()]
top = {name.parts[0] for name in names if not name.parts[0].endswith(".dist-info")}
assert top == {"ditta_adapt"}, f"the wheel installs {top}; expected ditta_adapt alone"
assert "site-packages" in ditta_adapt.__file__, ditta_adapt.__file__

rng = np.random.default_rng(0)
frames = [rng.integers(0, 256, (64, 96, 3), dtype=np.uint8) for _ in range(4)]
model = wrap(load_demo_model(), propagator=OpticalFlowPropagator())
print(model.adapt(frames[:3]))
assert model(frames[3]).shape == (64, 96)
print("wheel: ok")
