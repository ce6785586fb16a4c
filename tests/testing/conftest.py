"""Optical flow is computed once for a pair of frames: the checks show the same few all the time."""

from typing import Any

import cv2
import numpy as np
import pytest

_create = cv2.DISOpticalFlow_create
_known: dict[tuple[Any, ...], np.ndarray] = {}


class _Remembering:
    def __init__(self, *arguments: Any) -> None:
        self._arguments, self._dis = arguments, _create(*arguments)

    def calc(self, first: np.ndarray, second: np.ndarray, flow: None) -> np.ndarray:
        key = (self._arguments, first.shape, first.tobytes(), second.tobytes())
        if key not in _known:
            _known[key] = self._dis.calc(first, second, flow)
        return _known[key].copy()


@pytest.fixture(autouse=True)
def remembered_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "DISOpticalFlow_create", _Remembering)
