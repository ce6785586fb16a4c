"""A forward pass in two halves gives what it gives as a whole, whatever it does in between."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ditta_adapt import SegmenterError
from ditta_adapt.models.replay import CallUntil, Split, call_model, record, replay


class Net(nn.Module):
    """Two frozen branches, one of them changed in place; a rest that writes to its input."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 1, 1)
        self.rest = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(4, 2, 1))

    def forward(self, images: Tensor) -> Tensor:
        first = self.first(images)
        second = self.second(first)
        second += first
        return F.interpolate(self.rest(second), images.shape[2:])


ALL = ("first", "second")
SAFE = Split(
    ALL,
    needed={"first": frozenset({0}), "second": frozenset({0})},
    needs_image=False,
    written_later=frozenset({"second"}),
    written_again=frozenset({"second"}),
    calls=2,
)


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net().eval()


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def images(seed: int = 0) -> Tensor:
    return torch.randn(1, 3, 9, 13, generator=torch.Generator().manual_seed(seed))


def test_a_replay_is_the_forward_pass(net: Net) -> None:
    encoded = record(net, call_model, images(), SAFE)
    expected = net(images())
    for _ in range(2):  # The record is not written to.
        assert torch.equal(replay(net, call_model, encoded, SAFE), expected)


def test_what_is_written_to_has_to_be_copied(net: Net) -> None:
    # Later in the recorded run, and again in the replayed one.
    for careless in (replace(SAFE, written_later=frozenset(), calls=None), SAFE):
        careless = replace(careless, written_again=frozenset())
        encoded = record(net, call_model, images(), careless)
        replay(net, call_model, encoded, careless)
        assert not torch.equal(replay(net, call_model, encoded, careless), net(images()))


def test_only_what_is_needed_is_kept(net: Net) -> None:
    only_second = Split(
        ALL,
        needed={"first": frozenset(), "second": frozenset({0})},
        needs_image=False,
        calls=2,
    )
    image, answers = record(net, call_model, images(), only_second)
    assert image.numel() == answers["first"][0].numel() == 0
    assert image.shape == (1, 0, 3, 9, 13)
    # In place of what was not kept there are zeros of its shape.
    zeros = Split(("first",), needed={"first": frozenset()}, needs_image=False, calls=1)
    expected = F.interpolate(net.rest(net.second(torch.zeros(1, 4, 5, 7))), (9, 13))
    encoded = record(net, call_model, images(), zeros)
    assert torch.equal(replay(net, call_model, encoded, zeros), expected)


def test_nothing_frozen_is_the_image_itself(net: Net) -> None:
    encoded = record(net, call_model, images(), Split())
    assert torch.equal(encoded, images())
    assert torch.equal(replay(net, call_model, encoded, Split()), net(images()))


def test_recording_ends_when_all_have_answered(net: Net) -> None:
    net.rest.forward = lambda _: pytest.fail("the rest was run")  # type: ignore[method-assign]
    record(net, call_model, images(), SAFE)


@pytest.mark.parametrize("fails", ["record", "replay"])
def test_forward_methods_are_put_back(net: Net, fails: str) -> None:
    def own(maps: Tensor) -> Tensor:
        return nn.Conv2d.forward(net.first, maps)

    net.first.forward = own  # type: ignore[method-assign]
    encoded = record(net, call_model, images(), SAFE)

    def broken(*_: Any) -> Tensor:
        raise RuntimeError("broken")

    inside = net.second if fails == "record" else net.rest
    inside.forward = broken  # type: ignore[method-assign, assignment]
    given = images() if fails == "record" else encoded
    with pytest.raises(RuntimeError, match="broken"):
        (record if fails == "record" else replay)(net, call_model, given, SAFE)
    assert net.first.forward is own
    assert inside.forward is broken
    assert "forward" not in (net.rest if fails == "record" else net.second).__dict__


class Windows(nn.Module):
    """As many calls as the image is wide."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([self.head(self.body(part)) for part in images.split(4, 3)], 3)


def test_windows_that_slide() -> None:
    net = Windows().eval()
    every = Split(("body",), needs_image=False)
    encoded = record(net, call_model, images(), every)
    assert len(encoded[1]["body"]) == 4
    assert torch.equal(replay(net, call_model, encoded, every), net(images()))
    one = Split(("body",), needs_image=False, calls=1)
    with pytest.raises(SegmenterError, match=r"more often than it was recorded.*calls_vary=True"):
        replay(net, call_model, record(net, call_model, images(), one), one)


def test_a_module_that_is_not_called_on_this_image(net: Net) -> None:
    net.other = nn.Conv2d(3, 4, 1)
    with pytest.raises(SegmenterError, match=r"did not call other on an image of \(9, 13\)"):
        record(net, call_model, images(), Split(("other",)))


def test_a_run_up_to_a_module(net: Net) -> None:
    net.rest.forward = lambda _: pytest.fail("the rest was run")  # type: ignore[method-assign]
    assert torch.equal(CallUntil("first")(net, images()), net.first(images()))
    net.other = nn.Conv2d(3, 4, 1)
    net.rest.forward = nn.Identity()  # type: ignore[method-assign, assignment]
    with pytest.raises(SegmenterError, match="never called its submodule 'other'"):
        CallUntil("other")(net, images())
