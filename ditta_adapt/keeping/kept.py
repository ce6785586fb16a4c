"""What a video model keeps: saved to a folder or the model hub, loaded from there, exported."""

import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TypeVar

import torch

from ditta_adapt import persistence
from ditta_adapt.config import AdaptConfig
from ditta_adapt.errors import InputError
from ditta_adapt.io.files import write_files
from ditta_adapt.io.frame_format import FrameFormat
from ditta_adapt.io.frames import FrameLike, frame_to_tensor
from ditta_adapt.keeping.domain_weights import is_domain, load_domain
from ditta_adapt.keeping.hub import local_folder, push_folder
from ditta_adapt.keeping.model_card import model_card
from ditta_adapt.models.caller_state import own_gradient_mode
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.report import AdaptationReport
from ditta_adapt.streaming.exclusive import Exclusive
from ditta_adapt.streaming.exporting import export_step
from ditta_adapt.streaming.stream import Stream
from ditta_adapt.teachers.propagator import Propagator

KeptT = TypeVar("KeptT", bound="Kept")


class Kept(ABC):
    """The part of `VideoSegmenter` that saves, loads and exports."""

    segmenter: Segmenter
    config: AdaptConfig
    report: AdaptationReport | None
    _alone: Exclusive
    _stream: Stream
    _compile: bool
    _layout: FrameFormat

    @property
    @abstractmethod
    def propagator(self) -> Propagator:
        """What warps votes, where they are remembered."""

    @abstractmethod
    def _pretrained(self, segmenter: Segmenter) -> Stream:
        """An image model as it is, frame by frame."""

    @abstractmethod
    def _set_stream(self, stream: Stream) -> None:
        """Go on with another stream."""

    def save_pretrained(self, path: str | Path, *, state: bool = False) -> None:
        """Write the adapted modules to a folder: `model.safetensors` and `config.json`.

        The frozen encoder is not written; the configuration is, as it was given and as it was
        decided for this video. If nothing was adapted, these are the pre-trained weights.

        With `state` what is remembered of the video is written, too, to `state.safetensors`: what
        loads it goes on with the next frame as if nothing had happened. What a propagator was
        trained to is not written.

        Raises:
            InputError: the state is asked for, and the propagator was trained.
            CheckpointError: the folder cannot be written. Files already there are replaced only
                when both new ones are complete.
        """
        if state and self.config.propagator_training is not None:
            raise InputError(
                "state is True and the config has a propagator_training; what the propagator was "
                "trained to is not written, so the next frame could not be the same. Pass "
                "state=False, or adapt without it."
            )
        with self._alone:
            persistence.save(path, self._stream, self.segmenter, self.config, state=state)

    def load_pretrained(self: KeptT, path: str | Path) -> KeptT:
        """This video model with what `save_pretrained` wrote, its config and memory, if any.

        The stream goes on as was decided for that video; the next one is adapted to as was asked.
        Of what was learned of a domain, see `adapt_to_domain`: its image model is a copy with that
        from now on, and each video is adapted to from there.

        Args:
            path: of the folder, or an id of the model hub, `owner/name`.

        Raises:
            CheckpointError: a file is missing or corrupt, was written by another version of the
                format, or belongs to a different image model. This video model is as it was.
        """
        with self._alone:
            folder = local_folder(path)
            if is_domain(folder):
                adapted = load_domain(folder, self.segmenter)
                stream = self._pretrained(adapted)
                self.segmenter, self.report = adapted, None
                self._set_stream(stream)
                return self
            with own_gradient_mode():
                own = self.segmenter, lambda: self.propagator
                stream, asked = persistence.load(folder, *own, compile=self._compile)
            self.config, self.report = asked, None
            self._set_stream(stream)
        return self

    def export(self, frame: FrameLike) -> torch.export.ExportedProgram:
        """The streaming step as a graph, which runs without this library, and without Python.

        It has the weights of whoever speaks at the moment, as they are now. It neither judges,
        looks a second time, nor sees cuts; and what warps votes is left to the caller.

        Args:
            frame: any one of the size that is to come.

        Returns:
            What `torch.export.save` writes: from a frame `(3, H, W)` uint8 RGB and the votes of the
            past, warped to it, `(C, h, w)` float32, to labels `(H, W)` int64 and votes.

        Raises:
            SegmenterError: the model's forward pass is no graph; or it has an attention add-on, or
                streams in two precisions.
            ShapeError: a malformed frame.
        """
        with self._alone:
            student = self._stream.student_of(self._stream.speaker)
            return export_step(student, frame_to_tensor(frame, layout=self._layout))

    def push_to_hub(self, repo_id: str, *, private: bool = False, token: str | None = None) -> str:
        """Put what was adapted on the model hub, with a card that says what was done.

        Args:
            repo_id: `owner/name`; the repository is made if it is missing.
            private: whether a new one is.
            token: of the hub; by default that of the user who is logged in.

        Returns:
            The address of the commit.

        Raises:
            CheckpointError: the hub does not take it, or cannot be reached.
            MissingDependencyError: `huggingface_hub` is not installed.
        """
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            self.save_pretrained(folder)
            card = model_card(self.segmenter, self.report, repo_id)
            write_files({folder / "README.md": card})
            return push_folder(folder, repo_id, private=private, token=token)
