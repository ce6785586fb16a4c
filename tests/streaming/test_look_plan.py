"""When a stream looks a second time."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ditta_adapt import SecondLook
from ditta_adapt.streaming.look_plan import LookPlan

quick = settings(max_examples=60, deadline=None)


def looks(options: SecondLook, frames: int, cost: float, cuts: tuple[int, ...] = ()) -> list[int]:
    """The frames, counted from 1, that get a look."""
    plan, found = LookPlan(options), []
    for frame in range(1, frames + 1):
        plan = plan.next(cut=frame in cuts)
        if plan.due:
            found.append(frame)
            plan = plan.after(cost)
    return found


def test_early_and_then_as_the_budget_allows():
    # 4 looks of 7 passes are paid for by frame 112; the next 7 are saved by frame 140.
    options = SecondLook(first=(1, 4, 12, 28), budget=0.25)
    assert looks(options, 200, 7.0) == [1, 4, 12, 28, 140, 168, 196]


def test_without_a_budget_there_are_the_first_looks_only():
    assert looks(SecondLook(first=(2, 3), budget=0.0), 1000, 7.0) == [2, 3]
    assert looks(SecondLook(first=(), budget=0.0), 100, 7.0) == []


def test_without_first_looks_the_budget_saves_up_for_each() -> None:
    # Scales of 1 and 2 are expected to cost 5 passes, and do.
    options = SecondLook(scales=(1.0, 2.0), first=(), budget=0.25)
    assert looks(options, 70, 5.0) == [20, 40, 60]


def test_a_model_that_takes_no_other_size_is_not_asked_for_ever() -> None:
    assert looks(SecondLook(first=(1, 4), budget=0.25), 1000, 0.0) == [1, 4]


def test_another_scene_is_looked_at_anew():
    options = SecondLook(first=(1, 4), budget=0.25)
    # Two looks of 5 are paid for by frame 40: two more may be had in advance from there on.
    assert looks(options, 60, 5.0, cuts=(50,)) == [1, 4, 50, 53]


def test_a_cut_in_every_frame_costs_no_more_than_the_budget():
    options = SecondLook(first=(1, 4), budget=0.25)
    cuts = tuple(range(1, 401))
    assert 5.0 * len(looks(options, 400, 5.0, cuts)) <= 0.25 * 400 + 2 * 5.0


@quick
@given(
    first=st.lists(st.integers(1, 40), max_size=5, unique=True).map(lambda x: tuple(sorted(x))),
    budget=st.floats(0, 2),
    cost=st.floats(0.5, 20),
    cuts=st.lists(st.integers(1, 200), max_size=6).map(tuple),
)
def test_looks_never_cost_more_than_the_first_ones_and_the_budget(first, budget, cost, cuts):
    options = SecondLook(first=first, budget=budget)
    spent = cost * len(looks(options, 200, cost, cuts))
    assert spent <= budget * 200 + cost * max(len(first), 1) + 1e-9
