"""What the rim of the hole tells of what belongs in it: colour and light, and where the re-posed reference belongs.

Colours are carried smoothly into the hole. Landmarks of a covered face leave what is hidden some hundredths of the eye
distance off, and by about as much in every frame. Around the hole frame and reference show the same skin, nose and
hair; how the reference has to be moved to meet the frame there is measured by least squares (Lucas and Kanade 1981),
for all frames so far together.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from .grid import blurred, cells, grown, membrane, sampled

RING = 0.06  # width of the ring that is compared, by crop side
FEWEST_TINTED = 8  # cells of the ring below which it says nothing
OTHER = 0.12  # colour difference, on [0, 1], beyond which hair or background rather than light is the cause
EDGE = 0.02  # crop sides: standard deviation of the edge between face and surroundings


def matching_tint(
    pictures: torch.Tensor, frames: torch.Tensor, holes: torch.Tensor, kind: torch.Tensor
) -> torch.Tensor:
    """What has to be added to the pictures' colours so that they continue the frames across the rim, (T, 3, S, S).

    pictures, frames: (T, 3, S, S) in [0, 1]. holes: (T, 1, S, S), over 0 where any of a cell is hole. kind: (T, 1, S,
    S) of tracking.mesh; a ring around the hole is compared where it is not 0. The tint is the membrane that spans the
    ring's differences, one for the face mesh and one for what surrounds it: a wall of another colour must not stain the
    skin. On the mesh, differences far from the median, from hair that lies differently, count less the larger they are.
    Around it the second one holds for cells that look like the ring near them, wall by wall; others, such as ears and
    hair before a wall, get the first.
    """
    ring = ring_around(holes) & (kind > 0)
    face = (kind == 2).float()
    on_face, around = ring * face, ring * (1 - face)
    enough = (on_face.sum((2, 3), keepdim=True) >= FEWEST_TINTED, around.sum((2, 3), keepdim=True) >= FEWEST_TINTED)
    on_face, around = torch.where(enough[0], on_face, around), torch.where(enough[1], around, on_face)
    # Half as many cells a side do, smooth as the tint is.
    differences, pictures = _halved(frames - pictures, ring), _halved(pictures, kind > 0)
    on_face, around, face = (F.avg_pool2d(x, 2) for x in (on_face, around, face))
    away = (differences - _medians(differences, on_face)).square().sum(1, keepdim=True) / OTHER**2
    weights = on_face / (1 + away**2)
    inner, outer, colours = membrane(
        torch.cat([differences, differences, pictures]), torch.cat([weights, around, around])
    ).chunk(3)
    unlike = (pictures - colours).square().sum(1, keepdim=True) / OTHER**2
    surround = (1 - blurred(face, EDGE * face.shape[-1])) * torch.exp(-unlike / 2)
    tint = torch.lerp(inner, outer, surround) * (enough[0] | enough[1])
    return F.interpolate(tint, scale_factor=2.0, mode="bilinear", align_corners=False)


def _halved(values: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """(T, C, S / 2, S / 2): means of (T, C, S, S) values over what is known, (T, 1, S, S) bool, of every four cells."""
    share = known.float()
    return F.avg_pool2d(values * share, 2) / F.avg_pool2d(share, 2).clamp(min=1e-6)


def ring_around(holes: torch.Tensor) -> torch.Tensor:
    """(T, 1, S, S) bool: the cells around (T, 1, S, S) holes. Those of which a part is hole are none of them: the edge
    of what covers the face is blurred."""
    return grown(holes, max(round(RING * holes.shape[-1]), 3)) & (holes == 0)


def _medians(values: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """(T, C, 1, 1): of (T, C, S, S) values where (T, 1, S, S) is not 0; 0 where nothing is chosen."""
    out = values.new_zeros(*values.shape[:2], 1, 1)
    for value, here, median in zip(values.flatten(2), chosen.flatten(1), out, strict=True):
        places = here.nonzero()[:, 0]
        if len(places):
            median[:, 0, 0] = value[:, places].median(1).values
    return out


GAIN = 2.5  # error inside the hole by what is seen of it at the rim, where the mesh holds on to visible points
KEPT = 0.8  # share of what earlier frames said that the next frame keeps
FIRST_ROUNDS = 4  # linearisations in a scene's first frame
OUTLIER = 0.05  # difference, on [0, 1], from which a cell counts less
DOUBT = 1e4  # weight of the guess that nothing is to be moved
FARTHEST = 0.02  # of the side: how far the rim is moved at most
FEWEST = 100  # cells from which a rim says anything
SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))


@dataclass(frozen=True)
class Evidence:
    """What the frames of a scene so far say of the displacement: information (6, 6) and vector (6,) of the normal
    equations for (2, 3) displacements x and y in crop sides, each constant, by column and by row from the hole's middle
    in quarters of a side."""

    information: np.ndarray
    vector: np.ndarray

    @property
    def displacement(self) -> np.ndarray:
        """(2, 3), of the rim."""
        found = np.linalg.solve(self.information + DOUBT * np.eye(6), self.vector)
        return np.clip(found, -FARTHEST, FARTHEST).reshape(2, 3)


NO_EVIDENCE = Evidence(np.zeros((6, 6)), np.zeros(6))


def registered(
    frames: torch.Tensor, pictures: torch.Tensor, holes: torch.Tensor, kind: torch.Tensor, before: Evidence | None
) -> tuple[torch.Tensor, Evidence]:
    """Where to take the pictures from in consecutive frames, so that they meet them.

    frames, pictures: (T, 3, S, S) in [0, 1]; holes: (T, 1, S, S), over 0 where any of a cell is hole; kind: (T, 1, S,
    S) of tracking.mesh, 0 where a picture shows nothing; it has to reach beyond the hole. before: what this returned
    for the frame before, None at a scene's start. Returns (T, 2, S, S) steps in crop sides, see grid.moved, and the
    evidence for the next frame.
    """
    rims = (kind > 0) & (holes == 0)
    slopes = _slopes(pictures)
    steps = []
    for t in range(len(frames)):
        basis = _basis(holes[t])
        known = before or NO_EVIDENCE
        kept = evidence = Evidence(KEPT * known.information, KEPT * known.vector)
        rim = rims[t].flatten().nonzero()[:, 0]
        if len(rim) >= FEWEST:
            seen = frames[t].flatten(1)[:, rim]
            for _ in range(1 if before is not None else FIRST_ROUNDS):
                start = evidence.displacement if before is None else known.displacement
                information, vector = _normal_equations(seen, slopes[t], rim, basis, start)
                evidence = Evidence(kept.information + information, kept.vector + vector)
        steps.append(_steps(GAIN * evidence.displacement, basis))
        before = evidence
    return torch.stack(steps), before


def _normal_equations(
    seen: torch.Tensor, picture: torch.Tensor, rim: torch.Tensor, basis: torch.Tensor, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For displacements in sides, linearised at `start`; a difference in colour over the whole rim is taken out.

    seen: (3, N) of the frame at the cells `rim`, (N,). picture: (9, S, S), with its slopes along x and y, a side.
    """
    basis = basis.flatten(1)[:, rim]  # (3, N)
    where = cells(picture.shape[-1], picture.device).flatten(1, 2)[:, rim] + _steps(start, basis).T
    there, across, down = sampled(picture[None], where[:, None])[0, :, 0].chunk(3)  # (3, N) each
    error = seen - there
    weight = OUTLIER / (error - error.median(1, keepdim=True).values).abs().clamp(min=OUTLIER)
    slopes = torch.cat([across * basis[:, None], down * basis[:, None]])  # (6, 3, N)
    total = weight.sum(1, keepdim=True)
    slopes = slopes - (weight * slopes).sum(2, keepdim=True) / total
    error = error - (weight * error).sum(1, keepdim=True) / total
    both = torch.cat([slopes, error[None]]).flatten(1)  # (7, 3 N)
    sums = ((weight * slopes).flatten(1) @ both.T).cpu().double().numpy()
    return sums[:, :6], sums[:, 6] + sums[:, :6] @ start.ravel()


