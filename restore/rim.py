"""What the rim of the hole tells of what belongs in it: colour and light, and where the re-posed reference belongs.

Colours are carried smoothly into the hole. Landmarks of a covered face leave what is hidden some hundredths of the eye
distance off, and by about as much in every frame. Around the hole frame and reference show the same skin, nose and
hair; how the reference has to be moved to meet the frame there is measured by least squares (Lucas and Kanade 1981),
for all frames so far together.
"""

from collections.abc import Sequence
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
    where, there = _places_of(on_face.flatten(1) > 0)
    usual = _medians(differences.flatten(2).gather(2, where[:, None].expand(-1, 3, -1)), there[:, None])[..., None]
    away = (differences - usual).square().sum(1, keepdim=True) / OTHER**2
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
    """(..., 1): the lower medians of (..., N) values where `chosen`, bool, of the same shape but for what broadcasts; 0
    where nothing is. By sorting, which every device can."""
    ordered = values.masked_fill(~chosen, torch.inf).sort(-1).values
    middle = ((chosen.sum(-1, keepdim=True) - 1) // 2).clamp(min=0).expand(*values.shape[:-1], 1)
    found = ordered.gather(-1, middle)
    return torch.where(found.isinf(), 0, found)


GAIN = 2.5  # error inside the hole by what is seen of it at the rim, where the mesh holds on to visible points
KEPT = 0.8  # share of what earlier frames said that the next frame keeps, at USUAL_RATE
FIRST_ROUNDS = 4  # linearisations in a scene's first frame
OUTLIER = 0.05  # difference, on [0, 1], from which a cell counts less
DOUBT = 1e4  # weight of the guess that nothing is to be moved
FARTHEST = 0.02  # of the side: how far the rim is moved at most
FEWEST = 100  # cells from which a rim says anything
SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))


@dataclass(frozen=True)
class Evidence:
    """What the frames of B scenes so far say of the displacement: information (B, 6, 6) and vector (B, 6) of the normal
    equations for (2, 3) displacements x and y in crop sides, each constant, by column and by row from the hole's middle
    in quarters of a side. begun: (B,) bool, whether any frame was looked at."""

    information: np.ndarray
    vector: np.ndarray
    begun: np.ndarray

    @classmethod
    def none(cls, scenes: int = 1) -> "Evidence":
        """At the start of so many scenes."""
        return cls(np.zeros((scenes, 6, 6)), np.zeros((scenes, 6)), np.zeros(scenes, bool))

    @classmethod
    def joined(cls, parts: "Sequence[Evidence]") -> "Evidence":
        """Of the scenes of all parts."""
        return cls(*(np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])))

    def of(self, scene: int) -> "Evidence":
        """That of one scene."""
        return Evidence(*(value[scene : scene + 1] for value in vars(self).values()))

    @property
    def displacement(self) -> np.ndarray:
        """(B, 2, 3), of the rim."""
        found = np.linalg.solve(self.information + DOUBT * np.eye(6), self.vector[..., None])
        return np.clip(found, -FARTHEST, FARTHEST).reshape(-1, 2, 3)


def registered(
    frames: torch.Tensor,
    pictures: torch.Tensor,
    holes: torch.Tensor,
    kind: torch.Tensor,
    before: Evidence | None,
    pace: float = 1.0,
) -> tuple[torch.Tensor, Evidence]:
    """Where to take the pictures from in consecutive frames of some scenes, so that they meet them.

    frames, pictures: (B, T, 3, S, S) in [0, 1]; holes: (B, T, 1, S, S), over 0 where any of a cell is hole; kind: (B,
    T, 1, S, S) of tracking.mesh, 0 where a picture shows nothing; it has to reach beyond the hole. before: what this
    returned for the frames before, None at the scenes' start. pace: how long a frame lasts, see Window. Returns (B, T,
    2, S, S) steps in crop sides, see grid.moved, and the evidence for the next frames.
    """
    before = before or Evidence.none(len(frames))
    steps = []
    for t in range(frames.shape[1]):
        basis = _basis(holes[:, t])
        rims = (kind[:, t] > 0) & (holes[:, t] == 0)
        before = _looked(frames[:, t], _slopes(pictures[:, t]), rims, basis, before, KEPT**pace)
        steps.append(_steps(GAIN * before.displacement, basis))
    return torch.stack(steps, 1), before


