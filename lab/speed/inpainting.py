"""Frames a second of the networks alone, frame by frame as in a live stream.

The weights do not matter for that, but for a last layer of zeros as in the shipped ones, which leaves the network out.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from ...models.device import best_device
from ...models.evi_hrnet import EVIConfig, EVIHRnet
from ...models.personal_deocclusion import SIDE, PersonalConfig, PersonalDeocclusion

PRECISIONS = (torch.float32, torch.bfloat16)

# The network, whether its last layers are at work, the side of the crop that its correction is applied to, and how many
# frames are timed.
NETWORKS = (
    ("aligned, as shipped", EVIConfig("aligned", 24, keys=16), False, 256, 60),
    ("aligned, width 24", EVIConfig("aligned", 24, keys=16), True, 128, 60),
    ("aligned, width 24", EVIConfig("aligned", 24, keys=16), True, 256, 60),
    ("aligned, width 24", EVIConfig("aligned", 24, keys=16), True, 512, 60),
    ("paper, width 64", EVIConfig("paper", 64), True, 128, 10),
)
PERSONAL = (
    ("aligned, slim attention", PersonalConfig("aligned", "slim", mask=True)),
    ("paper", PersonalConfig()),
)
PERSONAL_FRAMES = 30
WARM_UP = 5


def run() -> None:
    """Print a line for each network and precision: frames a second, and the 95th percentile of a frame's time."""
    device = best_device().type
    for name, config, speaks, side, frames in NETWORKS:
        net = EVIHRnet(config).eval().to(device, memory_format=torch.channels_last)
        if speaks:
            nn.init.normal_(net.decoder[-1].feature.weight, std=0.01)
        for precision in PRECISIONS:
            step = partial(_inpaint, net, side, device)
            _report(f"EVI-HRnet, {name}, {side} px", _times(step, frames, device, precision), device, precision)
    for name, config in PERSONAL:
        net = PersonalDeocclusion(config).eval().to(device, memory_format=torch.channels_last)
        for precision in PRECISIONS:
            times = _times(partial(_redraw, net, device), PERSONAL_FRAMES, device, precision)
            _report(f"Personal model, {name}, {SIDE} px", times, device, precision)


def _report(name: str, times: list[float], device: str, precision: torch.dtype) -> None:
    print(
        f"{name}, {str(precision).removeprefix('torch.')}, {device}: {1 / np.mean(times):.1f} fps "
        f"(p95 {1000 * np.percentile(times, 95):.0f} ms)",
        flush=True,
    )


def remembered(pictures: torch.Tensor) -> torch.Tensor:
    """As much memory as there can be of (B, T, 3, S, S) pictures."""
    flat = torch.zeros_like(pictures[:, :, :1])
    return torch.cat([pictures, flat + 1, flat], 2)


def _inpaint(net: EVIHRnet, side: int, device: str, state: Any) -> Any:
    """One frame; returns the state for the next."""
    small, large = (torch.rand(1, 1, 3, n, n, device=device) for n in (net.config.side, side))
    flat = torch.zeros_like(small[:, :, :1])
    if net.config.variant == "paper":
        filled, state, _ = net(small, flat, flat, small, state=state)
    else:
        correction, state = net.correct(small, flat, flat, small, remembered(small), state)
        filled = correction.of(large, remembered(large))
    filled.float().sum().item()  # waits until it is there
    return state


def _redraw(net: PersonalDeocclusion, device: str, _: None) -> None:
    frame = torch.rand(1, 3, SIDE, SIDE, device=device)
    hole = torch.zeros_like(frame[:, :1])
    if net.config.variant == "paper":
        _, filled = net.draw(frame, hole)
    else:
        filled = net.correct(frame, hole, frame).of(frame[:, None])
    filled.float().sum().item()


def _times(step: Callable[[Any], Any], frames: int, device: str, precision: torch.dtype) -> list[float]:
    state, times = None, []
    with torch.inference_mode(), torch.autocast(device, precision, enabled=precision != torch.float32):
        for _ in range(WARM_UP + frames):
            start = time.perf_counter()
            state = step(state)
            times.append(time.perf_counter() - start)
    return times[WARM_UP:]
