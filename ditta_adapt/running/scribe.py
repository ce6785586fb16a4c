"""Everything that is written and counted of a frame once it has its labels."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Integer, UInt8

from ditta_adapt.io.encoding import VideoWriter
from ditta_adapt.io.files import write_files
from ditta_adapt.reporting.pictures import overlay
from ditta_adapt.running.classes import Classes
from ditta_adapt.running.flicker import changed_labels
from ditta_adapt.running.label_files import decode_labels, encode_labels
from ditta_adapt.running.pictures import frame_picture, label_picture
from ditta_adapt.running.tally import Tally, share_changed
from ditta_adapt.running.work_folder import WorkFolder
from ditta_adapt.streaming.frame_log import FrameLog
from ditta_adapt.teachers.propagator import Propagator

Labels = Integer[np.ndarray, "H W"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the image model alone says of a frame that is looked at closely.

    Attributes:
        labels: of the frame.
        earlier: of the frame before it; none for the first one.
        reliability: mean reliability of what the video model remembers; none without a memory.
    """

    labels: Labels
    earlier: Labels | None
    reliability: float | None


@dataclass(frozen=True, slots=True)
class Labelled:
    """A frame that has its labels.

    Attributes:
        index: of the frame, from 0.
        time: seconds as the source has them, exactly.
        frame: RGB.
        labels: in `[0, C)`; none if they were written before the run was stopped.
        log: how it came by them; none likewise.
        comparison: for a frame that is looked at closely.
    """

    index: int
    time: Fraction
    frame: UInt8[np.ndarray, "H W 3"]
    labels: Labels | None = None
    log: FrameLog | None = None
    comparison: Comparison | None = None


class Scribe:
    """Writes label maps and the overlay, and counts for the report; one frame after the other.

    Args:
        work: the folder.
        classes: names, colours, and which are kept.
        tally: that is counted in.
        overlays: video that is written to.
        flow: warps maps, to take motion out of flicker.
    """

    def __init__(
        self,
        work: WorkFolder,
        classes: Classes,
        tally: Tally,
        overlays: VideoWriter,
        flow: Propagator,
    ) -> None:
        self._work, self._classes, self._tally = work, classes, tally
        self._overlays = overlays
        self._flow = flow
        self._before: tuple[np.ndarray, Labels] | None = None
        kept = np.zeros(len(classes.names), bool)
        kept[list(classes.kept)] = True
        self._kept = None if kept.all() else kept

    def write(self, item: Labelled) -> None:
        """Write what is to be written of a frame.

        Raises:
            InputError: a file cannot be written; or the labels of a frame that had them are gone.
        """
        if item.labels is None:
            labels = decode_labels(self._work.label_file(item.index))
        else:
            labels = self._shown(item.labels)
            data = encode_labels(labels, self._classes.palette)
            write_files({self._work.label_file(item.index): data})
        self._overlays.write(self._overlay(item.frame, labels), item.time)
        if item.log is not None:
            self._tally.add(float(item.time), labels, self._last_labels(), item.log)
        if item.comparison is not None:
            self._compare(item, labels, item.comparison)
        self._before = item.frame, labels

    def _shown(self, labels: Labels) -> Labels:
        """Labels in the integers of the file, with the classes that are not kept taken out."""
        dtype = np.uint8 if self._classes.other == 255 else np.uint16
        small = labels.astype(dtype)
        if self._kept is not None:
            small[~self._kept[labels]] = self._classes.other
        return small

    def _overlay(self, frame: np.ndarray, labels: Labels) -> np.ndarray:
        palette = self._classes.palette
        if self._kept is None:
            return overlay(frame, labels, palette)
        known = labels < len(palette)
        picture = overlay(frame, np.where(known, labels, 0), palette)
        return np.where(known[..., None], picture, frame)

    def _last_labels(self) -> Labels | None:
        return None if self._before is None else self._before[1]

    def _compare(self, item: Labelled, labels: Labels, comparison: Comparison) -> None:
        palette, size = self._classes.palette, (labels.shape[0], labels.shape[1])
        plain = self._shown(comparison.labels)
        pictures = {
            "frame": frame_picture(item.frame),
            "before": label_picture(plain, palette, size),
            "after": label_picture(labels, palette, size),
        }
        write_files({self._work.picture(item.index, k): file for k, file in pictures.items()})
        tally = self._tally
        if comparison.reliability is not None:
            tally.reliability[item.index] = comparison.reliability
        if comparison.earlier is None or self._before is None:
            return
        earlier = self._shown(comparison.earlier)
        tally.changed_before[item.index] = share_changed(earlier, plain)
        frame, last = self._before
        both = [(earlier, plain), (last, labels)]
        tally.add_flicker(*changed_labels(self._flow, (frame, item.frame), both))
