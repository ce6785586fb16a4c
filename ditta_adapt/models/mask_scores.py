"""Class scores of a model that says which masks there are, and of what class each is."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

# A class below this share of a pixel's total gets it: nothing as a probability, and far enough
# from the smallest float32 that gradients summed over an image stay finite.
_FLOOR = 1e-30


def semantic_log_scores(
    class_logits: Float[Tensor, "B Q C1"], mask_logits: Float[Tensor, "B Q h w"]
) -> Float[Tensor, "B C h w"]:
    """Logits whose softmax is the class distribution of queries with masks.

    `log(s / sum_c s)` with `s[c, x] = sum_q softmax(class_logits)[q, c] sigmoid(mask_logits)[q, x]`
    for all classes but the last, "no object". In float32 at least. Finite for any finite input,
    also where every query says "no object" or every mask is off: shares of less than 1e-30 are
    raised to it. A matrix product, so that no `(Q, C, h, w)` tensor is made.
    """
    dtype = torch.promote_types(class_logits.dtype, torch.float32)
    classes = class_logits.to(dtype).log_softmax(-1)[..., :-1]
    # Scaling a query's classes down and its mask up changes nothing, nor does scaling all scores
    # of a pixel: both are chosen so that the best class of each pixel has a score of at least 1.
    best = classes.detach().amax(-1)
    masks = F.logsigmoid(mask_logits.to(dtype)) + best[..., None, None]
    masks = masks - masks.detach().amax(1, keepdim=True)
    scores = torch.einsum("bqc,bqhw->bchw", (classes - best[..., None]).exp(), masks.exp())
    return scores.clamp_min(_FLOOR).log() - scores.sum(1, keepdim=True).log()
