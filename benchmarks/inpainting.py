"""Frames a second of EVI-HRnet alone, frame by frame as in a live stream; the weights do not matter for that."""

import time

import numpy as np
import torch

from hmd_removal.models.evi_hrnet import EVIConfig, EVIHRnet

NETWORKS = (
    ("aligned, width 16", EVIConfig("aligned", 16, keys=16), 256),
    ("aligned, width 24", EVIConfig("aligned", 24, keys=16), 256),
    ("aligned, width 32", EVIConfig("aligned", 32, keys=16), 128),
    ("paper, width 64", EVIConfig("paper", 64), 128),
)
FRAMES, WARM_UP = 40, 5


def run() -> None:
    """Print a line for each network and precision: frames a second, and the 95th percentile of a frame's time."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    for name, config, side in NETWORKS:
        net = EVIHRnet(config).eval().to(device, memory_format=torch.channels_last)
        for precision in (torch.float32, torch.bfloat16):
            times = _times(net, side, device, precision)
            print(
                f"EVI-HRnet, {name}, {side} px, {str(precision).removeprefix('torch.')}, {device}: "
                f"{1 / np.mean(times):.1f} fps (p95 {1000 * np.percentile(times, 95):.0f} ms)",
                flush=True,
            )


def _times(net: EVIHRnet, side: int, device: str, precision: torch.dtype) -> list[float]:
    picture, flat = torch.rand(1, 1, 3, side, side, device=device), torch.zeros(1, 1, 1, side, side, device=device)
    state, times = None, []
    with torch.inference_mode(), torch.autocast(device, precision, enabled=precision != torch.float32):
        for _ in range(WARM_UP + FRAMES):
            start = time.perf_counter()
            filled, state = net(picture, flat, flat, picture, state)
            filled.float().sum().item()  # waits until it is there
            times.append(time.perf_counter() - start)
    return times[WARM_UP:]
