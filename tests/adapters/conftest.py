"""What several adapters' tests share."""

import os
import sys
from importlib.util import find_spec
from typing import Any

import pytest

from tests.adapters.ocrnet_models import NotCompiled, old_library


@pytest.fixture(scope="session")
def small_sam2() -> Any:
    """The shipped SAM2, or one in the folder DITTA_SAM2, with a smaller input; do not change it."""
    pytest.importorskip("transformers")
    from tests.adapters.small_sam2 import SMALL, load_small_model

    return load_small_model(os.environ.get("DITTA_SAM2", str(SMALL)))


@pytest.fixture(scope="module")
def models() -> Any:
    """The model registry of mmsegmentation."""
    for name in ("mmseg", "mmcv", "mmengine"):
        if find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    with old_library():
        if find_spec("mmcv._ext") is None:
            sys.modules.setdefault("mmcv.ops", NotCompiled("mmcv.ops"))
        import mmseg.models  # noqa: F401
        from mmengine.registry import init_default_scope
        from mmseg.registry import MODELS

        init_default_scope("mmseg")
    return MODELS
