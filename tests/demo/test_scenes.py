from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ditta_adapt.demo._world import Building, CameraPath, Vehicle, Walker
from ditta_adapt.demo.scenes import (
    CLASS_NAMES,
    PALETTE,
    make_world,
    render_scene,
    render_video,
    render_world,
)
from ditta_adapt.errors import InputError

SMALL = (72, 120)
INDEX = {name: index for index, name in enumerate(CLASS_NAMES)}
STILL_CAMERA = CameraPath(
    x=1.75,
    height=1.6,
    z=0.0,
    speed=0.0,
    focal=1.0,
    horizon=0.5,
    pan=0.0,
    pan_rate=0.0,
    zoom=0.0,
    zoom_rate=0.0,
    bob=0.0,
    sway=0.0,
    phase=0.0,
)


def empty_street(seed=0, **changes):
    """A world with ground, sky and skyline only, seen by a camera that stands still."""
    changes = {
        "camera": STILL_CAMERA,
        "buildings": (),
        "panels": (),
        "plants": (),
        "vehicles": (),
        "walkers": (),
        "crossings": (),
    } | changes
    return replace(make_world(seed), **changes)


def a_car(**changes):
    car = Vehicle(
        truck=False,
        art=0,
        across=False,
        x=-1.75,
        z=14.0,
        speed=0.0,
        heading=-1,
        sway=0.0,
        phase=0.0,
        gain=(0.9, 0.1, 0.1),
    )
    return replace(car, **changes)


def test_class_names_and_palette_agree():
    assert len(CLASS_NAMES) == len(set(CLASS_NAMES)) == 9
    assert PALETTE.shape == (9, 3)
    assert PALETTE.dtype == np.uint8
    assert len({tuple(color) for color in PALETTE.tolist()}) == 9


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 2**40),
    height=st.integers(16, 90),
    width=st.integers(16, 130),
    t=st.floats(-1e5, 1e5),
)
def test_every_world_renders_at_every_time_and_size(seed, height, width, t):
    image, labels = render_world(make_world(seed), t, (height, width))
    assert image.shape == (height, width, 3)
    assert labels.shape == (height, width)
    assert image.dtype == labels.dtype == np.uint8
    assert labels.max() < len(CLASS_NAMES)
    assert image.std() > 1


def test_a_seed_gives_the_same_scene_again_and_other_seeds_give_others():
    first, second, other = render_scene(7, SMALL), render_scene(7, SMALL), render_scene(8, SMALL)
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])
    assert not np.array_equal(first[0], other[0])


def test_a_video_is_one_world_at_whole_times():
    frames, labels = render_video(4, 3, SMALL)
    assert frames.shape == (3, *SMALL, 3)
    assert labels.shape == (3, *SMALL)
    world = make_world(4)
    for t in range(3):
        image, truth = render_world(world, t, SMALL)
        assert np.array_equal(frames[t], image)
        assert np.array_equal(labels[t], truth)


def test_all_classes_are_common():
    seen = np.zeros(len(CLASS_NAMES))
    for seed in range(12):
        seen[np.unique(render_scene(seed, SMALL)[1])] += 1
    assert seen.min() >= 4


@pytest.mark.parametrize("seed", [1, 3])
def test_labels_persist_between_frames_while_things_move(seed):
    frames, labels = render_video(seed, 12, SMALL)
    changed = (labels[1:] != labels[:-1]).mean((1, 2))
    assert changed.max() < 0.12
    assert (labels[0] != labels[-1]).mean() > 0.01
    # Equal labels do not come from equal pictures: the frames themselves do move.
    assert (frames[1:] != frames[:-1]).any(-1).mean() > 0.01


def test_nothing_changes_where_nothing_moves():
    world = empty_street()
    first, later = render_world(world, 0, SMALL), render_world(world, 400, SMALL)
    assert np.array_equal(first[0], later[0])
    assert np.array_equal(first[1], later[1])


def test_labels_cover_what_is_drawn():
    without = render_world(empty_street(), 0, (96, 160))
    image, labels = render_world(empty_street(vehicles=(a_car(),)), 0, (96, 160))
    car = labels == INDEX["car"]
    assert 100 < car.sum() < 3000
    # Outside the car no label changes, and inside it the red paint shows.
    assert np.array_equal(labels[~car], without[1][~car])
    moved = np.abs(image.astype(int) - without[0]).max(-1) > 12
    assert moved[car].mean() > 0.8
    red = (image[..., 0] > image[..., 1].astype(int) + 40) & ~(moved & ~car)
    assert red[car].mean() > 0.25
    assert red[~car].mean() < 0.01


