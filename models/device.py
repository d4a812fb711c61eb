"""Where networks run, and in what they calculate: the one place that picks a device and a precision."""

from typing import Literal

import torch

from ..errors import InputError

PRECISIONS = ("auto", "float32", "bfloat16")
Precision = Literal["auto", "float32", "bfloat16"]

# PyTorch has had a name of its own for a device's lack of memory since 2.5; before, CUDA's was the only one.
OutOfMemory: type[BaseException] = getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError)


def best_device() -> torch.device:
    """The first GPU of NVIDIA or AMD ("cuda") or of Apple ("mps") if there is one, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def fast_in_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16, and autocast for it."""
    if device.type == "cuda":
        # Compute capability 8.0 (Ampere) brought them. `is_bf16_supported` says yes to older cards, which emulate them,
        # and how to ask it not to differs between versions of PyTorch; AMD's cards have no such numbers.
        return torch.version.hip is not None or torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):  # older torch does not say
        return False
    able = torch.cpu.get_capabilities()
    return able.get("amx_bf16", False) or able.get("avx512_bf16", False)


def mixed_precision(device: str | torch.device, precision: Precision = "auto") -> torch.autocast:
    """The context to calculate in. precision: "auto" is bfloat16 where the device calculates faster in it; elsewhere
    it is only slower. Raises InputError for an unknown one, or for bfloat16 on a device that has no autocast for it."""
    check_precision(precision)
    device = torch.device(device)
    if device.type not in ("cuda", "cpu"):
        # Autocast knows mps only since PyTorch 2.3, and DirectML ("privateuseone") not at all.
        if precision == "bfloat16":
            raise InputError(
                f"The precision 'bfloat16' needs a CUDA device or the CPU, but the network runs on {device.type!r}; "
                "choose 'auto' or 'float32'."
            )
        return torch.autocast("cpu", torch.bfloat16, enabled=False)
    halved = fast_in_bfloat16(device) if precision == "auto" else precision == "bfloat16"
    return torch.autocast(device.type, torch.bfloat16, enabled=halved)


def full_precision(device: torch.device) -> torch.autocast:
    """The context, within `mixed_precision` too, in which nothing is calculated in less than float32."""
    return torch.autocast(device.type if device.type in ("cuda", "cpu") else "cpu", enabled=False)


def with_all_operations(device: torch.device) -> torch.device:
    """The device itself, or the CPU in place of one, as DirectML ("privateuseone"), that may lack an operation of the
    frame path. Networks stay where they are."""
    return device if device.type in ("cuda", "mps", "xpu", "cpu") else torch.device("cpu")


def check_precision(precision: str) -> None:
    """Raise InputError for an unknown precision."""
    if precision not in PRECISIONS:
        raise InputError(f"Expected a precision out of {', '.join(PRECISIONS)}, got {precision!r}.")
