"""Local-window cross-attention between two feature maps (Eq. 1)."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from ditta_adapt.errors import InputError, ShapeError

# Tiles of queries. With radius 5 a tile of 8 x 8 sees 18 x 18 keys: 5 keys a query are copied
# where single windows would copy 121.
_TILE_H, _TILE_W = 8, 8
# Scores computed in one call, so that they stay in cache and memory is capped on large frames.
# With gradients every chunk costs a pass over the whole map, so the chunks are larger.
_MAX_SCORES, _MAX_SCORES_WITH_GRADIENT = 2**21, 2**23


def local_window_attention(
    query: Float[Tensor, "B D h w"],
    key: Float[Tensor, "B D h w"],
    value: Float[Tensor, "B V h w"],
    *,
    radius: int | None = 5,
    scale: float = 1.0,
) -> Float[Tensor, "B V h w"]:
    r"""Attend from every pixel to a square window around the same pixel of another map.

    .. math:: A(x) = \sum_{y \in N(x)} \mathrm{softmax}_{y \in N(x)}
              \bigl(s\, Q(x) \cdot K(y)\bigr)\, V(y)

    `N(x)` is the window of `(2 radius + 1)^2` positions around `x`, clipped at the border: what
    lies outside the map is left out, not zero-padded and not shifted inside.

    Queries are cut into tiles, each with the keys of its own halo, and rows of tiles go through
    scaled-dot-product attention together. Memory grows linearly with `h w`.

    Args:
        query: `Q`, `(B, D, h, w)`.
        key: `K`, same shape as `query`.
        value: `V`, `(B, V, h, w)`; `V` and `D` may differ.
        radius: window radius in cells, at least 0; with 0 the result is `value`. With none the
            window is the whole map, and memory may grow with `(h w)^2`.
        scale: `s`; 1 leaves the dot product unscaled, as in the paper.

    Returns:
        `(B, V, h, w)`; every entry is a convex combination of values.

    Raises:
        ShapeError: the three maps do not share batch and grid, or `query` and `key` differ.
        InputError: negative `radius`.

    Source: paper, Eq. 1, which has no window; window and missing scale as in the released program.
    """
    if query.ndim != 4 or query.shape != key.shape:
        raise ShapeError(
            f"query has shape {tuple(query.shape)} and key {tuple(key.shape)}; expected the same "
            "(B, D, h, w)."
        )
    if value.ndim != 4 or value.shape[0] != key.shape[0] or value.shape[2:] != key.shape[2:]:
        raise ShapeError(
            f"value has shape {tuple(value.shape)}; expected (B, V, h, w) with the batch and grid "
            f"of key, {tuple(key.shape)}."
        )
    if radius is not None and radius < 0:
        raise InputError(f"radius is {radius}; expected an integer of at least 0, or none.")
    batch, _, h, w = query.shape
    if radius is None:
        q, k, v = (x.flatten(2).transpose(1, 2) for x in (query, key, value))
        everywhere = F.scaled_dot_product_attention(q, k, v, scale=scale)
        return everywhere.transpose(1, 2).reshape(value.shape)
    rows, columns = -(-h // _TILE_H), -(-w // _TILE_W)
    queries = _tiles(query, rows, columns, radius=0)
    keys = _tiles(key, rows, columns, radius)
    values = _tiles(value, rows, columns, radius)
    mask_y = _window(h, rows, _TILE_H, radius, query.device)
    mask_x = _window(w, columns, _TILE_W, radius, query.device)

    scores_per_row = batch * columns * queries.shape[-2] * queries.shape[-1]
    scores_per_row *= keys.shape[-2] * keys.shape[-1]
    learning = torch.is_grad_enabled() and any(x.requires_grad for x in (query, key, value))
    step = max(1, (_MAX_SCORES_WITH_GRADIENT if learning else _MAX_SCORES) // scores_per_row)
    parts = [
        _attend(
            queries[:, :, i : i + step],
            keys[:, :, i : i + step],
            values[:, :, i : i + step],
            mask_y[i : i + step, None, :, None, :, None] & mask_x[None, :, None, :, None, :],
            scale,
        )
        for i in range(0, rows, step)
    ]
    return torch.cat(parts, dim=2)[:, :, :h, :w]


def _tiles(
    grid: Float[Tensor, "B D h w"], rows: int, columns: int, radius: int
) -> Float[Tensor, "B D rows columns th tw"]:
    """Overlapping tiles with a halo of `radius`, zero-padded: a view of the padded grid."""
    h, w = grid.shape[2:]
    right, bottom = columns * _TILE_W - w + radius, rows * _TILE_H - h + radius
    padded = F.pad(grid, (radius, right, radius, bottom))
    tall = padded.unfold(2, _TILE_H + 2 * radius, _TILE_H)
    return tall.unfold(3, _TILE_W + 2 * radius, _TILE_W)


def _window(
    length: int, tiles: int, tile: int, radius: int, device: torch.device
) -> Bool[Tensor, "tiles tile halo"]:
    """Along one axis: which key of a tile's halo each of its queries may see."""
    start = torch.arange(tiles, device=device)[:, None, None] * tile
    query = start + torch.arange(tile, device=device)[None, :, None]
    key = start + torch.arange(tile + 2 * radius, device=device)[None, None, :] - radius
    inside = (key >= 0) & (key < length)
    # Padded queries are cropped later; they must see some key, or their softmax is NaN.
    return ((query - key).abs() <= radius) & (inside | (query >= length))


def _attend(
    query: Float[Tensor, "B D n m th tw"],
    key: Float[Tensor, "B D n m kh kw"],
    value: Float[Tensor, "B V n m kh kw"],
    mask: Bool[Tensor, "n m th tw kh kw"],
    scale: float,
) -> Float[Tensor, "B V H W"]:
    """Attention inside every tile, put back together: `H = n th`, `W = m tw`."""
    batch, _, n, m, th, tw = query.shape
    q, k, v = (x.permute(0, 2, 3, 4, 5, 1).flatten(3, 4).flatten(0, 2) for x in (query, key, value))
    mask = mask.flatten(4, 5).flatten(2, 3).flatten(0, 1).repeat(batch, 1, 1)
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)
    out = out.view(batch, n, m, th, tw, -1)
    return out.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)
