"""How an inpainting network does on held-out takes."""

from collections.abc import Callable

import numpy as np
import torch

from ...models.device import mixed_precision
from ...personal.sample_store import TakeStore
from .clip_samples import Given, shrunk, window

SHEET = 8  # windows of the sheet


@torch.inference_mode()
def check(
    fill: Callable[[Given], torch.Tensor],
    store: TakeStore,
    *,
    side: int,
    frames: int,
    windows: int,
    device: str,
) -> tuple[dict[str, float], np.ndarray]:
    """PSNR in the hole, in dB, of the network and of the warp, by what the takes are made from and their landmarks.

    And a sheet of some of the results: covered, warp, network, truth. fill: the network; side, frames: see
    ClipSamples; windows: how many are looked at.
    """
    errors: dict[str, list[float]] = {}
    rows = []
    by_kind: dict[str, list[str]] = {}
    for name in store.names():
        about = store.about(name)
        by_kind.setdefault(f"{about['kind']}_{about['landmarks']}", []).append(name)
    share = windows // len(by_kind)
    chosen = [(k, names[i]) for k, names in sorted(by_kind.items()) for i in _spread(len(names), share)]
    shown = {chosen[i][1] for i in _spread(len(chosen), SHEET)}
    for kind, name in chosen:
        take = store.open(name)
        length = min(frames, len(take))
        start = (len(take) - length) // 2
        take = shrunk(take, slice(start, start + length), side)
        given = Given.of(window(take), device)
        with mixed_precision(device):
            result = given.composite(fill(given)).clamp(0, 1)
        warped = torch.from_numpy(np.array(take.warped)).to(device).permute(0, 3, 1, 2)[None].float() / 255
        for method, picture in (("network", result), ("warp", given.composite(warped))):
            error = ((picture - given.truth).square() * given.hole).sum() / (3 * given.hole.sum())
            errors.setdefault(f"{method}_{kind}", []).append(float(-10 * torch.log10(error)))
        if name in shown:
            last = [x[0, -1].permute(1, 2, 0).cpu().numpy() for x in (given.frames, warped, result, given.truth)]
            rows.append(np.hstack(last))
    scores = {name: float(np.mean(values)) for name, values in sorted(errors.items())}
    return scores, np.round(255 * np.vstack(rows)).astype(np.uint8)


def _spread(count: int, most: int) -> list[int]:
    """At most so many of the first `count` numbers, evenly spread."""
    return sorted(set(np.linspace(0, count - 1, max(most, 1)).round().astype(int).tolist()))
