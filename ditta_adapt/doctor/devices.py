"""Where models can run."""

import shutil
import warnings
from collections.abc import Callable

import torch

from ditta_adapt.doctor.finding import Finding, found, one_line

_DRIVER = "update the driver of the GPU, or install a torch for another version of CUDA"


def devices() -> list[Finding]:
    """The CPU, and each GPU that torch knows, after a small sum on it."""
    findings = [Finding("CPU", "ok", f"{torch.get_num_threads()} threads")]
    # Why there is no GPU that can be used is said in a warning.
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    if available:
        findings += [
            found(f"cuda:{index}", _cuda(index), _DRIVER)
            for index in range(torch.cuda.device_count())
        ]
    elif torch.version.cuda is not None:
        why = f": {one_line(said[0].message)}" if said else ""
        detail = f"torch is built for CUDA {torch.version.cuda}, and finds no GPU{why}"
        findings.append(
            Finding("cuda", "missing", detail, "if the machine has one, see what nvidia-smi says")
        )
    elif shutil.which("nvidia-smi"):
        detail = "the machine has nvidia-smi, but torch is built without CUDA"
        findings.append(
            Finding("cuda", "missing", detail, "install a torch for CUDA, see pytorch.org")
        )
    if torch.backends.mps.is_available():
        findings.append(found("mps", _mps))
    return findings


def _cuda(index: int) -> Callable[[], str]:
    def look() -> str:
        _sum_on(f"cuda:{index}")
        free, total = torch.cuda.mem_get_info(index)
        name = torch.cuda.get_device_name(index)
        return f"{name}, {total / 2**30:.1f} GiB, {free / 2**30:.1f} of them free"

    return look


def _mps() -> str:
    _sum_on("mps")
    return "Apple's GPU"


def _sum_on(device: str) -> None:
    """Fails where torch has no code for the device, which it may list all the same."""
    torch.ones(2, device=device).sum().item()
