"""A stream's state as plain tensors and numbers, to be kept in files, and back."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from ditta_adapt.errors import ConfigError
from ditta_adapt.models.segmenter import SegmenterOutput
from ditta_adapt.safety.drift_monitor import DriftMonitor
from ditta_adapt.safety.judge import Judge, Speaker
from ditta_adapt.safety.memory_length import MemoryLength
from ditta_adapt.streaming.look_plan import LookPlan
from ditta_adapt.streaming.state import StreamState
from ditta_adapt.streaming.trial import Trial

_SAID = "said by the "


def snapshot(state: StreamState) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Everything the next frame needs; what a device has still to answer is waited for.

    Returns:
        Tensors by name, and values that JSON can hold.
    """
    monitor, judge, plan, output = state.watched, state.judged, state.plan, state.output
    length, trial = state.remembering, state.trial
    if length is not None and state.length is not None and length.halvings > state.length.halvings:
        # Its votes are those of a longer memory: the next frame begins a new one.
        trial = None
    tensors = {"frame": state.frame}
    optional = {
        "votes": state.votes,
        "colours": state.colours,
        "trial votes": None if trial is None else trial.votes,
        "trial labels": None if trial is None else trial.labels,
        "left": None if monitor is None else monitor.left,
        "features": None if output is None else output.features,
        "logits": None if output is None else output.logits,
    }
    tensors |= {name: tensor for name, tensor in optional.items() if tensor is not None}
    tensors |= {_SAID + name: labels for name, labels in (state.said or {}).items()}
    return tensors, {
        "count": state.count,
        "trial": None if trial is None else [trial.adapted, trial.frames],
        "length": None if length is None else length.to_values(),
        "monitor": None if monitor is None else [monitor.frames, monitor.collapsed, monitor.cut],
        "opinions": None if judge is None else dict(judge.opinions),
        "plan": None if plan is None else [plan.frames, plan.scene, plan.spent, plan.last],
    }


def restored(
    tensors: Mapping[str, Tensor],
    entry: Mapping[str, Any],
    *,
    length: MemoryLength | None,
    monitor: DriftMonitor | None,
    judge: Judge | None,
    plan: LookPlan | None,
) -> StreamState:
    """The state that `snapshot` was taken of.

    Args:
        tensors: on the device of the model.
        entry: the values beside them.
        length, monitor, judge, plan: of the stream before its first frame; none where it has none.

    Raises:
        ConfigError: what is kept belongs to a stream of another kind.
        KeyError, TypeError, ValueError: it was not made by `snapshot`.
    """
    names = {"monitor": monitor, "opinions": judge, "plan": plan}
    for name, own in names.items():
        if (entry[name] is None) != (own is None):
            raise ConfigError(f"{name} of the stream is {entry[name]!r}, but not of its config.")
    # Before lengths were tested, they were not kept.
    if length is not None and entry.get("length") is not None:
        length = MemoryLength.from_values(entry["length"])
    trial = None
    if entry.get("trial") is not None:
        adapted, remembered = entry["trial"]
        votes, labels = tensors["trial votes"], tensors["trial labels"]
        trial = Trial(votes, labels, bool(adapted), int(remembered))
    if monitor is not None:
        # Before further cuts were noticed, it was not kept whether the last frame was one.
        frames, collapsed, *cut = entry["monitor"]
        monitor = replace(
            monitor,
            frames=int(frames),
            collapsed=bool(collapsed),
            cut=any(cut),
            left=tensors.get("left"),
        )
    if judge is not None:
        opinions = {name: tuple(map(float, found)) for name, found in entry["opinions"].items()}
        if opinions.keys() != judge.opinions.keys():
            raise ConfigError(f"opinions are of {sorted(opinions)}, not {sorted(judge.opinions)}.")
        judge = replace(judge, opinions=opinions)
    if plan is not None:
        frames, scene, spent, last = entry["plan"]
        plan = replace(
            plan,
            frames=int(frames),
            scene=int(scene),
            spent=float(spent),
            last=None if last is None else float(last),
        )
    output = None
    if "features" in tensors:
        output = SegmenterOutput(features=tensors["features"], logits=tensors["logits"])
    speakers: tuple[Speaker, ...] = () if judge is None else ("image model", *judge.opinions)
    said = {who: tensors[_SAID + who] for who in speakers if _SAID + who in tensors}
    return StreamState(
        count=int(entry["count"]),
        frame=tensors["frame"],
        output=output,
        votes=tensors.get("votes"),
        colours=tensors.get("colours"),
        length=length,
        trial=trial,
        monitor=monitor,
        judge=judge,
        plan=plan,
        said=said if said and len(said) == len(speakers) else None,
    )
