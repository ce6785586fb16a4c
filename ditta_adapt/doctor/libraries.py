"""Which libraries there are, of which version, and whether they can be imported."""

import platform
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from importlib.metadata import PackageNotFoundError, packages_distributions, requires, version
from importlib.util import find_spec

import torch
from torch.torch_version import TorchVersion

from ditta_adapt.doctor.finding import Finding, found
from ditta_adapt.errors import MissingDependencyError
from ditta_adapt.io.optional import LIBRARIES
from ditta_adapt.version import __version__

_PROJECT = "ditta-adapt"
_CORE = ("torch", "numpy", "safetensors", "jaxtyping", "filelock")
# What only libraries and adapters import, not `require`.
_OTHERS = {
    "scipy": ("SciPy", "hf"),
    "sam2": ("sam2", "sam2"),
    "argcomplete": ("argcomplete", "shell"),
}


def libraries() -> list[Finding]:
    """This library, Python, what the core is made of, and what the extras bring."""
    owners = packages_distributions()
    bounds = _requirements()
    findings = [_project(), Finding("Python", "ok", platform.python_version())]
    for module in _CORE:
        findings.append(_library(module, module, "all", owners, bounds))
    for module, (called, extra) in (LIBRARIES | _OTHERS).items():
        findings.append(_library(module, called, extra, owners, bounds))
    # Nothing here needs torchvision, so that it is only of interest where it does harm.
    return findings if find_spec("torchvision") is None else [*findings, _torchvision(owners)]


def unmet(installed: str, requirement: str) -> str:
    """The first bound that a version does not keep, such as `>=5.17`; empty if it keeps all.

    Args:
        installed: a version.
        requirement: as `pyproject.toml` has it, such as `sam2>=1.1,<1.2; extra == "sam2"`.
    """
    for sign, bound in re.findall(r"(>=|<)([\w.]+)", requirement.partition(";")[0]):
        if (TorchVersion(installed) >= bound) != (sign == ">="):
            return f"{sign}{bound}"
    return ""


def _project() -> Finding:
    if _requirements():
        return Finding(_PROJECT, "ok", __version__)
    # Adapters and data sets are found through what an installation says of itself.
    detail = f"{__version__}, which runs from its folder and is not installed: it has no adapters"
    return Finding(_PROJECT, "problem", detail, "pip install -e . in that folder")


def _library(
    module: str,
    called: str,
    extra: str,
    owners: Mapping[str, list[str]],
    bounds: Mapping[str, str],
) -> Finding:
    # Not always one: OpenCV comes in four distributions.
    owner = owners.get(module, [called])[0]
    finding = found(
        called,
        _importing(module, called, extra, owner),
        f"pip check says whether it lacks something; if not, {_reinstall(owner)}",
    )
    bound = bounds.get(_normal(owner), "")
    if finding.status == "ok" and (broken := unmet(finding.detail, bound)):
        detail = f"{finding.detail}; expected {broken}"
        wanted = bound.partition(";")[0].strip()
        return replace(finding, status="problem", detail=detail, remedy=f"pip install '{wanted}'")
    return finding


def _importing(module: str, called: str, extra: str, owner: str) -> Callable[[], str]:
    def look() -> str:
        if find_spec(module) is None:
            raise MissingDependencyError.for_extra(called, extra)
        import_module(module)
        return version(owner)

    return look


def _torchvision(owners: Mapping[str, list[str]]) -> Finding:
    def look() -> str:
        vision = import_module("torchvision")
        # One of its operators: a build for another torch may be imported and yet have none.
        vision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
        return version(owners.get("torchvision", ["torchvision"])[0])

    return found(
        "torchvision",
        look,
        "transformers and timm fail with it, and nothing here needs it: pip uninstall torchvision, "
        f"or install the build that belongs to torch {torch.__version__}",
    )


def _reinstall(owner: str) -> str:
    return f"pip install --force-reinstall --no-deps {owner}"


def _requirements() -> dict[str, str]:
    """The requirements of this library and its extras, by distribution; none if not installed."""
    try:
        lines = requires(_PROJECT) or []
    except PackageNotFoundError:
        return {}
    return {_normal(re.split(r"[^\w.-]", line, maxsplit=1)[0]): line for line in lines}


def _normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()
