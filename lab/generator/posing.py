"""The geometry of the frame path for many faces at once, on any device: restore.align and tracking.geometry in batches.

N faces of 478 points, lengths in whatever unit; float32.
"""

from functools import lru_cache

import torch

from ...restore.align import nearness
from ...tracking.geometry import FACE_OVAL, MESH_POINT_COUNT, SURE, canonical_points, rigidity
from ...tracking.mesh import RINGS


@lru_cache(maxsize=4)
def canonical(device: torch.device) -> torch.Tensor:
    """(468, 3): tracking.geometry.canonical_points."""
    return torch.from_numpy(canonical_points()).float().to(device)


@lru_cache(maxsize=4)
def rigid_weights(device: torch.device) -> torch.Tensor:
    """(468,): tracking.geometry.rigidity."""
    return torch.from_numpy(rigidity()).float().to(device)


@lru_cache(maxsize=4)
def _near(device: torch.device) -> torch.Tensor:
    return torch.from_numpy(nearness()).float().to(device)


def similarities(source: torch.Tensor, target: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """`fit_similarity` of (N, K, 3) points, weights (N, K): (N, 3, 3) scaled rotations and (N, 3) shifts."""
    w = weights / weights.sum(1, keepdim=True)
    mean_s, mean_t = ((w[..., None] * x).sum(1, keepdim=True) for x in (source, target))
    s, t = source - mean_s, target - mean_t
    u, d, vt = torch.linalg.svd((t * w[..., None]).transpose(1, 2) @ s)
    sign = torch.ones_like(d)
    sign[:, 2] = torch.sign(torch.linalg.det(u) * torch.linalg.det(vt))
    scale = (d * sign).sum(1) / (w * (s * s).sum(2)).sum(1)
    linear = scale[:, None, None] * ((u * sign[:, None]) @ vt)
    return linear, (mean_t - mean_s @ linear.transpose(1, 2))[:, 0]


def completed(
    points: torch.Tensor, visibility: torch.Tensor, model: torch.Tensor, deviation: torch.Tensor
) -> torch.Tensor:
    """`restore.align.complete_points`: (N, 478, 3) with what is out of sight, visibility (N, 478) 0, from the model.

    deviation: (N, 478), over 0 everywhere, or 0 everywhere for points that are true.
    """
    mean, bone, near = canonical(points.device), rigid_weights(points.device), _near(points.device)
    seen = visibility > 0.5
    mesh, frame = points[:, :MESH_POINT_COUNT], model[:, :MESH_POINT_COUNT]
    spread = (mesh - mesh.mean(1, keepdim=True)).square().sum((1, 2))
    pixels = (spread / (mean - mean.mean(0)).square().sum()).sqrt()
    sure = (SURE * pixels[:, None]).square()
    sure = (sure / (sure + deviation.square()))[:, :MESH_POINT_COUNT]
    linear, shift = similarities(frame, mesh, bone * sure)
    posed = model @ linear.transpose(1, 2) + shift[:, None]
    weight = (visibility[:, :MESH_POINT_COUNT] * sure * seen[:, :MESH_POINT_COUNT])[..., None]
    residual = (near @ (weight * (mesh - posed[:, :MESH_POINT_COUNT]))) / (near @ weight).clamp(min=1.0)
    posed = torch.cat([posed[:, :MESH_POINT_COUNT] + residual, posed[:, MESH_POINT_COUNT:]], 1)
    return torch.where(seen[..., None], points, posed)


def extended(points: torch.Tensor) -> torch.Tensor:
    """`tracking.mesh.extend_points` with each face's own head pose: (N, 468 + 36 * rings, 3)."""
    mesh = points[:, :MESH_POINT_COUNT]
    linear, shift = similarities(canonical(points.device).expand_as(mesh), mesh, torch.ones_like(mesh[..., 0]))
    centre, back, oval = shift[:, None], linear[:, None, :, 2], mesh[:, list(FACE_OVAL)]
    rings = [centre + k * (oval - centre) + (k - 1) * 4.0 * back for k in RINGS]
    return torch.cat([mesh, *rings], 1)
