"""Frames a second of EVI-HRnet alone, frame by frame as in a live stream; the weights do not matter for that."""

import time

import numpy as np
import torch

from hmd_removal.models.evi_hrnet import EVIConfig, EVIHRnet

# The network, the side of the crop that its correction is applied to, and how many frames are timed.
NETWORKS = (
    ("aligned, as shipped", EVIConfig("aligned", 24, keys=16), 128, 60),
    ("aligned, as shipped", EVIConfig("aligned", 24, keys=16), 256, 60),
    ("aligned, as shipped", EVIConfig("aligned", 24, keys=16), 512, 60),
    ("paper, width 64", EVIConfig("paper", 64), 128, 10),
)
WARM_UP = 5


def run() -> None:
    """Print a line for each network and precision: frames a second, and the 95th percentile of a frame's time."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    for name, config, side, frames in NETWORKS:
        net = EVIHRnet(config).eval().to(device, memory_format=torch.channels_last)
        for precision in (torch.float32, torch.bfloat16):
            times = _times(net, side, frames, device, precision)
            print(
                f"EVI-HRnet, {name}, {side} px, {str(precision).removeprefix('torch.')}, {device}: "
                f"{1 / np.mean(times):.1f} fps (p95 {1000 * np.percentile(times, 95):.0f} ms)",
                flush=True,
            )


def remembered(pictures: torch.Tensor) -> torch.Tensor:
    """As much memory as there can be of (B, T, 3, S, S) pictures."""
    return torch.cat([pictures, torch.ones_like(pictures[:, :, :1])], 2)


def _times(net: EVIHRnet, side: int, frames: int, device: str, precision: torch.dtype) -> list[float]:
    small, large = (torch.rand(1, 1, 3, n, n, device=device) for n in (net.config.side, side))
    flat = torch.zeros_like(small[:, :, :1])
    state, times = None, []
    with torch.inference_mode(), torch.autocast(device, precision, enabled=precision != torch.float32):
        for _ in range(WARM_UP + frames):
            start = time.perf_counter()
            if net.config.variant == "paper":
                filled, state, _ = net(small, flat, flat, small, state=state)
            else:
                correction, state = net.correct(small, flat, flat, small, remembered(small), state)
                filled = correction.of(large, remembered(large))
            filled.float().sum().item()  # waits until it is there
            times.append(time.perf_counter() - start)
    return times[WARM_UP:]
