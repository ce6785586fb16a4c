import numpy as np
import pytest

from ditta_adapt.corruptions import Corruption
from ditta_adapt.corruptions.noise import gaussian_noise


def grey(level: int) -> np.ndarray:
    return np.full((200, 300, 3), level, np.uint8)


@pytest.mark.parametrize("sigma", [0.02, 0.05, 0.1])
def test_mean_and_deviation_where_nothing_is_clipped(sigma: float) -> None:
    noise = gaussian_noise(grey(128), sigma, rng=np.random.default_rng(1)).astype(float) - 128
    # 180 000 samples: both estimates are good to well under one per cent of the deviation.
    assert abs(noise.mean()) < 0.015 * sigma * 255
    assert noise.std() == pytest.approx(np.hypot(sigma * 255, 12**-0.5), rel=0.01)
    channels = noise.reshape(-1, 3).T
    assert np.abs(np.corrcoef(channels) - np.eye(3)).max() < 0.02
    assert abs(np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]) < 0.02


@pytest.mark.parametrize(("strength", "sigma"), [("low", 45.9), ("med", 66.3), ("high", 96.9)])
def test_strengths(strength: str, sigma: float) -> None:
    """Of clipped noise the quartiles are known: they lie 0.6745 sigma from the middle."""
    (noisy,) = Corruption("gaussian_noise", strength).apply([grey(127)])
    lower, upper = np.percentile(np.asarray(noisy), [25, 75])
    assert lower == pytest.approx(127 - 0.6745 * sigma, abs=1.2)
    assert upper == pytest.approx(127 + 0.6745 * sigma, abs=1.2)


def test_clipping_does_not_wrap_around() -> None:
    for level in (0, 255):
        noisy = gaussian_noise(grey(level), 0.1, rng=np.random.default_rng(0))
        # Half of the noise is cut off; the other half stays within six deviations.
        assert 0.49 < (noisy == level).mean() < 0.53
        assert np.abs(noisy.astype(int) - level).max() < 6 * 25.5
