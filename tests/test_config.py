import dataclasses
import json
import math
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ditta_adapt.config import AdaptConfig
from ditta_adapt.errors import ConfigError, DittaError

UNIT = ("prompt_threshold", "vote_decay", "ema_rate", "fusion_threshold", "memory_decay")
FLOATS_FROM_0 = ("area_weight", "rarity_weight", "contrastive_weight", "weight_decay")
FLOATS_ABOVE_0 = ("learning_rate", "contrastive_temperature", "photometric_tolerance")
INTEGERS_FROM_0 = (
    "prompt_dilation",
    "window_radius",
    "seed",
    "device_cache_bytes",
    "cpu_cache_bytes",
)
INTEGERS_FROM_1 = ("max_objects", "passes")
BOOLEANS = ("anchored", "distillation_from_probabilities", "through_previous_frame")
CHOICES = {
    "accept": ("checked", "always"),
    "targets": ("auto", "masks", "self", "none"),
    "reliability_normalizer": ("frame", "classes"),
    "fill": ("iss", "ignore"),
    "distillation_reduction": ("valid", "all"),
    "contrastive_certainty": ("reliability", "softmax_entropy"),
    "module_mode": ("eval", "train"),
    "addon": ("auto", "carried", "residual", "paper", "none"),
}
SHARES_ABOVE_0 = ("adapted_share",)
FLOATS = UNIT + FLOATS_FROM_0 + FLOATS_ABOVE_0 + SHARES_ABOVE_0
INTEGERS = INTEGERS_FROM_0 + INTEGERS_FROM_1


def with_field(name: str, value: Any) -> AdaptConfig:
    # The contrastive loss needs objects, whatever else is tried.
    return AdaptConfig(**({"targets": "masks"} | {name: value}))


def valid_values() -> st.SearchStrategy[dict[str, Any]]:
    betas = st.floats(0, 1, exclude_max=True)
    strategies: dict[str, st.SearchStrategy[Any]] = {"betas": st.tuples(betas, betas)}
    strategies |= {name: st.floats(0, 1) for name in UNIT}
    strategies |= {name: st.floats(0, 1e6) for name in FLOATS_FROM_0}
    strategies |= {name: st.floats(0, 1e6, exclude_min=True) for name in FLOATS_ABOVE_0}
    strategies |= {name: st.floats(0, 1, exclude_min=True) for name in SHARES_ABOVE_0}
    strategies |= {name: st.integers(0, 2**40) for name in INTEGERS_FROM_0}
    strategies |= {name: st.integers(1, 10**6) for name in INTEGERS_FROM_1}
    strategies |= {name: st.booleans() for name in BOOLEANS}
    strategies |= {name: st.sampled_from(choices) for name, choices in CHOICES.items()}
    strategies["targets"] = st.just("masks")
    return st.fixed_dictionaries({}, optional=strategies).map(lambda v: {"targets": "masks"} | v)


def test_no_field_is_left_out_here() -> None:
    names = {field.name for field in dataclasses.fields(AdaptConfig)}
    assert names == {*FLOATS, *INTEGERS, *BOOLEANS, *CHOICES, "betas"}
    for name, choices in CHOICES.items():
        assert get_args(get_type_hints(AdaptConfig)[name]) == choices


@settings(max_examples=60, deadline=None)
@given(values=valid_values())
def test_to_dict_and_back_through_json(values: dict[str, Any]) -> None:
    config = AdaptConfig(**values)
    stored = json.loads(json.dumps(config.to_dict()))
    assert set(stored) == {field.name for field in dataclasses.fields(AdaptConfig)}
    assert AdaptConfig.from_dict(stored) == config
    for name, value in values.items():
        assert getattr(config, name) == value
    assert hash(config) == hash(AdaptConfig(**values))


