"""Three Frechet distances between results and truths, over all clips of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.lpips import LPIPS
from ...weights import WeightsMissing
from ..networks.i3d import I3D
from .frechet import frechet_distance

FRAMES = 32  # of each clip, its first ones
CLIP_SIDE, PICTURE_SIDE = 128, 224  # pixels that I3D and AlexNet see
BATCH = 16

# In the order in which reports list them: name -> title.
DISTANCES = {
    "i3d_train": "I3D, train mode (as the LGTSM code)",
    "i3d_eval": "I3D, eval mode",
    "alexnet": "AlexNet conv5, frame by frame",
}


@dataclass(frozen=True)
class Distance:
    """One Frechet distance. videos: how many it is of; vectors: how many on each side, of so many dimensions."""

    value: float
    videos: int
    vectors: int
    dimensions: int

    @property
    def biased(self) -> bool:
        """There are too few vectors for covariances of full rank: compare within one table only."""
        return self.vectors <= self.dimensions


class VideoFeatures:
    """What the networks say of a clip, of those whose weights are at hand.

    i3d_train: as LGTSM's code does it, from which the video distances of the inpainting papers come: I3D is fed [0, 1]
    instead of [-1, 1] and left in training mode, so that each clip is normalised by its own statistics. i3d_eval: the
    same layer of the network as it was trained. Both: 32 frames of 128 x 128 pixels, after Mixed_5c, averaged over
    time and place, one vector a clip. alexnet: AlexNet's last convolution at 224 x 224 pixels, averaged over the
    picture, one vector a frame. That is not FID, whose Inception no public package carries; AlexNet, because it is
    LPIPS's network and at hand wherever that is, and a few clips have more frames than it has dimensions, 256.

    not_computed: distance -> one sentence that says why.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.not_computed: dict[str, str] = {}
        self._device = device
        self._i3d = self._load(I3D, "i3d_train", "i3d_eval")
        self._lpips = self._load(LPIPS, "alexnet")

    @torch.inference_mode()
    def __call__(self, frames: Tensor) -> dict[str, np.ndarray]:
        """(vectors, dimensions) float32 by the names of DISTANCES. frames: (T, H, W, 3) in [0, 1]."""
        pictures = frames[:FRAMES].permute(0, 3, 1, 2).float()
        found = {}
        if self._i3d is not None:
            clip = _scaled(pictures, CLIP_SIDE).transpose(0, 1).to(self._device)
            found["i3d_train"] = self._i3d.features(clip, own_statistics=True)[None]
            found["i3d_eval"] = self._i3d.features(clip * 2 - 1)[None]
        if self._lpips is not None:
            parts = _scaled(pictures, PICTURE_SIDE).to(self._device).split(BATCH)
            found["alexnet"] = torch.cat([self._lpips.activations(part)[-1].mean((2, 3)) for part in parts])
        return {name: vectors.cpu().numpy() for name, vectors in found.items()}

    def _load(self, network: type[I3D] | type[LPIPS], *names: str) -> I3D | LPIPS | None:
        try:
            return network.pretrained().to(self._device)
        except WeightsMissing as missing:
            self.not_computed |= dict.fromkeys(names, str(missing))
            return None


class VideoDistance:
    """The distances of one system's results from the truths, fed clip by clip."""

    def __init__(self) -> None:
        self._pairs: list[tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]] = []

    def add(self, result: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]) -> None:
        """result, truth: what VideoFeatures says of a clip."""
        self._pairs.append((result, truth))

    def distances(self) -> dict[str, Distance]:
        """By the names of DISTANCES; empty before the second clip, since one has no variance."""
        if len(self._pairs) < 2:
            return {}
        distances = {}
        for name in self._pairs[0][0]:
            results, truths = (np.concatenate([clip[name] for clip in side]) for side in zip(*self._pairs, strict=True))
            value = frechet_distance(results, truths)
            distances[name] = Distance(value, len(self._pairs), *results.shape)
        return distances


def _scaled(pictures: Tensor, side: int) -> Tensor:
    return F.interpolate(pictures, (side, side), mode="bilinear", align_corners=False, antialias=True)
