"""The card of an adaptation on the model hub, written from the run's own numbers."""

from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.report import AdaptationReport, library_versions


def model_card(segmenter: Segmenter, report: AdaptationReport | None, repo_id: str) -> str:
    """Markdown with the hub's metadata: what was adapted to what, how it went, how it is loaded.

    Args:
        segmenter: the image model.
        report: of the adaptation; none if it was loaded, or nothing was adapted.
        repo_id: where it will be.
    """
    model = getattr(segmenter, "model", segmenter)
    base = getattr(model, "name_or_path", "") or type(model).__name__
    lines = [
        "---",
        "library_name: ditta-adapt",
        "pipeline_tag: image-segmentation",
        "tags: [video-segmentation, test-time-adaptation]",
        "---",
        "",
        f"# {repo_id.rpartition('/')[2]}",
        "",
        f"The decoder of `{base}` ({segmenter.num_classes} classes), adapted to one video, without "
        "labels. The encoder is not in here: it is loaded into the model that it was made from, "
        "and refused by any other.",
        "",
        "```python",
        "from ditta_adapt import VideoSegmenter",
        "",
        f'video_model = VideoSegmenter.from_pretrained(my_model, "{repo_id}")',
        "for frame in frames:",
        "    labels = video_model(frame)",
        "```",
        "",
        "## What was done",
        "",
    ]
    if report is None:
        lines.append("Nothing is on record: what was adapted was itself loaded from a file.")
    else:
        lines += [_sentence(report.reason), "", *_numbers(report)]
    versions = report.versions if report is not None else library_versions()
    shown = ", ".join(f"{name} {version}" for name, version in versions.items())
    return "\n".join([*lines, "", f"Versions: {shown}.", ""])


def _numbers(report: AdaptationReport) -> list[str]:
    rows = {
        "warm-up frames": f"{report.num_frames}",
        "propagator": report.propagator,
        "seed": f"{report.config.seed}",
        "model's weights": f"SHA-256 `{report.model_hash[:16]}...`",
    }
    if report.losses:
        first, last = report.losses[0]["total"], report.losses[-1]["total"]
        rows["loss"] = f"{first:.4f} to {last:.4f} in {len(report.losses)} steps"
    if report.verdict is not None:
        rows["kept of it"] = f"{report.verdict.kept_fraction:.0%}"
        rows["changed of what the model was sure of"] = f"{report.verdict.change:.2%}"
    table = [f"| {name} | {value} |" for name, value in rows.items()]
    return ["| | |", "|---|---|", *table]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].removesuffix('.')}."