@pytest.mark.parametrize("config", [AdaptConfig(), AdaptConfig.paper()])
def test_presets_survive_the_round_trip(config: AdaptConfig) -> None:
    assert AdaptConfig.from_dict(config.to_dict()) == config
    assert AdaptConfig.from_dict({}) == AdaptConfig()


def test_the_paper_preset_is_the_released_program() -> None:
    """Every number and choice of the method as its authors' program has it."""
    assert AdaptConfig.paper().to_dict() | {"device_cache_bytes": 0, "cpu_cache_bytes": 0} == {
        "reliability_normalizer": "frame",
        "prompt_threshold": 0.8,
        "prompt_dilation": 5,
        "max_objects": 100,
        "targets": "masks",
        "vote_decay": AdaptConfig().vote_decay,  # of no meaning with masks
        "photometric_tolerance": AdaptConfig().photometric_tolerance,  # nor this
        "anchored": False,
        "accept": "always",
        "adapted_share": 1.0,
        "area_weight": 0.3,
        "rarity_weight": 0.8,
        "fill": "iss",
        "distillation_from_probabilities": True,
        "distillation_reduction": "all",
        "contrastive_weight": 1.0,
        "contrastive_temperature": 1.0,
        "contrastive_certainty": "softmax_entropy",
        "ema_rate": 0.99,
        "passes": 5,
        "learning_rate": 1e-3,
        "betas": [0.9, 0.999],
        "weight_decay": 0.01,
        "module_mode": "train",
        "through_previous_frame": True,
        "seed": 0,
        "addon": "paper",
        "memory_decay": AdaptConfig().memory_decay,  # of no meaning with this add-on
        "window_radius": 5,
        "fusion_threshold": 0.8,
        "device_cache_bytes": 0,
        "cpu_cache_bytes": 0,
    }


def test_it_is_frozen_and_keyword_only() -> None:
    config = AdaptConfig()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.passes = 3
    with pytest.raises(TypeError):
        AdaptConfig("frame")
    assert dataclasses.replace(config, passes=3) == AdaptConfig(passes=3)
    with pytest.raises(ConfigError, match="passes"):
        dataclasses.replace(config, passes=0)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", FLOATS)
def test_a_number_of_the_wrong_type(name: str) -> None:
    for value in ("0.5", None, True, [0.5], 0.5 + 0j):
        with pytest.raises(ConfigError, match=rf"{name} is .*expected a number"):
            with_field(name, value)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", INTEGERS)
def test_an_integer_of_the_wrong_type(name: str) -> None:
    for value in ("5", None, True, 5.0, 1.5):
        with pytest.raises(ConfigError, match=rf"{name} is .*expected an integer"):
            with_field(name, value)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", BOOLEANS)
def test_a_boolean_of_the_wrong_type(name: str) -> None:
    for value in (0, 1, "yes", None):
        with pytest.raises(ConfigError, match=rf"{name} is .*expected True or False"):
            with_field(name, value)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_that_is_not_offered(name: str) -> None:
    for value in ("", "nothing", None, 0, ["frame"]):
        with pytest.raises(ConfigError, match=rf"{name} is .*one of \['{CHOICES[name][0]}'"):
            with_field(name, value)


@pytest.mark.parametrize("name", CHOICES)
def test_every_choice_is_accepted(name: str) -> None:
    for value in CHOICES[name]:
        assert getattr(AdaptConfig(**{name: value}), name) == value


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("value", [0.9, [0.9, 0.99], None, ("a", "b"), (True, 0.9)])
def test_betas_of_the_wrong_type(value: object) -> None:
    with pytest.raises(ConfigError, match=r"betas is .*expected a tuple of two floats"):
        AdaptConfig(betas=value)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "value", [(), (0.9,), (0.9, 0.9, 0.9), (1.0, 0.9), (0.9, 1.0), (-0.1, 0.9), (0.9, math.nan)]
)
def test_betas_out_of_range(value: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match=r"betas is .*two numbers in \[0, 1\)"):
        AdaptConfig(betas=value)


