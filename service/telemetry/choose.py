"""Which sampler watches a run's device."""

from __future__ import annotations

from service.ports import Sampler
from service.telemetry.absent import AbsentSampler
from service.telemetry.nvml import NVMLError, fault_of, uuid_at
from service.telemetry.nvml_sampler import NvmlSampler
from service.telemetry.process import ProcessSampler


def make_sampler(device: str, pci_address: str | None = None) -> Sampler:
    """The sampler of `cpu` or `cuda:N`, not yet started; hardware that is not there is an absent sampler.

    `pci_address` is the GPU's, as CUDA gives it: CUDA_VISIBLE_DEVICES gives CUDA's devices other numbers than NVML's,
    the address is one device's whatever its number.
    """
    if device == "cpu":
        return ProcessSampler(device)
    if pci_address is None:
        return AbsentSampler(device, "its PCI address is not known, by which NVML would find it")
    try:
        uuid = uuid_at(pci_address)
    except NVMLError as error:
        fault = fault_of(error)
        return AbsentSampler(device, str(fault), fault.status, lost=fault.lost)
    return NvmlSampler(device, uuid)
