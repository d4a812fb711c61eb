"""Where networks run: no precision is asked for that a device lacks."""

from __future__ import annotations

import pytest
import torch

from hmd_removal.errors import InputError
from hmd_removal.models.device import full_precision, mixed_precision, with_all_operations


@pytest.mark.parametrize("name", ["mps", "privateuseone"])
def test_devices_without_autocast_are_left_in_float32(name: str) -> None:
    """PyTorch knows mps there only since 2.3, and DirectML not at all: asking is an error by itself."""
    for context in (mixed_precision(name), full_precision(torch.device(name))):
        with context:
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    with pytest.raises(InputError, match="needs a CUDA device or the CPU"):
        mixed_precision(name, "bfloat16")


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(InputError, match="precision out of auto, float32, bfloat16, got 'half'"):
        mixed_precision("cpu", "half")


def test_directml_calculates_the_frame_path_on_the_cpu() -> None:
    assert with_all_operations(torch.device("privateuseone")) == torch.device("cpu")
    assert with_all_operations(torch.device("mps")) == torch.device("mps")
