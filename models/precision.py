"""What networks calculate in: bfloat16 where it pays."""

from typing import Literal

import torch

from ..errors import InputError

PRECISIONS = ("auto", "float32", "bfloat16")
Precision = Literal["auto", "float32", "bfloat16"]


def fast_in_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):  # older torch does not say
        return False
    able = torch.cpu.get_capabilities()
    return able.get("amx_bf16", False) or able.get("avx512_bf16", False)


def mixed_precision(device: str | torch.device, precision: Precision = "auto") -> torch.autocast:
    """The context to calculate in. precision: "auto" is bfloat16 where the device calculates faster in it; elsewhere
    it is only slower. Raises InputError for an unknown one."""
    check_precision(precision)
    device = torch.device(device)
    halved = fast_in_bfloat16(device) if precision == "auto" else precision == "bfloat16"
    return torch.autocast(device.type, torch.bfloat16, enabled=halved)


def check_precision(precision: str) -> None:
    """Raise InputError for an unknown precision."""
    if precision not in PRECISIONS:
        raise InputError(f"Expected a precision out of {', '.join(PRECISIONS)}, got {precision!r}.")