def test_labels_end_where_the_object_does():
    """A label that also took partly covered pixels would grow as the picture gets coarser."""
    street = empty_street(vehicles=(a_car(),))
    shares = [
        (render_world(street, 0, size)[1] == INDEX["car"]).mean()
        for size in ((72, 120), (576, 960))
    ]
    assert shares[0] == pytest.approx(shares[1], rel=0.05)


@pytest.mark.parametrize("truck", [False, True])
def test_vehicles_get_their_own_class(truck):
    _, labels = render_world(empty_street(vehicles=(a_car(truck=truck),)), 0, SMALL)
    assert (labels == INDEX["truck"]).any() == truck
    assert (labels == INDEX["car"]).any() == (not truck)


def test_a_nearer_object_hides_a_farther_one():
    def count(*vehicles):
        _, labels = render_world(empty_street(vehicles=vehicles), 0, (96, 160))
        return (labels == INDEX["car"]).sum()

    behind, truck = a_car(x=1.75, z=25.0), a_car(x=1.75, z=10.0, truck=True)
    assert count(behind) > 20
    assert count(behind, truck) == 0
    assert count(truck, behind) == 0


def test_a_building_hides_cross_traffic_until_it_comes_out():
    world = empty_street()
    wall = Building(-1, 5.0, 30.0, 9.0, 0, (1.0, 1.0, 1.0))
    crossing = a_car(across=True, x=-25.0, z=35.0, speed=0.5, heading=1)
    street = replace(world, buildings=(wall,), vehicles=(crossing,))
    counts = [int((render_world(street, t, SMALL)[1] == INDEX["car"]).sum()) for t in (0, 24, 48)]
    assert counts[0] == 0
    assert counts[2] > 10


def test_an_approaching_object_grows_and_then_leaves():
    world = empty_street(vehicles=(a_car(z=40.0, speed=-0.5),))
    counts = [
        int((render_world(world, t, (96, 160))[1] == INDEX["car"]).sum()) for t in range(0, 100, 10)
    ]
    assert counts[0] > 0
    assert all(a < b for a, b in pairwise(counts[:7]))
    assert counts[-1] == 0


def test_near_things_move_faster_than_far_things():
    """Parallax: when the camera steps aside, a near car shifts more than a far one."""

    def column(x, z):
        camera = replace(STILL_CAMERA, x=x)
        _, labels = render_world(empty_street(camera=camera, vehicles=(a_car(z=z),)), 0, (96, 160))
        return np.nonzero(labels == INDEX["car"])[1].mean()

    near, far = (column(1.5, z) - column(2.5, z) for z in (12.0, 40.0))
    assert near > 2 * far > 0


def test_the_ground_is_below_the_sky():
    _, labels = render_world(empty_street(), 0, SMALL)
    sky = labels == INDEX["sky"]
    assert not sky[SMALL[0] // 2 + 1 :].any()
    assert sky[0].all()
    assert (labels[-1] == INDEX["road"]).mean() > 0.5


@settings(max_examples=60, deadline=None)
@given(t=st.floats(0, 1e4), speed=st.floats(0.04, 0.12), reach=st.floats(0, 12))
def test_walkers_take_small_steps(t, speed, reach):
    walker = Walker(0, 6.0, 20.0, speed, reach, 0.3, 1.7, (1.0, 1.0, 1.0))
    x0, z0 = walker.position(t)
    x1, z1 = walker.position(t + 1)
    assert abs(x1 - x0) + abs(z1 - z0) <= max(1.0, reach) * speed + 1e-6
    assert 0 <= walker.stride(t) < 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: render_scene(-1),
        lambda: make_world(-3),
        lambda: render_scene(0, (8, 100)),
        lambda: render_video(0, 0),
        lambda: render_world(make_world(0), float("nan")),
        lambda: render_world(make_world(0), float("inf")),
    ],
)
def test_bad_arguments_are_refused(call):
    with pytest.raises(InputError):
        call()
