"""The streaming step as one graph of torch, to be run without this library or without Python."""

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from ditta_adapt.errors import SegmenterError
from ditta_adapt.models.compiled import CompiledSegmenter
from ditta_adapt.models.forward import decode, encode, preprocess_frame
from ditta_adapt.models.parameters import device_of, modules_of
from ditta_adapt.models.replayed import ReplayedSegmenter
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.ops.resize import resize_logits
from ditta_adapt.ops.soft_votes import soft_votes
from ditta_adapt.streaming.memory import update_memory
from ditta_adapt.training.student import Student


class StreamingStep(nn.Module):
    """One frame: prepare, encode, decode, add its votes to those of the past, label.

    What is left to the caller is to warp the votes to the next frame, by any optical flow, and to
    multiply them by the decay, see `VideoSegmenter.memory_decay`, and by how well colours fit, see
    `WarpedVotes`.

    Args:
        segmenter: with the weights that are to speak.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        super().__init__()
        self._segmenter = segmenter
        # Registered, so that their weights are those of the graph.
        self.parts = nn.ModuleList(modules_of(segmenter))

    def forward(
        self, frame: UInt8[Tensor, "3 H W"], past: Float[Tensor, "C h w"]
    ) -> tuple[Int64[Tensor, "H W"], Float[Tensor, "C h w"]]:
        """Labels and votes of a frame.

        Args:
            frame: RGB, channels first, on the model's device.
            past: votes of the frames before, warped to this one; zeros for the first.
        """
        own = self._segmenter
        images = preprocess_frame(own, frame)
        if isinstance(own, ReplayedSegmenter):
            logits = own.logits(images)
        else:
            logits = decode(own, encode(own, images)).logits
        votes = update_memory(past, soft_votes(logits))
        size = frame.shape[1], frame.shape[2]
        return resize_logits(votes.unsqueeze(0), size).argmax(dim=1)[0], votes


def export_step(student: Student, frame: UInt8[Tensor, "3 H W"]) -> torch.export.ExportedProgram:
    """The streaming step of a student as a graph, for frames of one size.

    Args:
        student: whose weights the graph has, as they are now.
        frame: any one of the size that is to come.

    Returns:
        What `StreamingStep.forward` computes.

    Raises:
        SegmenterError: the model's forward pass is no graph, such as one that asks tensors for
            their values; or it has an attention add-on, or streams in two precisions.
    """
    own = student.segmenter
    if isinstance(own, CompiledSegmenter):
        own = own.segmenter
    if student.addon is not None or student.precision is not None:
        why = "the decoder runs in another precision than the encoder"
        if student.addon is not None:
            why = "an attention add-on looks at the frame before"
        raise SegmenterError(f"the streaming step cannot be exported: {why}.")
    step = StreamingStep(own).eval()
    device = device_of(own)
    shown = frame.to(device)
    with torch.no_grad():
        logits = decode(own, encode(own, preprocess_frame(own, shown))).logits
        past = torch.zeros(logits.shape[1:], device=device)
        try:
            return torch.export.export(step, (shown, past), strict=False)
        # Whatever torch raises, the model cannot be exported.
        except Exception as error:
            raise SegmenterError(
                f"the streaming step of {type(own).__name__} cannot be exported by torch.export: "
                f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
            ) from error
