"""Draw the four stages of the method into docs/method.md, from the table of steps below.

python -m tools.draw_stages
"""

from dataclasses import dataclass

from tools.page import replace_part, rewrite
from tools.rooms import ROOT

PAGE = ROOT / "docs" / "method.md"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a stage.

    Attributes:
        what: is done, in a few words.
        by: the function or class that does it, inside of `ditta_adapt`.
        option: the record of the configuration that asks for it; empty for what is always done.
    """

    what: str
    by: str
    option: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """One of the four stages.

    Attributes:
        letter: its name.
        title: what it is for.
        where: on which frames, and with what help.
        steps: in the order in which they are done.
    """

    letter: str
    title: str
    where: str
    steps: tuple[Step, ...]


STAGES = (
    Stage(
        "A",
        "What the image model says",
        "warm-up frames; no propagator",
        (
            Step("encode and decode each frame, once", "targets.warm_up.WarmUp.from_frames"),
            Step("look again, at other sizes", "models.second_look.second_look", "SecondLook"),
            Step(
                "labels and reliability (Eq. 2)",
                "models.frozen_prediction.predict_frozen",
                "MaskVote",
            ),
        ),
    ),
    Stage(
        "B",
        "What there is to learn",
        "warm-up frames; the propagator",
        (
            Step('decide what is left to "auto"', "safety.resolution.resolve"),
            Step("find points to prompt", "targets.prompts.select_points", "MaskVote"),
            Step("follow objects both ways", "targets.tracking.track_objects", "MaskVote"),
            Step("one class a mask (Eq. 4), paint", "targets.mask_vote.mask_vote", "MaskVote"),
            Step("frames vote on each other", "targets.dense_vote.dense_vote", "DenseVote"),
        ),
    ),
    Stage(
        "C",
        "Learn it",
        "warm-up frames; no propagator",
        (
            Step(
                "refuse what contradicts the model",
                "safety.target_check.check_targets_against_model",
                "Checks",
            ),
            Step("passes, one step a frame (Eq. 8)", "training.train.train_student"),
            Step("  loss of the labels (Eq. 5)", "training.distillation.Distillation"),
            Step(
                "  second logits (Eq. 1), their loss",
                "training.addon.TemporalAddon",
                "AttentionAddon",
            ),
            Step("  loss of objects (Eq. 6, 7)", "training.contrast.ContrastiveTerm", "Contrast"),
            Step("go part of the way", "training.changes.interpolate"),
            Step("keep as much as is safe", "safety.roll_back.roll_back", "Checks"),
        ),
    ),
    Stage(
        "D",
        "Frame after frame",
        "all frames after the warm-up; no mask tracker",
        (
            Step("encode the frame", "models.forward.encode_frame"),
            Step("warp the votes so far", "streaming.memory.past_votes", "WarpedVotes"),
            Step(
                "do the weights still belong here?",
                "safety.drift_monitor.DriftMonitor.after",
                "Checks",
            ),
            Step("who speaks?", "safety.judge.Judge", "SecondLook"),
            Step("decode it", "training.student.Student.decode"),
            Step("add its votes", "streaming.memory.update_memory", "WarpedVotes"),
            Step("second logits (Eq. 1)", "training.addon.TemporalAddon", "AttentionAddon"),
            Step("reliability, fusion (Eq. 2, 3)", "streaming.prediction.predict_frame"),
            Step("now and then look again", "models.second_look.second_look", "SecondLook"),
            Step("judge with it, then remember it", "safety.agreement.agreement", "SecondLook"),
        ),
    ),
)


def drawn(page: str) -> str:
    """The page with the stages drawn anew."""
    return replace_part(page, "stages", drawing())


def drawing() -> str:
    """One box of steps a stage: what is done, by which function, and which option asks for it."""
    steps = [step for stage in STAGES for step in stage.steps]
    what = max(len(step.what) for step in steps) + 2
    by = max(len(step.by) for step in steps) + 2
    option = max(len(step.option) for step in steps)
    width = what + by + option
    lines = ["```text"]
    for stage in STAGES:
        title = f"{stage.letter}  {stage.title} "
        lines.append(f"┌ {title}{f' {stage.where} ┐':─>{width - len(title) + 2}}")
        lines += [
            f"│ {step.what:<{what}}{step.by:<{by}}{step.option:<{option}} │" for step in stage.steps
        ]
        lines.append(f"└{'─' * (width + 2)}┘")
        lines.append(f"{'▼':>{width // 2}}")
    return "\n".join([*lines[:-1], "```"])


if __name__ == "__main__":
    rewrite(PAGE, drawn)
