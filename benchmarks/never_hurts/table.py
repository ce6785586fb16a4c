"""What came of all cases, in tables."""

import itertools
from collections.abc import Sequence

import numpy as np

from benchmarks.never_hurts.collect import CANDIDATES
from benchmarks.never_hurts.judging import ERRORS, Collected, calibration, leave_out
from ditta_adapt import Checks
from ditta_adapt.reporting.tables import markdown


def report(cases: Sequence[Collected]) -> str:
    """All tables, as Markdown."""
    parts = [overview(cases), networks(cases), choices(cases), judged(cases), worst(cases)]
    return "\n\n".join([*parts, costs(cases)])


def overview(cases: Sequence[Collected]) -> str:
    """The preset as it is, and each candidate if it always spoke."""
    rows = [HEADER]
    groups = {
        "clean": [case for case in cases if not case.corrupted],
        "corrupted": [case for case in cases if case.corrupted],
    }
    for group, chosen in groups.items():
        for name in ("default", *CANDIDATES[1:]):
            if chosen:
                label = f"{group}, {name}" + ("" if name == "default" else " always")
                steady = [case.consistency(name) for case in chosen]
                rows.append(row(label, [case.change(name) for case in chosen], steady))
    return markdown(rows)


def networks(cases: Sequence[Collected]) -> str:
    """The preset as it is, by network."""
    rows = [["network", *HEADER[1:]]]
    for name in dict.fromkeys(sorted(case.network for case in cases)):
        chosen = [case for case in cases if case.network == name]
        steady = [case.consistency() for case in chosen]
        rows.append(row(name, [case.change("default") for case in chosen], steady))
    return markdown(rows)


def choices(cases: Sequence[Collected]) -> str:
    """The constant that is chosen, and what it gives where it was not chosen."""
    rows = [["judge", *HEADER[1:-1]]]
    for errors in ERRORS:
        values = [case.replayed(Checks(standard_errors=errors)) for case in cases]
        rows.append(row(f"{errors:g} standard errors", values))
    rows.append(row("left out: the video", leave_out(cases, lambda case: case.video)))
    rows.append(row("left out: the network", leave_out(cases, lambda case: case.network)))
    return markdown(rows)


def judged(cases: Sequence[Collected]) -> str:
    """How far opinions are right."""
    rows = [["opinion", "looks", "mean true change", "of these under 0"]]
    pairs = np.array(calibration(cases) or [(0.0, 0.0)])
    edges = [-np.inf, -0.05, -0.02, -0.005, 0.005, 0.02, 0.05, np.inf]
    for low, high in itertools.pairwise(edges):
        chosen = pairs[(pairs[:, 0] > low) & (pairs[:, 0] <= high), 1]
        if len(chosen):
            share = f"{np.mean(chosen < -0.002):.0%}"
            shown = f"{low:+.3f} to {high:+.3f}"
            rows.append([shown, f"{len(chosen)}", f"{chosen.mean():+.4f}", share])
    return markdown(rows)


def worst(cases: Sequence[Collected], count: int = 8) -> str:
    """The cases that lose most."""
    rows = [["worst cases", "image model", *("default", *CANDIDATES[1:])]]
    for case in sorted(cases, key=lambda case: case.change("default"))[:count]:
        own = case.about["case"]
        label = f"{own['network']}, {own['video']}, every {own['stride']}, {own['warmup']:.0%}"
        label += f", {own['corruption'] or 'clean'}"
        changes = [f"{case.change(name):+.4f}" for name in ("default", *CANDIDATES[1:])]
        rows.append([label, f"{case.base:.4f}", *changes])
    return markdown(rows)


def costs(cases: Sequence[Collected]) -> str:
    """Passes of the image model that looks cost."""
    frames = sum(len(case.confusion["default"]) for case in cases)
    warmups = sum(case.about["warmup"] for case in cases)
    stream = sum(case.about["look_passes"] for case in cases)
    before = sum(case.about["warmup_passes"] for case in cases)
    seconds = sum(case.about["seconds"] for case in cases)
    return (
        f"{len(cases)} cases, {frames} streamed frames ({frames / len(cases):.0f} a case): looks "
        f"cost {stream / frames:.2f} passes a frame; in the warm-up, {before / warmups:.1f} a "
        f"frame. {seconds / len(cases):.0f} s a case."
    )


HEADER = ["", "cases", "mean", "worst", "under -.005", "under -.010", "mVC8"]


def row(label: str, changes: Sequence[float], steady: Sequence[float] = ()) -> list[str]:
    """How some changes are spread, under `HEADER`; NaN in `steady` is left out."""
    values = np.array(changes)
    cells = [label, f"{len(values)}", f"{values.mean():+.4f}", f"{values.min():+.4f}"]
    cells += [f"{np.sum(values < -limit)}" for limit in (0.005, 0.01)]
    if len(steady):
        known = [value for value in steady if not np.isnan(value)]
        cells.append(f"{np.mean(known):+.4f}" if known else "")
    return cells