@pytest.mark.parametrize("name", FLOATS)
def test_numbers_that_no_field_takes(name: str) -> None:
    for value in (-1e-9, math.nan, math.inf, -math.inf):
        with pytest.raises(ConfigError, match=rf"{name} is .*expected a finite number"):
            with_field(name, value)


@pytest.mark.parametrize("name", UNIT)
def test_shares_end_at_one(name: str) -> None:
    for value in (0, 1, 0.0, 1.0):
        assert getattr(with_field(name, value), name) == value
    with pytest.raises(ConfigError, match=rf"{name} is .*in \[0, 1\]"):
        with_field(name, 1.0000001)


@pytest.mark.parametrize("name", FLOATS_FROM_0 + INTEGERS_FROM_0)
def test_zero_is_the_least(name: str) -> None:
    assert getattr(with_field(name, 0), name) == 0
    with pytest.raises(ConfigError, match=rf"{name} is -1; expected"):
        with_field(name, -1)


@pytest.mark.parametrize("name", SHARES_ABOVE_0)
def test_shares_of_nothing_are_refused(name: str) -> None:
    for value in (1e-300, 0.5, 1):
        assert getattr(with_field(name, value), name) == value
    for value in (0, 0.0, 1.0000001):
        with pytest.raises(ConfigError, match=rf"{name} is {value}; expected"):
            with_field(name, value)


@pytest.mark.parametrize("name", FLOATS_ABOVE_0)
def test_more_than_zero(name: str) -> None:
    assert getattr(with_field(name, 1e-300), name) == 1e-300
    for value in (0, 0.0):
        with pytest.raises(ConfigError, match=rf"{name} is 0.*above 0"):
            with_field(name, value)


@pytest.mark.parametrize("name", INTEGERS_FROM_1)
def test_one_is_the_least(name: str) -> None:
    assert getattr(with_field(name, 1), name) == 1
    with pytest.raises(ConfigError, match=rf"{name} is 0.*of at least 1"):
        with_field(name, 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [("seed", 2**64), ("seed", 10**400), ("learning_rate", 10**400)],
    ids=["seed-65-bits", "seed", "learning_rate"],
)
def test_integers_too_large_for_what_uses_them(name: str, value: int) -> None:
    """Torch takes seeds of 64 bits, and no float holds 10 ** 400."""
    with pytest.raises(ConfigError, match=name):
        with_field(name, value)


def test_the_contrastive_loss_needs_objects() -> None:
    for targets in ("auto", "none"):
        with pytest.raises(ConfigError, match=r"contrastive_weight is 0\.5.*targets='masks'"):
            AdaptConfig(contrastive_weight=0.5, targets=targets)
    for targets in ("masks", "self"):
        assert AdaptConfig(contrastive_weight=0.5, targets=targets).contrastive_weight == 0.5


def test_unknown_fields_are_named() -> None:
    with pytest.raises(ConfigError, match=r"unknown fields \['lr', 'radius'\].*learning_rate"):
        AdaptConfig.from_dict({"lr": 0.1, "radius": 3, "passes": 1})


@pytest.mark.usefixtures("unchecked")
def test_values_from_a_dict_are_checked() -> None:
    with pytest.raises(ConfigError, match="passes is 0"):
        AdaptConfig.from_dict({"passes": 0})
    with pytest.raises(ConfigError, match="betas"):
        AdaptConfig.from_dict({"betas": [0.9]})


def test_from_dict_leaves_its_argument_alone() -> None:
    values = {"betas": [0.5, 0.6]}
    assert AdaptConfig.from_dict(values).betas == (0.5, 0.6)
    assert values == {"betas": [0.5, 0.6]}


def test_errors_can_be_caught_as_value_errors() -> None:
    assert issubclass(ConfigError, ValueError)
    assert issubclass(ConfigError, DittaError)
