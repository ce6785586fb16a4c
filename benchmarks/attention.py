"""Local-window attention: tiles against a loop over shifts and the dense form, in one run.

python -m benchmarks.attention
"""

import argparse
import resource
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ditta_adapt.attention import local_window_attention
from ditta_adapt.reporting.tables import plain

RADIUS = 5


def shift_loop(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """The same result by accumulating over the 121 offsets, in two passes over the scores."""
    h, w = query.shape[2:]
    padded_key, padded_value = (F.pad(x, (RADIUS,) * 4) for x in (key, value))
    inside = F.pad(torch.ones(1, h, w, dtype=torch.bool), (RADIUS,) * 4)
    offsets = [(dy, dx) for dy in range(2 * RADIUS + 1) for dx in range(2 * RADIUS + 1)]
    scores = torch.stack(
        [
            (query * padded_key[:, :, dy : dy + h, dx : dx + w])
            .sum(1)
            .masked_fill(~inside[:, dy : dy + h, dx : dx + w], -torch.inf)
            for dy, dx in offsets
        ]
    )
    weights = scores.softmax(0)
    result = torch.zeros_like(value)
    for weight, (dy, dx) in zip(weights, offsets, strict=True):
        result = result + weight[:, None] * padded_value[:, :, dy : dy + h, dx : dx + w]
    return result


def dense(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """The full `(hw) x (hw)` matrix, masked: what the released program computes."""
    h, w = query.shape[2:]
    ys, xs = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    ys, xs = ys.flatten(), xs.flatten()
    near = ((ys[:, None] - ys).abs() <= RADIUS) & ((xs[:, None] - xs).abs() <= RADIUS)
    scores = query.flatten(2).transpose(1, 2) @ key.flatten(2)
    weights = scores.masked_fill(~near, -torch.inf).softmax(-1)
    return (weights @ value.flatten(2).transpose(1, 2)).transpose(1, 2).view_as(value)


def seconds(function: Callable[..., Tensor], *maps: Tensor, backward: bool) -> float:
    """Best of three."""
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        if backward:
            function(*maps).sum().backward()
        else:
            with torch.no_grad():
                function(*maps)
        best = min(best, time.perf_counter() - start)
    return best


def peak_megabytes() -> float:
    """Largest resident set of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--classes", type=int, default=124)
    options = parser.parse_args()
    torch.manual_seed(0)

    def maps(h: int, w: int) -> tuple[Tensor, Tensor, Tensor]:
        query, key = torch.randn(2, 1, options.dim, h, w).unbind(0)
        value = torch.randn(1, options.classes, h, w)
        return tuple(x.div(4).requires_grad_() for x in (query, key, value))  # type: ignore[return-value]

    print(
        f"D = {options.dim}, C = {options.classes}, radius {RADIUS}, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    print("\npeak memory of the tiles, forward + backward, process grows with the grid:")
    lines = [["grid", "MB", "kB a cell"]]
    base = peak_megabytes()
    for h, w in ((60, 107), (120, 107), (120, 214)):
        local_window_attention(*maps(h, w)).sum().backward()
        grown = peak_megabytes() - base
        lines.append([f"{h} x {w}", f"{grown:.0f}", f"{1e6 * grown / (h * w) / 1e3:.2f}"])
    print(plain(lines))

    for h, w in ((60, 107), (120, 214)):
        inputs = maps(h, w)
        lines = [[f"{h} x {w}", "forward, s", "to tiles", "forward + backward, s", "to tiles"]]
        own = [seconds(local_window_attention, *inputs, backward=b) for b in (False, True)]
        for name, function in (("tiles", None), ("shift loop", shift_loop), ("dense", dense)):
            if name == "dense" and h * w > 10_000:
                size = f"not run: {4 * (h * w) ** 2 / 1e9:.1f} GB"
                lines.append([name, size, "", "", ""])
                continue
            times = own
            if function is not None:
                times = [seconds(function, *inputs, backward=b) for b in (False, True)]
            line = [name]
            for taken, of_tiles in zip(times, own, strict=True):
                line += [f"{taken:.2f}", f"{taken / of_tiles:.1f}x"]
            lines.append(line)
        print("\n" + plain(lines))


if __name__ == "__main__":
    main()
