"""The video propagators are checked on."""

import numpy as np
import torch

from ditta_adapt.testing.shapes_video import LATE, LEAVER, MOVER, shapes_video


def test_truth_is_what_is_drawn() -> None:
    video = shapes_video()
    frames = torch.from_numpy(np.stack(video.frames))
    assert frames.shape == (6, 96, 128, 3)
    assert video.truth.shape == (6, 3, 96, 128)
    assert video.truth.sum(1).max() == 1
    # Behind the shapes nothing moves.
    background = frames.float().masked_fill(video.truth.any(1)[..., None], torch.nan)
    known = background.nanmedian(0).values
    same = (background == known) | background.isnan()
    assert same.all()
    # On them, the frame is not the background.
    inside = video.truth.any(1) & ~known.isnan().any(-1)
    assert (frames[inside].float() != known.expand(6, 96, 128, 3)[inside]).any(-1).all()


def test_motion_by_hand() -> None:
    video = shapes_video()
    assert [int(mask.sum()) for mask in video.truth[:, MOVER]] == [29 * 29] * 6
    # The square's texture moves with it, 4 pixels a frame.
    assert (video.frames[0][12:41, 16:45] == video.frames[5][12:41, 36:65]).all()
    areas = [int(mask.sum()) for mask in video.truth[:, LEAVER]]
    assert areas == sorted(areas, reverse=True)
    assert areas[3] > 0
    assert areas[4:] == [0, 0]
    assert (video.truth[1:, LATE, :-1] == video.truth[:-1, LATE, 1:]).all()


def test_same_every_time() -> None:
    torch.manual_seed(1)
    first = shapes_video(2, size=(97, 131))
    torch.manual_seed(2)
    second = shapes_video(2, size=(97, 131))
    assert all(map(np.array_equal, first.frames, second.frames))
    assert first.frames[0].shape == (97, 131, 3)
