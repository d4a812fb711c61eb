"""Frames a second of the networks alone, frame by frame as in a live stream.

The weights do not matter for that.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from ...models.aligned_generator import CHANNELS, AlignedGenerator
from ...models.device import best_device
from ...models.evi_hrnet import EVIHRnet
from ...models.personal_deocclusion import SIDE, PersonalDeocclusion
from ...restore.grid import GRID

PRECISIONS = (torch.float32, torch.bfloat16)

FRAMES, PAPER_FRAMES, PERSONAL_FRAMES = 60, 10, 30
WARM_UP = 5


def run() -> None:
    """Print a line for each network and precision: frames a second, and the 95th percentile of a frame's time."""
    device = best_device().type
    for precision in PRECISIONS:
        net = AlignedGenerator().eval().to(device, memory_format=torch.channels_last)
        times = _times(partial(_generate, net, device), FRAMES, device, precision)
        _report(f"Aligned generator, {GRID} cells a side", times, device, precision)
        net = EVIHRnet().eval().to(device, memory_format=torch.channels_last)
        times = _times(partial(_inpaint, net, device), PAPER_FRAMES, device, precision)
        _report(f"EVI-HRnet, paper, width 64, {net.config.side} px", times, device, precision)
        net = PersonalDeocclusion().eval().to(device, memory_format=torch.channels_last)
        times = _times(partial(_redraw, net, device), PERSONAL_FRAMES, device, precision)
        _report(f"Personal model, paper, {SIDE} px", times, device, precision)


def _report(name: str, times: list[float], device: str, precision: torch.dtype) -> None:
    print(
        f"{name}, {str(precision).removeprefix('torch.')}, {device}: {1 / np.mean(times):.1f} fps "
        f"(p95 {1000 * np.percentile(times, 95):.0f} ms)",
        flush=True,
    )


def _generate(net: AlignedGenerator, device: str, state: Any) -> Any:
    """One frame; returns the state for the next."""
    found, state = net(torch.rand(1, CHANNELS, GRID, GRID, device=device), 1, state)
    found.drawing.sum().item()  # waits until it is there
    return state


def _inpaint(net: EVIHRnet, device: str, state: Any) -> Any:
    frame = torch.rand(1, 1, 3, net.config.side, net.config.side, device=device)
    flat = torch.zeros_like(frame[:, :, :1])
    filled, state = net(frame, flat, flat, frame, state)
    filled.float().sum().item()
    return state


def _redraw(net: PersonalDeocclusion, device: str, _: None) -> None:
    frame = torch.rand(1, 3, SIDE, SIDE, device=device)
    net(frame).float().sum().item()


def _times(step: Callable[[Any], Any], frames: int, device: str, precision: torch.dtype) -> list[float]:
    state, times = None, []
    with torch.inference_mode(), torch.autocast(device, precision, enabled=precision != torch.float32):
        for _ in range(WARM_UP + frames):
            start = time.perf_counter()
            state = step(state)
            times.append(time.perf_counter() - start)
    return times[WARM_UP:]
