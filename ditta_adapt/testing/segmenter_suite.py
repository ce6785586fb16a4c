"""Check an image-model adapter against the `Segmenter` contract."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

from ditta_adapt.io.frames import Frame
from ditta_adapt.testing import segmenter_model_rules as model
from ditta_adapt.testing import segmenter_output_rules as output
from ditta_adapt.testing import segmenter_state_rules as state
from ditta_adapt.testing.report import CheckReport
from ditta_adapt.testing.rule import Rule
from ditta_adapt.testing.runner import OnFail, bind_rules, run_rules
from ditta_adapt.testing.segmenter_case import SegmenterCase

# A rule stands after those it needs.
SEGMENTER_RULES: tuple[Rule[SegmenterCase], ...] = (
    output.builds,
    output.adaptable_modules,
    output.stable_names,
    state.copies,
    output.output_type,
    output.ranks,
    output.num_classes,
    output.feature_dim,
    output.finite,
    output.shared_grid,
    output.odd_sizes,
    output.channel_order,
    output.deterministic,
    output.batch,
    output.inputs_untouched,
    output.reference,
    model.own_forward,
    output.encoding_moves,
    state.encode_is_frozen,
    state.gradients,
    state.restores,
    model.interpolates,
    state.state_dict,
    state.original_untouched,
    state.prediction_is_pure,
    state.no_graph,
    state.autocast,
    state.dtype_moves,
    state.device_moves,
)


def check_segmenter(
    factory: Callable[[], Any],
    *,
    frames: Sequence[Frame] | None = None,
    reference: Callable[[Tensor], Tensor] | None = None,
    expected_failures: Mapping[str, str] = {},
    include: Sequence[str] | None = None,
    on_fail: OnFail = "raise",
) -> CheckReport:
    """Run every rule of the `Segmenter` contract on adapters made by `factory`.

    Each check builds its own adapter, seeded, and never trains or moves the one it was given but
    a private copy. Needs no test runner.

    Args:
        factory: returns a fresh adapter; a class that takes no arguments will do.
        frames: two or more `(H, W, 3)` uint8 RGB frames; a small generated video by default.
        reference: the model's own forward pass in eval mode: takes what `preprocess` returned,
            returns logits `(B, C, h, w)` on the adapter's grid. Without it that check is skipped.
        expected_failures: reason by name of a check that is known to fail.
        include: names of the checks to run; all by default.
        on_fail: `"raise"` for an error that lists all failures, `"report"` to only return them.

    Returns:
        One result a check.

    Raises:
        ConformanceError: a check failed, or passed although it is listed in
            `expected_failures`; only with `on_fail="raise"`.
        InputError: an unknown name of a check, too few frames, or a wrong `on_fail`.

    Example:
        >>> print(check_segmenter(lambda: MySegmenter(model)))    # doctest: +SKIP
    """
    return run_rules(
        getattr(factory, "__name__", type(factory).__name__),
        SEGMENTER_RULES,
        SegmenterCase.create(factory, frames, reference),
        expected_failures=expected_failures,
        include=include,
        on_fail=on_fail,
    )


def segmenter_checks(
    factory: Callable[[], Any],
    *,
    frames: Sequence[Frame] | None = None,
    reference: Callable[[Tensor], Tensor] | None = None,
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Each check as `(name, function without arguments)`, for any test runner.

    The functions raise if the rule is broken, and `unittest.SkipTest` where it does not apply.
    Arguments and errors are those of `check_segmenter`.
    """
    return bind_rules(SEGMENTER_RULES, SegmenterCase.create(factory, frames, reference))