def _slopes(pictures: torch.Tensor) -> torch.Tensor:
    """(T, 9, S, S): the pictures, and how they change along x and along y, a side."""
    kernel = pictures.new_tensor(SOBEL) * (pictures.shape[-1] / 8)
    wide = F.pad(pictures, (1, 1, 1, 1), mode="replicate").flatten(0, 1)[:, None]
    slopes = F.conv2d(wide, torch.stack([kernel, kernel.T])[:, None]).unflatten(0, pictures.shape[:2])
    return torch.cat([pictures, slopes[:, :, 0], slopes[:, :, 1]], 1)


def _basis(hole: torch.Tensor) -> torch.Tensor:
    """(3, S, S): one, and how far right of and below the hole's middle, in quarters of a side. hole: (1, S, S)."""
    places = cells(hole.shape[-1], hole.device)[0].permute(2, 0, 1)
    weight = (hole > 0).float()
    middle = (places * weight).sum((1, 2), keepdim=True) / weight.sum().clamp(min=1)
    return torch.cat([torch.ones_like(hole), 4 * (places - middle)])


def _steps(displacement: np.ndarray, basis: torch.Tensor) -> torch.Tensor:
    """(2, ...) sides: x and y of a (2, 3) displacement over a (3, ...) basis."""
    return torch.tensordot(basis.new_tensor(displacement), basis, 1)
