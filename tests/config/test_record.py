"""Every field of every record: what it takes, and what it refuses."""

import math
from typing import Any

import pytest

from ditta_adapt import (
    AttentionAddon,
    CacheBudget,
    Checks,
    ConfigError,
    Contrast,
    CrossEntropy,
    DenseVote,
    MaskVote,
    SecondLook,
    Training,
    WarpedVotes,
)
from ditta_adapt.config.record import Record

SHARES = [
    (Training, "class_balance"),
    (DenseVote, "decay"),
    (MaskVote, "prompt_threshold"),
    (Contrast, "ema_rate"),
    (WarpedVotes, "decay"),
    (AttentionAddon, "fusion_threshold"),
    (Checks, "warp_margin"),
    (Checks, "cut"),
    (Checks, "least_drift"),
]
NOT_NEGATIVE = [
    (Checks, "standard_errors"),
    (SecondLook, "budget"),
    (MaskVote, "area_weight"),
    (MaskVote, "rarity_weight"),
    (Training, "weight_decay"),
    (Checks, "confident_disagreement"),
    (Checks, "drift_factor"),
]
POSITIVE = [
    (DenseVote, "tolerance"),
    (WarpedVotes, "tolerance"),
    (Checks, "tolerance"),
    (Training, "learning_rate"),
    (Contrast, "weight"),
    (Contrast, "temperature"),
]
SIZES = [
    (MaskVote, "prompt_dilation"),
    (CacheBudget, "device_bytes"),
    (CacheBudget, "cpu_bytes"),
]
COUNTS = [
    (MaskVote, "max_objects"),
    (Training, "passes"),
    (Training, "steps_per_frame"),
    (Checks, "second_opinion_every"),
]
BOOLEANS = [
    (SecondLook, "warmup_mirror"),
    (CrossEntropy, "double_softmax"),
    (AttentionAddon, "through_previous_frame"),
]
CHOICES = [
    (MaskVote, "outside", ("image_model", "ignore")),
    (CrossEntropy, "reduction", ("valid", "all")),
    (Contrast, "certainty", ("reliability", "softmax_entropy")),
    (Training, "module_mode", ("eval", "train")),
    (AttentionAddon, "form", ("residual", "paper")),
]
FLOATS = [*SHARES, *NOT_NEGATIVE, *POSITIVE, (Training, "adapted_share")]
INTEGERS = [*SIZES, *COUNTS]
OTHERS = [
    (SecondLook, "scales"),
    (SecondLook, "warmup_scales"),
    (SecondLook, "first"),
    (AttentionAddon, "radius"),
    (Training, "betas"),
    (Training, "distillation"),
    (Training, "contrast"),
    (Checks, "kept_fractions"),
]


def refuses(kind: type[Record], field: str, value: Any, expected: str = "") -> None:
    with pytest.raises(ConfigError, match=rf"{kind.__name__}\.{field} is .*; expected.*{expected}"):
        kind(**{field: value})


def takes(kind: type[Record], field: str, value: Any) -> None:
    assert getattr(kind(**{field: value}), field) == value


def test_no_field_is_left_out_here() -> None:
    named = {(kind, field) for kind, field, *_ in [*FLOATS, *INTEGERS, *BOOLEANS, *CHOICES]}
    named |= set(OTHERS)
    kinds = {kind for kind, _ in named}
    assert named == {(kind, field) for kind in kinds for field in kind.__dataclass_fields__}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("kind", "field"), FLOATS)
def test_numbers(kind: type[Record], field: str) -> None:
    for value in ("0.5", None, True, [0.5], 0.5 + 0j, -1e-9, math.nan, math.inf, -math.inf):
        refuses(kind, field, value, "a finite number")
    takes(kind, field, 1)
    takes(kind, field, 0.5)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("kind", "field"), INTEGERS)
def test_integers(kind: type[Record], field: str) -> None:
    for value in ("5", None, True, 5.0, 1.5, -1):
        refuses(kind, field, value, "an integer")
    takes(kind, field, 7)


@pytest.mark.parametrize(("kind", "field"), SHARES)
def test_shares_end_at_one(kind: type[Record], field: str) -> None:
    takes(kind, field, 0)
    takes(kind, field, 1.0)
    refuses(kind, field, 1.0000001, r"in \[0, 1\]")


@pytest.mark.parametrize(("kind", "field"), [*NOT_NEGATIVE, *SIZES])
def test_zero_is_the_least(kind: type[Record], field: str) -> None:
    takes(kind, field, 0)
    refuses(kind, field, -1, "of at least 0")


@pytest.mark.parametrize(("kind", "field"), [*POSITIVE, (Training, "adapted_share")])
def test_more_than_zero(kind: type[Record], field: str) -> None:
    takes(kind, field, 1e-300)
    refuses(kind, field, 0.0, r"above 0|in \(0, 1\]")


@pytest.mark.parametrize(("kind", "field"), COUNTS)
def test_one_is_the_least(kind: type[Record], field: str) -> None:
    takes(kind, field, 1)
    refuses(kind, field, 0, "of at least 1")


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("kind", "field"), BOOLEANS)
def test_booleans(kind: type[Record], field: str) -> None:
    takes(kind, field, True)
    takes(kind, field, False)
    for value in (0, 1, "yes", None):
        refuses(kind, field, value, "True or False")


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("kind", "field", "choices"), CHOICES)
def test_choices(kind: type[Record], field: str, choices: tuple[str, ...]) -> None:
    for value in choices:
        takes(kind, field, value)
    for value in ("", "nothing", None, 0, [choices[0]]):
        refuses(kind, field, value, rf"one of \['{choices[0]}'")


@pytest.mark.usefixtures("unchecked")
def test_a_size_or_none() -> None:
    for value in (None, 0, 7):
        takes(AttentionAddon, "radius", value)
    for value in ("5", True, 1.5, -1):
        refuses(AttentionAddon, "radius", value, "an integer.* or None")


@pytest.mark.usefixtures("unchecked")
def test_tuples() -> None:
    takes(Training, "betas", (0.5, 0.0))
    for value in (0.9, [0.9, 0.99], None, ("a", "b"), (True, 0.9), (), (0.9,), (0.9, 0.9, 0.9)):
        refuses(Training, "betas", value, "a tuple of 2 items")
    for value in ((1.0, 0.9), (0.9, 1.0), (-0.1, 0.9), (0.9, math.nan)):
        refuses(Training, "betas", value, r"in \[0, 1\)")
    takes(Checks, "kept_fractions", ())
    takes(Checks, "kept_fractions", (1, 0.5, 0.1))
    for value in ((0.0,), (1.5,), [0.5], None):
        refuses(Checks, "kept_fractions", value, r"in \(0, 1\]")


@pytest.mark.usefixtures("unchecked")
def test_records_inside() -> None:
    refuses(Training, "distillation", "anchored", "an Anchored or a CrossEntropy|Anchored")
    refuses(Training, "contrast", True, "Contrast or None")
    takes(Training, "contrast", None)
    takes(Training, "distillation", CrossEntropy())


def test_integers_that_no_float_holds() -> None:
    refuses(Training, "learning_rate", 10**400, "a finite number")
