"""The temporal add-on: what it computes before and after training."""

import copy

import pytest
import torch
from torch import Tensor

from ditta_adapt.training.addon import ProjectionHead, TemporalAddon


def maps(seed: int = 0, h: int = 9, w: int = 20) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    features, previous = torch.randn(2, 1, 8, h, w, generator=generator).unbind(0)
    return features, previous, torch.randn(1, 3, h, w, generator=generator)


def attend_by_loops(query: Tensor, key: Tensor, value: Tensor, radius: int) -> Tensor:
    """Eq. 1 pixel by pixel, in float64."""
    _, _, h, w = query.shape
    query, key, value = query.double(), key.double(), value.double()
    result = torch.zeros_like(value)
    for y in range(h):
        for x in range(w):
            rows = slice(max(y - radius, 0), y + radius + 1)
            columns = slice(max(x - radius, 0), x + radius + 1)
            scores = torch.einsum("d,dyx->yx", query[0, :, y, x], key[0, :, rows, columns])
            weights = scores.flatten().softmax(0).view_as(scores)
            result[0, :, y, x] = (weights * value[0, :, rows, columns]).sum((1, 2))
    return result


def test_paper_form_by_loops() -> None:
    addon = TemporalAddon(8, radius=2, residual=False)
    features, previous, logits = maps()

    def mlp(branch: torch.nn.Sequential, x: Tensor) -> Tensor:
        hidden = torch.einsum("ed,bdyx->beyx", branch[0].weight, x) + branch[0].bias[:, None, None]
        hidden = hidden.clamp(min=0)
        return (
            torch.einsum("ed,bdyx->beyx", branch[2].weight, hidden) + branch[2].bias[:, None, None]
        )

    with torch.no_grad():
        expected = attend_by_loops(mlp(addon.query, features), mlp(addon.key, previous), logits, 2)
        # The add-on works in float32.
        found = addon(features, previous, logits).double()
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_residual_form_starts_as_cosine_attention_of_the_features() -> None:
    features, previous, logits = maps()
    unit = features / features.norm(dim=1, keepdim=True)
    unit_previous = previous / previous.norm(dim=1, keepdim=True)
    expected = attend_by_loops(50 * unit, unit_previous, logits, 5)
    with torch.no_grad():
        result = TemporalAddon(8)(features, previous, logits)
    torch.testing.assert_close(result.double(), expected, atol=1e-5, rtol=1e-4)


def test_residual_form_follows_a_moving_image_before_any_training() -> None:
    # Distinct features, so that the best match of a pixel is the pixel it came from.
    features, _, logits = maps(h=12, w=30)
    moved = torch.roll(features, 2, dims=3)
    with torch.no_grad():
        addon = TemporalAddon(8)
        addon.log_temperature.fill_(5.0)
        result = addon(moved, features, logits)
    inner = (..., slice(8, -8))
    expected = torch.roll(logits, 2, dims=3)
    torch.testing.assert_close(result[inner], expected[inner], atol=0.05, rtol=0)


@pytest.mark.parametrize("residual", [True, False])
def test_every_parameter_learns(residual: bool) -> None:
    addon = TemporalAddon(8, residual=residual)
    features, previous, logits = maps()
    optimizer = torch.optim.SGD(addon.parameters(), lr=0.1)
    start = copy.deepcopy(addon.state_dict())
    # Two steps: behind the zeros the residual form starts with, the first reaches one layer only.
    for _ in range(2):
        optimizer.zero_grad()
        addon(features, previous, logits).square().mean().backward()
        optimizer.step()
    for name, tensor in addon.state_dict().items():
        if name == "key.2.bias" and not residual:
            continue  # Adds the same to all scores of a query: the softmax does not see it.
        assert not torch.equal(tensor, start[name]), name


def test_half_precision_features_are_attended_in_float32() -> None:
    features, previous, logits = (x.half() for x in maps())
    result = TemporalAddon(8)(features, previous, logits)
    assert result.dtype == torch.float32
    assert result.isfinite().all()


def test_projection_head_is_per_pixel() -> None:
    head = ProjectionHead(8)
    features, _, _ = maps()
    out = head(features)
    assert out.shape == features.shape
    torch.testing.assert_close(head(features[..., 3:4, 5:6]), out[..., 3:4, 5:6])
    assert sum(parameter.numel() for parameter in head.parameters()) == 3 * (8 * 8 + 8)
