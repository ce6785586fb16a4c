"""Presets, short forms, round trips through JSON, and fields that could not act."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ditta_adapt import (
    AdaptConfig,
    AttentionAddon,
    Checks,
    ConfigError,
    Contrast,
    CrossEntropy,
    DenseVote,
    DittaError,
    MaskVote,
    SelfLabels,
    Training,
    WarpedVotes,
)

share = st.floats(0, 1)
positive = st.floats(0, 1e6, exclude_min=True)
beta = st.floats(0, 1, exclude_max=True)


def plain(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A record as JSON has it; some fields are left to their defaults."""
    return st.fixed_dictionaries({"kind": st.just(kind)}, optional=fields)


distillation = st.one_of(
    plain("Anchored"),
    plain("CrossEntropy", double_softmax=st.booleans(), reduction=st.just("all")),
)
fields = {
    "targets": st.one_of(
        st.sampled_from(["auto", "dense", "masks", "self"]),
        plain("DenseVote", decay=share, tolerance=positive),
        plain("MaskVote", prompt_threshold=share, max_objects=st.integers(1, 10**6)),
    ),
    "training": plain(
        "Training",
        passes=st.integers(1, 100),
        betas=st.lists(beta, min_size=2, max_size=2),
        adapted_share=st.floats(0, 1, exclude_min=True),
        distillation=distillation,
    ),
    "memory": st.one_of(
        st.sampled_from([None, "auto", "none", "residual"]),
        plain("WarpedVotes", decay=share),
        plain("AttentionAddon", form=st.just("paper"), radius=st.integers(0, 99)),
    ),
    "safety": st.one_of(
        st.none(), plain("Checks", kept_fractions=st.lists(beta.filter(bool), max_size=4))
    ),
    "seed": st.integers(0, 2**63 - 1),
}


@settings(max_examples=60, deadline=None)
@given(values=plain("AdaptConfig", **fields))
def test_to_dict_and_back_through_json(values: dict[str, Any]) -> None:
    config = AdaptConfig.from_dict(values)
    again = AdaptConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config
    assert hash(again) == hash(config)
    for name, value in values.items():
        if isinstance(value, dict):
            written = config.to_dict()[name]
            assert {key: written[key] for key in value if key != "distillation"} == {
                key: v for key, v in value.items() if key != "distillation"
            }


def test_presets_survive_the_round_trip() -> None:
    for config in (
        AdaptConfig(),
        AdaptConfig.paper(),
        AdaptConfig.as_printed(),
        AdaptConfig(targets=None),
    ):
        assert AdaptConfig.from_dict(config.to_dict()) == config
    assert AdaptConfig.from_dict({}) == AdaptConfig()


def test_the_paper_preset_is_the_released_program() -> None:
    """Every number and choice of the method as its authors' program has it."""
    assert AdaptConfig.paper().to_dict() == {
        "kind": "AdaptConfig",
        "targets": {
            "kind": "MaskVote",
            "prompt_threshold": 0.8,
            "prompt_dilation": 5,
            "max_objects": 100,
            "area_weight": 0.3,
            "rarity_weight": 0.8,
            "outside": "image_model",
        },
        "training": {
            "kind": "Training",
            "passes": 5,
            "steps_per_frame": 1,
            "learning_rate": 1e-3,
            "betas": [0.9, 0.999],
            "weight_decay": 0.01,
            "module_mode": "train",
            "adapted_share": 1.0,
            "class_balance": 0.0,
            "distillation": {"kind": "CrossEntropy", "double_softmax": True, "reduction": "all"},
            "contrast": {
                "kind": "Contrast",
                "weight": 1.0,
                "temperature": 1.0,
                "certainty": "softmax_entropy",
                "ema_rate": 0.99,
            },
        },
        "memory": {
            "kind": "AttentionAddon",
            "form": "paper",
            "radius": 5,
            "fusion_threshold": 0.8,
            "through_previous_frame": True,
        },
        "safety": None,
        "look": None,
        "reliability_normalizer": "frame",
        "propagator_training": None,
        "seed": 0,
    }


@pytest.mark.parametrize(
    ("field", "word", "meaning"),
    [
        ("targets", "dense", DenseVote()),
        ("targets", "masks", MaskVote()),
        ("targets", "self", SelfLabels()),
        ("targets", "none", None),
        ("memory", "warped", WarpedVotes()),
        ("memory", "residual", AttentionAddon(form="residual")),
        ("memory", "paper", AttentionAddon(form="paper")),
        ("memory", "none", None),
        ("safety", "checked", Checks()),
        ("safety", "none", None),
    ],
)
def test_words_are_short_for_records(field: str, word: str, meaning: object) -> None:
    config = AdaptConfig(**{field: word})
    assert getattr(config, field) == meaning
    assert config == AdaptConfig(**{field: meaning})
    assert AdaptConfig.from_dict({field: word}) == config


