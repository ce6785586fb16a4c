"""Small SAM 2 of the `sam2` package with random weights, and the package's own way to run it."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ditta_adapt import (
    Prompt,
)

pytest.importorskip("sam2", reason="the sam2 package is not installed")
hydra = pytest.importorskip("hydra", reason="sam2 needs hydra-core")

REAL_CONFIG = "configs/sam2.1/sam2.1_hiera_t.yaml"
# The architecture of the smallest published model, narrowed: 64 x 64 input, 1.1 M weights.
SMALL = [
    "model.image_size=64",
    "model.image_encoder.trunk.embed_dim=8",
    "model.image_encoder.trunk.stages=[1,1,2,1]",
    "model.image_encoder.trunk.global_att_blocks=[3]",
    "model.image_encoder.neck.backbone_channel_list=[64,32,16,8]",
    "model.image_encoder.neck.d_model=64",
    "model.image_encoder.neck.position_encoding.num_pos_feats=64",
    "model.memory_attention.num_layers=1",
    "model.memory_attention.d_model=64",
    "model.memory_attention.layer.d_model=64",
    "model.memory_attention.layer.dim_feedforward=64",
    "model.memory_attention.layer.self_attention.embedding_dim=64",
    "model.memory_attention.layer.self_attention.feat_sizes=[4,4]",
    "model.memory_attention.layer.cross_attention.embedding_dim=64",
    "model.memory_attention.layer.cross_attention.feat_sizes=[4,4]",
    "model.memory_attention.layer.cross_attention.kv_in_dim=16",
    "++model.memory_encoder.in_dim=64",
    "model.memory_encoder.out_dim=16",
    "model.memory_encoder.position_encoding.num_pos_feats=16",
    "++model.memory_encoder.mask_downsampler.embed_dim=64",
    "model.memory_encoder.fuser.layer.dim=64",
]
Clicks = Sequence[tuple[int, tuple[int, int]]]
FIRST: Clicks = [(3, (5, 5)), (1, (40, 30))]


def small_config(overrides: Sequence[str] = ()) -> Any:
    import sam2  # noqa: F401 - tells hydra where the package's configs are.

    target = "++model._target_=sam2.sam2_video_predictor.SAM2VideoPredictor"
    return hydra.compose(REAL_CONFIG, overrides=[target, *SMALL, *overrides])


def small_predictor(seed: int = 1) -> Any:
    from hydra.utils import instantiate

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        predictor = instantiate(small_config().model, _recursive_=True).eval()
    # Untrained, it hardly looks at its memory, and may see no object at all.
    with torch.no_grad():
        for layer in predictor.memory_attention.layers:
            layer.cross_attn_image.v_proj.weight.mul_(10)
        predictor.memory_encoder.mask_downsampler.encoder[-1].weight.mul_(30)
        predictor.memory_encoder.out_proj.weight.mul_(10)
        predictor.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.add_(1)
    return predictor


def prompts_of(clicks: Clicks, size: tuple[int, int] = (37, 50)) -> list[Prompt]:
    region = torch.zeros(size, dtype=torch.bool)
    return [Prompt(object_id, point, region) for object_id, point in clicks]


def follow(
    session: Any, order: Sequence[int], clicks: dict[int, Clicks]
) -> dict[int, dict[int, torch.Tensor]]:
    """Masks by frame and object, from our session."""
    size = tuple(session._masks.shape[1:])
    found = {}
    for index, t in enumerate(order):
        masks = session.propagate(order[index - 1], t) if index else session.prompt(t, [])
        if t in clicks:
            masks = session.prompt(t, prompts_of(clicks[t], size))
        assert masks.masks.dtype == torch.bool
        found[t] = dict(zip(masks.object_ids.tolist(), masks.masks, strict=True))
    return found


def package_state(predictor: Any, frames: Sequence[np.ndarray], patch: pytest.MonkeyPatch) -> Any:
    """A state built by the package, from tensors in place of files."""
    images = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2) / 255
    images = F.interpolate(images, (64, 64), mode="bilinear", antialias=True)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    images = (images - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    with patch.context() as patched:
        patched.setattr(
            "sam2.sam2_video_predictor.load_video_frames",
            lambda **_: (images, frames[0].shape[0], frames[0].shape[1]),
        )
        return predictor.init_state("no file")


def follow_in_package(
    predictor: Any,
    frames: Sequence[np.ndarray],
    order: Sequence[int],
    clicks: dict[int, Clicks],
    patch: pytest.MonkeyPatch,
) -> dict[int, dict[int, torch.Tensor]]:
    """Masks by frame and object, by the public methods of the package only."""
    state = package_state(predictor, frames, patch)
    starts = [t for t in order if t in clicks]
    found: dict[int, dict[int, torch.Tensor]] = {t: {} for t in order}
    for start, stop in pairwise([*starts, order[-1]]):
        for object_id, point in clicks[start]:
            predictor.add_new_points_or_box(
                state, start, object_id, np.array([point], np.float32), np.array([1], np.int32)
            )
        steps = predictor.propagate_in_video(
            state, start, abs(stop - start), reverse=order[0] > order[-1]
        )
        for t, ids, logits in steps:
            found[t] = dict(zip(ids, logits[:, 0] > 0, strict=True))
    return found


def assert_same(
    ours: dict[int, dict[int, torch.Tensor]], theirs: dict[int, dict[int, torch.Tensor]]
) -> None:
    assert list(ours) == list(theirs)
    for t in ours:
        assert list(ours[t]) == list(theirs[t])
        for object_id in ours[t]:
            assert torch.equal(ours[t][object_id], theirs[t][object_id]), (t, object_id)
