"""The landmarker's error with each person, taken off as in use: tracking.calibration in batches."""

import torch
from torch.nn import functional as F

from ...models.covered_landmarks import INPUT_SIDE, CoveredLandmarkNet
from ...models.device import mixed_precision
from ...restore.align import SMALL
from ...restore.grid import mesh_maps, sampled
from ...tracking.geometry import MESH_POINT_COUNT
from .posing import canonical, extended, rigid_weights, similarities

ROUNDS = 2  # the second from the better pose that the first one leads to


@torch.no_grad()
def calibrated(
    net: CoveredLandmarkNet,
    crops: torch.Tensor,
    points: torch.Tensor,
    devices: torch.Tensor,
    picture: torch.Tensor,
    model: torch.Tensor,
) -> torch.Tensor:
    """The landmarks (B * T, 478, 3) where they are for each of B people, in sides of the crops that were looked at.

    crops: (B, 3, INPUT_SIDE, INPUT_SIDE) in [0, 1], what was looked at in the first of T frames; devices: (B, 1,
    INPUT_SIDE, INPUT_SIDE) bool, where in it the device is. points: (B * T, 478, 3), as the landmarker saw them.
    picture: (B, 3, R, R), the reference, and model: (B, 478, 3), its points in pixels.
    """
    count = len(crops)
    first = points[:: len(points) // count]
    source = extended(model)[..., :2] / picture.shape[-1]
    small = F.interpolate(picture, size=SMALL, mode="area")
    everywhere = torch.ones_like(devices)
    bone = rigid_weights(points.device).expand(count, -1)
    best, offset = first, torch.zeros_like(first)
    for _ in range(ROUNDS):
        linear, shift = similarities(model[:, :MESH_POINT_COUNT], best[:, :MESH_POINT_COUNT], bone)
        truth = model @ linear.transpose(1, 2) + shift[:, None]
        places, kind = mesh_maps(source, INPUT_SIDE * extended(truth), everywhere, range(count))
        drawn = sampled(small, places.permute(0, 2, 3, 1))
        with mixed_precision(crops.device):
            seen = net(torch.where((kind > 0) & ~devices, drawn, crops).contiguous(memory_format=torch.channels_last))
        seen = seen.points.float()
        depth = (seen[..., 2].mean(1) - truth[..., 2].mean(1))[:, None, None]  # nobody knows how far away a head is
        truth = truth + depth * truth.new_tensor([0.0, 0.0, 1.0])
        offset = (truth - seen) @ torch.linalg.inv(_pose(seen)).transpose(1, 2)
        best = _corrected(first, offset)
    return _corrected(points, offset.repeat_interleave(len(points) // count, 0))


def _corrected(points: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
    """offset: (N, 478, 3) centimetres in face coordinates."""
    return points + offset @ _pose(points).transpose(1, 2)


def _pose(points: torch.Tensor) -> torch.Tensor:
    """(N, 3, 3): tracking.geometry.head_pose without its shift."""
    mesh = points[:, :MESH_POINT_COUNT]
    linear, _ = similarities(canonical(points.device).expand_as(mesh), mesh, torch.ones_like(mesh[..., 0]))
    return linear
