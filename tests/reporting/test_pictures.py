import numpy as np

from ditta_adapt.reporting.pictures import overlay, side_by_side


def test_overlay_by_hand() -> None:
    frame = np.full((1, 2, 3), 100, np.uint8)
    palette = np.array([[0, 0, 0], [200, 100, 0]], np.uint8)
    mixed = overlay(frame, np.array([[0, 1]]), palette, opacity=0.25)
    assert mixed.tolist() == [[[75, 75, 75], [125, 100, 75]]]


def test_panels_keep_their_pixels() -> None:
    left, right = np.full((5, 30, 3), 7, np.uint8), np.full((5, 20, 3), 9, np.uint8)
    row = side_by_side([("a", left), ("b", right)])
    assert row.shape == (21, 54, 3)
    assert (row[16:, :30] == 7).all()
    assert (row[16:, 34:] == 9).all()
