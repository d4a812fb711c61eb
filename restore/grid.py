"""Smooth things on a small grid over each crop: colours, displacements, shares. What is done to them there.

A field is a (N, C, S, S) float tensor. Places are counted in crop sides, as in Crop: column j of S is at j / S.
Filters are products with small matrices: as fast on a CPU as anything, and every device has them.
"""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from ..tracking.crop import Crop
from ..tracking.mesh import (
    extended_triangles,
    kinds,
    mesh_triangles,
    places_in,
    triangle_map,
)

GRID = 128  # cells a side: 2.3 mm of a head


@lru_cache(maxsize=8)
def cells(side: int, device: torch.device) -> torch.Tensor:
    """(1, side, side, 2): x and y of the cells, in crop sides."""
    along = torch.arange(side, dtype=torch.float32, device=device) / side
    return torch.stack(torch.meshgrid(along, along, indexing="xy"), -1)[None]


def sampled(fields: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """(N, C, h, w): fields at places (N, h, w, 2) in crop sides; beyond the edge they go on as they are there."""
    # grid_sample counts from -1 to 1 between the outer edges of the outer cells. Not every device has its padding mode
    # "border"; to stay between the middles of the outer cells is the same.
    inner = 1 - 1 / fields.shape[-1]
    return F.grid_sample(fields, (2 * where - inner).clamp(-inner, inner), align_corners=False)


def moved(fields: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """Fields that are at each cell what they were `steps`, (N, 2, S, S) crop sides right and down, away."""
    return sampled(fields, cells(fields.shape[-1], fields.device) + steps.permute(0, 2, 3, 1))


def on_grid(picture: np.ndarray, crop: Crop, side: int = GRID) -> torch.Tensor:
    """A crop of a picture, (C, side, side) in [0, 1], averaged where it shrinks. picture: (H, W) or (H, W, 3), uint8
    or float32 in [0, 1]."""
    fine = crop.shrunk(picture, 2 * side)
    # Every second pixel of the means: what falls between two cells counts half in each.
    small = torch.from_numpy(np.ascontiguousarray(cv2.sepFilter2D(fine, -1, MEAN, MEAN)[::2, ::2]))
    small = small.float() / 255 if small.dtype == torch.uint8 else small
    return small[None] if small.ndim == 2 else small.permute(2, 0, 1)


MEAN = np.array([0.25, 0.5, 0.25])


@lru_cache(maxsize=32)
def _band(side: int, reach: int, device: torch.device) -> torch.Tensor:
    """(side, side): 1 where two cells of a row are at most `reach` apart."""
    cells = torch.arange(side, device=device)
    return ((cells[:, None] - cells).abs() <= reach).float()


@lru_cache(maxsize=32)
def _gaussian(side: int, deviation: float, device: torch.device) -> torch.Tensor:
    cells = torch.arange(side, device=device, dtype=torch.float32)
    weights = torch.exp(-((cells[:, None] - cells) ** 2) / (2 * deviation**2))
    return weights / weights.sum(1, keepdim=True)


def blurred(fields: torch.Tensor, deviation: float) -> torch.Tensor:
    """Gaussian means; deviation in cells. What lies beyond the edge does not count."""
    kernel = _gaussian(fields.shape[-1], deviation, fields.device)
    return kernel @ fields @ kernel.T


def grown(holes: torch.Tensor, by: int) -> torch.Tensor:
    """Bool: what is at most `by` cells, in both directions, from where `holes` is over 0."""
    band = _band(holes.shape[-1], by, holes.device)
    return band @ (holes > 0).float() @ band.T > 0.5


def membrane(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Values spread over the whole grid from where they are known, smoothly (pull-push, Gortler et al. 1996).

    values: (N, C, S, S), S a power of two; weights: (N, 1, S, S) in [0, 1], how much each counts. 0 where no value has
    any weight.
    """
    layers = [torch.cat([values * weights, weights], 1)]
    while layers[-1].shape[-1] > 2:
        layers.append(F.avg_pool2d(layers[-1], 2))
    # The coarsest level is one robust mean, which also keeps empty regions from dividing by nothing.
    total = layers[-1].mean((2, 3), keepdim=True)
    spread = (total[:, :-1] / total[:, -1:].clamp(min=1e-6)).expand(-1, -1, 2, 2)
    for layer in reversed(layers):
        if spread.shape[-1] != layer.shape[-1]:
            spread = F.interpolate(spread, scale_factor=2.0, mode="bilinear", align_corners=False)
        known = layer[:, -1:]
        spread = torch.lerp(spread, layer[:, :-1] / known.clamp(min=1e-6), known / (known + SOFT))
    return spread


SOFT = 0.05  # weight of what is known at a level that counts as much as the level above


# A mesh's map on the grid, for several frames at once: by OpenCV on a CPU, by trying every triangle elsewhere.
TRIED = 128  # triangles that are tried at once on every cell
TOUCHED = 0.5  # cells: how far beyond its edge a triangle still covers, as OpenCV draws it


def mesh_maps(
    source: torch.Tensor, target: np.ndarray | torch.Tensor, region: torch.Tensor, of: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Where the cells of some grids lie in the pictures of N meshes, on the device of `source`; see tracking.mesh.

    source: (N, M, 2) places of extended meshes, in any unit. target: (T, M, 3) their points in cells. region: (T, 1, S,
    S) bool, the cells wanted. of: N times which target a mesh is drawn at. Returns (N, 2, S, S) places and (N, 1, S, S)
    uint8 kinds: 0 nothing there, 1 ring, 2 face mesh.
    """
    if source.device.type != "cpu":
        return mesh_maps_by_trying(source, target, region, of)
    target = np.asarray(target)
    index = [triangle_map(*one) for one in zip(target, region[:, 0].numpy(), strict=True)]
    places = [places_in(mesh, target[t], index[t]) for mesh, t in zip(source.numpy(), of, strict=True)]
    kind = np.stack([kinds(index[t]) for t in of])
    return torch.from_numpy(np.stack(places)).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(kind)[:, None]


def mesh_maps_by_trying(
    source: torch.Tensor, target: np.ndarray | torch.Tensor, region: torch.Tensor, of: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """`mesh_maps` without a loop over triangles: the nearest of those whose edges a cell lies within."""
    device, side, of = source.device, region.shape[-1], list(of)
    target = torch.as_tensor(target).to(device, torch.float32)
    triangles = torch.from_numpy(extended_triangles()).long().to(device)
    on_mesh = torch.arange(len(triangles), device=device) < len(mesh_triangles())
    # From the back to the front, rings first, see tracking.mesh.painting_order.
    depth = target[..., 2][:, triangles].mean(2)
    behind = on_mesh * (2 * depth.abs().amax(1, keepdim=True) + 1)
    order = (behind - depth).argsort(1)
    rank = order.argsort(1) + 1  # the higher, the nearer
    corners = target[..., :2][:, triangles]  # (T, F, 3, 2)
    edges = corners.roll(-1, 2) - corners
    normals = torch.stack([-edges[..., 1], edges[..., 0]], -1)
    turning = (edges[:, :, 0, 0] * edges[:, :, 1, 1] - edges[:, :, 0, 1] * edges[:, :, 1, 0]).sign()[:, :, None, None]
    normals = normals * turning / normals.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    offsets = TOUCHED - (normals * corners).sum(-1)
    across = torch.arange(side, device=device, dtype=torch.float32)
    # What touches both edges of a needle may lie far beyond its tip: no triangle reaches beyond its own box.
    low, high = corners.amin(2) - TOUCHED, corners.amax(2) + TOUCHED  # (T, F, 2)
    boxed = (across >= low[..., None]) & (across <= high[..., None])  # (T, F, 2, S)
    nearest = rank.new_zeros(len(target), side, side)
    for start in range(0, len(triangles), TRIED):
        part = slice(start, start + TRIED)
        x = normals[:, part, :, 0, None] * across + offsets[:, part, :, None]  # (T, f, 3, S)
        y = normals[:, part, :, 1, None] * across
        within = (x[..., None, :] + y[..., None] >= 0).all(2)  # (T, f, S, S)
        within &= boxed[:, part, 0, None] & boxed[:, part, 1, :, None]
        nearest = torch.maximum(nearest, (within * rank[:, part, None, None]).amax(1))
    nearest = (nearest * region[:, 0]).flatten(1)
    number = order.gather(1, (nearest - 1).clamp(min=0))[of]  # (N, S * S)
    shown = (nearest > 0)[of]
    chosen = triangles[number]  # (N, S * S, 3)
    a, b, c = _corners(target[of, :, :2], chosen)
    start, *sides = _corners(source, chosen)
    y, x = torch.meshgrid(across, across, indexing="ij")
    away = torch.stack([x.flatten(), y.flatten()], -1) - a
    area = _cross(b - a, c - a)
    inverse = torch.where(area.abs() < 1e-9, 0, 1 / torch.where(area == 0, 1, area))  # seen edge-on: the first corner
    shares = _cross(away, c - a) * inverse, _cross(b - a, away) * inverse
    places = start + sum(share[..., None] * (side - start) for share, side in zip(shares, sides, strict=True))
    places = torch.where(shown[..., None], places, 0)
    kind = torch.where(shown, torch.where(on_mesh[number], 2, 1), 0).to(torch.uint8)
    return places.transpose(1, 2).unflatten(2, (side, side)), kind.unflatten(1, (1, side, side))


def _corners(points: torch.Tensor, triangles: torch.Tensor) -> list[torch.Tensor]:
    """Three times (N, K, 2): the corners of triangles, (N, K, 3), among (N, M, 2) points."""
    return [points.gather(1, corner[..., None].expand(-1, -1, 2)) for corner in triangles.unbind(-1)]


def _cross(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
