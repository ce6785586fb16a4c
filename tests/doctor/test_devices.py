"""Where models can run, on machines that are made up."""

import warnings
from collections.abc import Callable

import pytest
import torch

from ditta_adapt.doctor import Finding, devices


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Finding]]:
    """What is found besides the CPU."""

    def found(
        *, gpus: int = 0, cuda: str | None = None, smi: str | None = None, mps: bool = False
    ) -> list[Finding]:
        def is_available() -> bool:
            if not gpus:
                warnings.warn("the driver is\ntoo old", stacklevel=1)
            return gpus > 0

        monkeypatch.setattr(torch.cuda, "is_available", is_available)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (2**30, 3 * 2**29))
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"Toy {index}")
        monkeypatch.setattr(torch.version, "cuda", cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(devices.shutil, "which", lambda _: smi)
        cpu, *others = devices.devices()
        assert (cpu.subject, cpu.status) == ("CPU", "ok")
        return others

    return found


def test_this_machine() -> None:
    assert {finding.status for finding in devices.devices()} <= {"ok", "missing"}
    assert devices.devices()[0].detail == f"{torch.get_num_threads()} threads"


def test_a_cpu_and_nothing_else(machine: Callable[..., list[Finding]]) -> None:
    assert machine() == []


def test_each_gpu_is_tried(
    machine: Callable[..., list[Finding]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(device: str) -> None:
        if device == "cuda:1":
            raise RuntimeError("no kernel image")

    monkeypatch.setattr(devices, "_sum_on", add)
    first, second = machine(gpus=2, cuda="12.8")
    assert first == Finding("cuda:0", "ok", "Toy 0, 1.5 GiB, 1.0 of them free")
    assert (second.subject, second.status) == ("cuda:1", "problem")
    assert second.detail == "RuntimeError: no kernel image"
    assert "driver" in second.remedy


def test_a_sum_fails_where_there_is_no_such_device() -> None:
    with pytest.raises((RuntimeError, AssertionError)):
        devices._sum_on("cuda:77")


def test_a_torch_for_cuda_without_a_gpu(machine: Callable[..., list[Finding]]) -> None:
    (finding,) = machine(cuda="12.8", smi="/usr/bin/nvidia-smi")
    assert finding.status == "missing"
    assert finding.detail == (
        "torch is built for CUDA 12.8, and finds no GPU: the driver is too old"
    )
    assert "nvidia-smi" in finding.remedy


def test_a_gpu_that_torch_is_not_built_for(machine: Callable[..., list[Finding]]) -> None:
    (finding,) = machine(smi="/usr/bin/nvidia-smi")
    assert finding.status == "missing"
    assert "built without CUDA" in finding.detail


def test_a_gpu_of_apple(
    machine: Callable[..., list[Finding]], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    monkeypatch.setattr(devices, "_sum_on", tried.append)
    assert machine(mps=True) == [Finding("mps", "ok", "Apple's GPU")]
    assert tried == ["mps"]