def test_auto_stays_until_a_propagator_is_known() -> None:
    assert (AdaptConfig().targets, AdaptConfig().memory) == ("auto", "auto")


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("targets", "mask"),
        ("targets", WarpedVotes()),
        ("targets", DenseVote),
        ("memory", "carried"),
        ("memory", 3),
        ("safety", True),
        ("safety", "always"),
        ("training", None),
        ("training", {"passes": 3}),
        ("reliability_normalizer", "ln C"),
        ("seed", 2**64),
        ("seed", -1),
        ("seed", 1.0),
    ],
)
def test_what_no_field_takes(field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"AdaptConfig\.{field} is .*expected"):
        AdaptConfig(**{field: value})


def test_the_contrastive_loss_needs_objects() -> None:
    contrastive = Training(contrast=Contrast(weight=0.5))
    for without in ("auto", DenseVote(), None):
        with pytest.raises(ConfigError, match="contrast"):
            AdaptConfig(targets=without, training=contrastive)
    for objects in (MaskVote(), SelfLabels()):
        assert AdaptConfig(targets=objects, training=contrastive).training == contrastive


def test_what_could_not_act_is_refused() -> None:
    ignoring = MaskVote(outside="ignore")
    with pytest.raises(ConfigError, match="'ignore', which cannot act"):
        AdaptConfig(targets=ignoring)
    plain = Training(distillation=CrossEntropy())
    assert AdaptConfig(targets=ignoring, training=plain).targets == ignoring


def test_it_is_frozen_and_keyword_only() -> None:
    config = AdaptConfig()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 3
    with pytest.raises(TypeError):
        AdaptConfig("auto")
    assert dataclasses.replace(config, seed=3) == AdaptConfig(seed=3)
    with pytest.raises(ConfigError, match="seed"):
        dataclasses.replace(config, seed=-1)


def test_unknown_fields_and_kinds_are_named() -> None:
    with pytest.raises(ConfigError, match=r"unknown fields \['lr'\].*passes"):
        AdaptConfig.from_dict({"training": {"kind": "Training", "lr": 0.1}})
    with pytest.raises(ConfigError, match=r"kind is 'Flow'; expected one of \['DenseVote'"):
        AdaptConfig.from_dict({"targets": {"kind": "Flow"}})
    with pytest.raises(ConfigError, match="a Training; expected a AdaptConfig"):
        AdaptConfig.from_dict({"kind": "Training"})


@pytest.mark.usefixtures("unchecked")
def test_values_from_a_dict_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"Training\.passes is 0"):
        AdaptConfig.from_dict({"training": {"passes": 0}})
    with pytest.raises(ConfigError, match="betas"):
        AdaptConfig.from_dict({"training": {"betas": [0.9]}})


def test_from_dict_leaves_its_argument_alone() -> None:
    values = {"training": {"kind": "Training", "betas": [0.5, 0.6]}}
    assert AdaptConfig.from_dict(values).training.betas == (0.5, 0.6)
    assert values == {"training": {"kind": "Training", "betas": [0.5, 0.6]}}


def test_errors_can_be_caught_as_value_errors() -> None:
    assert issubclass(ConfigError, ValueError)
    assert issubclass(ConfigError, DittaError)


def test_as_printed_differs_from_the_released_program_where_the_text_does() -> None:
    paper, printed = AdaptConfig.paper().to_dict(), AdaptConfig.as_printed().to_dict()

    def differences(
        one: object, other: object, place: str = ""
    ) -> dict[str, tuple[object, object]]:
        if isinstance(one, dict) and isinstance(other, dict):
            found: dict[str, object] = {}
            for key in one:
                found |= differences(one[key], other[key], f"{place}.{key}")
            return found
        return {} if one == other else {place: (one, other)}

    assert differences(paper, printed) == {
        ".targets.outside": ("image_model", "ignore"),
        ".training.passes": (5, 1),
        ".training.steps_per_frame": (1, 5),
        ".training.distillation.double_softmax": (True, False),
        ".training.distillation.reduction": ("all", "valid"),
        ".training.contrast.certainty": ("softmax_entropy", "reliability"),
        ".memory.radius": (5, None),
    }
