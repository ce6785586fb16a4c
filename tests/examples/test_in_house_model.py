"""The example of a network of one's own."""

from collections.abc import Callable

import pytest

from ditta_adapt.testing import parametrize_with_checks
from examples import in_house_model
from examples.in_house_model import Net, NetSegmenter

MODEL = Net().eval()


def test_it_shows_both_ways(capsys: pytest.CaptureFixture[str]) -> None:
    assert in_house_model.main() == 0
    printed = capsys.readouterr().out
    assert "frozen    backbone" in printed
    assert "failed" not in printed
    assert printed.count("8 warm-up frames") == 2
    assert printed.count("12 frames seen") == 2


@parametrize_with_checks([lambda: NetSegmenter(MODEL)], reference=MODEL)
def test_the_segmenter_written_by_hand_conforms(check: Callable[[], None]) -> None:
    check()
