"""Frames to be looked at: the labels of both models over each other, parted by a slider."""

from html import escape

from ditta_adapt.reporting.markup import image, picture_size, seconds
from ditta_adapt.reporting.story import Story

_WHO = {
    "adapted": "the adapted model",
    "memory": "the memory",
    "image model": "the image model",
}


def viewer(story: Story) -> str:
    """The samples as HTML, or nothing where there are none.

    Without a script the first one shows, half before and half after; the controls are hidden.
    """
    if not story.samples:
        return ""
    width, height = picture_size(story.samples[0].frame)
    samples = "".join(
        _sample(story, number, (width, height)) for number in range(len(story.samples))
    )
    return (
        '<div class="viewer">'
        f'<div class="stage" style="--ratio: {width / height:.4f}">{samples}'
        '<span class="tag before" aria-hidden="true">Image model alone</span>'
        '<span class="tag after" aria-hidden="true">Video model</span>'
        '<span class="handle" aria-hidden="true"></span>'
        '<input type="range" class="split control" min="0" max="100" value="50" hidden '
        'aria-label="How much of the picture shows the image model alone, in percent">'
        f'</div><p class="caption" aria-live="polite">{_caption(story, 0)}</p>'
        f"{_controls(len(story.samples))}</div>"
    )


def _sample(story: Story, number: int, size: tuple[int, int]) -> str:
    sample = story.samples[number]
    pictures = (
        (sample.frame, f"Frame {sample.index} of the video", "frame"),
        (sample.before, f"Labels of the image model alone at frame {sample.index}", "before"),
        (sample.after, f"Labels of the video model at frame {sample.index}", "after"),
    )
    images = "".join(
        image(file, alt, size=size, kind=kind, lazy=number > 0) for file, alt, kind in pictures
    )
    hidden = " hidden" if number else ""
    return f'<div class="sample" data-caption="{_caption(story, number)}"{hidden}>{images}</div>'


def _caption(story: Story, number: int) -> str:
    index = story.samples[number].index
    name = story.speakers[index]
    return escape(f"Frame {index} · {seconds(story.times[index])} · by {_WHO.get(name, name)}")


def _controls(count: int) -> str:
    scrubber = (
        '<div class="scrubber control" hidden>'
        '<button type="button" class="previous" aria-label="Previous frame">'
        '<span aria-hidden="true">‹</span></button>'
        f'<label><span>Frame</span><input type="range" class="scrub" min="0" max="{count - 1}" '
        'value="0"></label>'
        '<button type="button" class="next" aria-label="Next frame">'
        '<span aria-hidden="true">›</span></button></div>'
    )
    opacity = (
        '<div class="control" hidden><label><span>Opacity of the labels</span>'
        '<input type="range" class="opacity" min="0" max="100" value="60"></label></div>'
    )
    return f'<div class="controls">{scrubber if count > 1 else ""}{opacity}</div>'