def _looked(
    frames: torch.Tensor, slopes: torch.Tensor, rims: torch.Tensor, basis: torch.Tensor, known: Evidence, keep: float
) -> Evidence:
    """The evidence after one frame more of each scene. frames: (B, 3, S, S); slopes: see _slopes; rims: (B, 1, S, S)
    bool, what is compared; basis: see _basis; keep: share of what is known that is kept."""
    kept = evidence = Evidence(keep * known.information, keep * known.vector, np.ones_like(known.begun))
    cells_of, there = _places_of(rims.flatten(1))
    enough = there.sum(1).cpu().numpy() >= FEWEST
    seen, at = (x.flatten(2).gather(2, cells_of[:, None].expand(-1, 3, -1)) for x in (frames, basis))
    start = known.displacement
    for rounds in range(FIRST_ROUNDS if (enough & ~known.begun).any() else 1 if enough.any() else 0):
        found = _normal_equations(seen, slopes, cells_of, there, at, start)
        asked = enough & (~known.begun | (rounds == 0))
        evidence = Evidence(
            np.where(asked[:, None, None], kept.information + found[0], evidence.information),
            np.where(asked[:, None], kept.vector + found[1], evidence.vector),
            kept.begun,
        )
        start = np.where(known.begun[:, None, None], start, evidence.displacement)
    return evidence


def _places_of(chosen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The numbers of the chosen ones, (B, K), K being the most of any row, and (B, K) bool, which of them there are.

    chosen: (B, N) bool.
    """
    row, number = chosen.nonzero().T
    counts = chosen.sum(1)
    within = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts)[row]
    places = row.new_zeros(len(chosen), max(int(counts.max()), 1))
    places[row, within] = number
    return places, torch.arange(places.shape[1], device=row.device) < counts[:, None]


def _normal_equations(
    seen: torch.Tensor,
    picture: torch.Tensor,
    rim: torch.Tensor,
    there: torch.Tensor,
    basis: torch.Tensor,
    start: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """For displacements in sides, linearised at `start`; a difference in colour over the whole rim is taken out.

    seen: (B, 3, K) of the frames at the cells `rim`, (B, K), as far as they are `there`, (B, K) bool. picture: (B, 9,
    S, S), with its slopes along x and y, a side. basis: (B, 3, K). start: (B, 2, 3).
    """
    grid = cells(picture.shape[-1], picture.device).flatten(1, 2)[0]
    where = grid[rim] + _steps(start, basis).transpose(1, 2)  # (B, K, 2)
    shown, across, down = sampled(picture, where[:, None])[:, :, 0].chunk(3, 1)  # (B, 3, K) each
    error = seen - shown
    weight = there[:, None] * OUTLIER / (error - _medians(error, there[:, None])).abs().clamp(min=OUTLIER)
    slopes = torch.cat([across[:, None] * basis[:, :, None], down[:, None] * basis[:, :, None]], 1)  # (B, 6, 3, K)
    total = weight.sum(2, keepdim=True).clamp(min=1e-6)
    slopes = slopes - (weight[:, None] * slopes).sum(3, keepdim=True) / total[:, None]
    error = error - (weight * error).sum(2, keepdim=True) / total
    both = torch.cat([slopes, error[:, None]], 1).flatten(2)  # (B, 7, 3 K)
    sums = ((weight[:, None] * slopes).flatten(2) @ both.transpose(1, 2)).cpu().double().numpy()
    return sums[..., :6], sums[..., 6] + (sums[..., :6] @ start.reshape(-1, 6, 1))[..., 0]


def _slopes(pictures: torch.Tensor) -> torch.Tensor:
    """(T, 9, S, S): the pictures, and how they change along x and along y, a side."""
    kernel = pictures.new_tensor(SOBEL) * (pictures.shape[-1] / 8)
    wide = F.pad(pictures, (1, 1, 1, 1), mode="replicate").flatten(0, 1)[:, None]
    slopes = F.conv2d(wide, torch.stack([kernel, kernel.T])[:, None]).unflatten(0, pictures.shape[:2])
    return torch.cat([pictures, slopes[:, :, 0], slopes[:, :, 1]], 1)


def _basis(holes: torch.Tensor) -> torch.Tensor:
    """(B, 3, S, S): one, and how far right of and below the middles of holes, (B, 1, S, S), in quarters of a side."""
    places = cells(holes.shape[-1], holes.device).permute(0, 3, 1, 2)
    weight = (holes > 0).float()
    total = weight.sum((2, 3), keepdim=True).clamp(min=1)
    middle = (places * weight).sum((2, 3), keepdim=True) / total
    return torch.cat([torch.ones_like(holes), 4 * (places - middle)], 1)


def _steps(displacement: np.ndarray, basis: torch.Tensor) -> torch.Tensor:
    """(B, 2, ...) sides: x and y of (B, 2, 3) displacements over a (B, 3, ...) basis."""
    return torch.einsum("bij,bj...->bi...", torch.from_numpy(displacement).to(basis), basis)
