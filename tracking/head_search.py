"""Finding heads in a picture without knowing where they are, eyes in sight or not."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..errors import InputError
from .crop import Crop
from .geometry import pose_scale
from .sighting import Sighting, look
from .track import hidden_share

if TYPE_CHECKING:
    import torch

    from ..models.covered_landmarks import CoveredLandmarkNet
    from ..models.head_finder import HeadFinder

HIDDEN = 0.05  # share of a face's points that a mask hides from which it is that face's

Box = tuple[float, float, float, float]  # x, y of the upper left corner, width, height, in pixels

LOOSE = 0.15  # presence from which a window is worth another look
KNOWN = 0.3  # presence to which a head may sink that is known to be there, as it was a frame ago or a user says so
MOST = 4  # heads in a picture
MOST_CANDIDATES = 12  # windows worth refining
# Crops that are off by (x, y) sides, a factor and degrees, from which a head is looked at to make sure of it.
PROBES = ((0.14, 0.1, 1.15, 8.0), (-0.14, -0.1, 0.87, -8.0), (0.1, -0.14, 0.87, 8.0), (-0.1, 0.14, 1.15, -8.0))
# Log-odds that there is a head, by `evidence`: logistic regression on what is sighted in 450 pictures of scenes of the
# training among parts of photographs without a head (`hmd-removal lab fit-sightings`, 2026-11-28), by the landmarker's
# fourth run. With what ships, fitted anew it finds 345 of 363 heads of `val` in place of 341, and takes 22 of 145 other
# things for one in place of 14: it stays.
WEIGHTS, BIAS = np.array((1.70, -0.84, -0.65, 0.89)), -2.08
SURE_ENOUGH = -1.25  # log-odds from which a sighting counts: one that is missed costs more than one too many
SMALL = 0.4  # of the size of a head that is sure, below which a doubtful one is rather a hand or the knot of a tie

# The landmarker's crop sides by the picture's height, one for each level of the pyramid: HEAD_SIDE pixels there. Heads
# (24 of a crop's 34 cm) are found from 0.09 to 1.1 of the height.
LEVELS = (1.15, 0.62, 0.34, 0.185)
LIKELY = 0.1  # from which a cell is worth a look by the landmarker
MOST_PLACES = 12  # of them

BRIGHTER = np.round(255 * np.sqrt(np.arange(256) / 255)).astype(np.uint8)

# Crop sides by the longer side of what frames the head: a box drawn loosely, around hair and chin, around the face.
BY_BOX = (1.0, 1.4, 1.9)
# The same for MediaPipe's mesh, which is a face's, or is squeezed into the lower half of one.
BY_MESH = ((1.9, 0.0), (2.8, -0.4))  # crop side and shift downwards, by the mesh's longer side


def find_heads(
    net: "CoveredLandmarkNet",
    frame: np.ndarray,
    places: Sequence[Crop],
    *,
    faces: Sequence[np.ndarray] = (),
    most: int = MOST,
) -> list[Sighting]:
    """The heads in an (H, W, 3) uint8 frame: the largest ones, at most `most`, the surest first.

    places: where to look, as `likely_heads` says. faces: where a detector of uncovered faces put its
    meshes, (N, 2 or 3) pixels each.
    """
    crops = [*places, *(crop for points in faces for crop in crops_for_mesh(points))]
    found = _confirmed(net, frame, refined(net, frame, look(net, frame, crops)))
    if not found and crops:  # perhaps it is too dark to be sure
        frame = cv2.LUT(frame, BRIGHTER)
        found = _confirmed(net, frame, refined(net, frame, look(net, frame, crops)))
    return distinct(sorted(found, key=lambda head: -head.crop.side)[:most])


def likely_heads(net: "HeadFinder", frame: np.ndarray) -> list[Crop]:
    """The crops in which the landmarker may see a head, the likeliest first. frame: (H, W, 3) uint8."""
    import torch

    from ..models.head_finder import CELL, HEAD_SIDE

    device = next(net.parameters()).device
    height, width = frame.shape[:2]
    found: list[tuple[float, Crop]] = []
    for level in sorted(LEVELS):
        side = level * height
        scale = HEAD_SIDE / side
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)  # the level before is enough for a smaller one
        padding = ((0, -size[1] % CELL), (0, -size[0] % CELL), (0, 0))
        picture = torch.from_numpy(np.pad(frame, padding, mode="edge")).to(device)
        with torch.inference_mode():
            share = net(picture.permute(2, 0, 1)[None].float() / 255).sigmoid()
        for row, column in torch.nonzero((peaks(share) & (share > LIKELY))[0]).tolist():
            x, y = (column + 0.5) * CELL * width / size[0], (row + 0.5) * CELL * height / size[1]
            found.append((float(share[0, row, column]), Crop(x, y, side)))
    return [crop for _, crop in sorted(found, key=lambda place: -place[0])[:MOST_PLACES]]


def peaks(share: "torch.Tensor") -> "torch.Tensor":
    """(B, h, w) bool: cells that none of their neighbours exceeds."""
    from torch.nn import functional as F

    return share == F.max_pool2d(share[:, None], 3, 1, 1)[:, 0]


def find_behind(net: "CoveredLandmarkNet", frame: np.ndarray, mask: np.ndarray) -> list[Sighting]:
    """The head that a mask hides, in a list, or an empty list where none is hidden by it, as where it is of something
    else. frame: (H, W, 3) uint8; mask: (H, W), over 0.5 = covered."""
    x, y, width, height = cv2.boundingRect((mask > 0.5).view(np.uint8))
    if not width:
        return []
    seen = look(net, frame, crops_for_box((x, y, width, height)))
    found = _confirmed(net, frame, refined(net, frame, seen))
    return [s for s in found if hidden_share(s.points, mask) > HIDDEN][:1]


def find_in_box(net: "CoveredLandmarkNet", frame: np.ndarray, box: Box) -> list[Sighting]:
    """The head that a user drew a box around, in a list, or an empty list where none can be made out.

    That there is a head is taken on trust. Raises InputError for a box that is empty or off the picture.
    """
    _check_box(box, frame.shape[:2])
    return refined(net, frame, look(net, frame, crops_for_box(box)))[:1]


def crops_for_box(box: Box) -> list[Crop]:
    """Crops to try for a head that a user drew a box around."""
    x, y, width, height = box
    return [Crop(x + width / 2, y + height / 2, max(width, height) * k) for k in BY_BOX]


def crops_for_mesh(points: np.ndarray) -> list[Crop]:
    """Crops to try for a head where a detector of uncovered faces put its mesh, (N, 2 or 3) pixels."""
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    (x, y), size = (low + high) / 2, float((high - low).max())
    return [Crop(float(x), float(y) + down * size, size * k) for k, down in BY_MESH]


def refined(net: "CoveredLandmarkNet", frame: np.ndarray, first: list[Sighting]) -> list[Sighting]:
    """The likeliest sightings after two more looks, each centred on what was seen before."""
    candidates = distinct([s for s in first if s.presence > LOOSE])[:MOST_CANDIDATES]
    for _ in range(2):
        candidates = look(net, frame, [s.crop for s in candidates])
    return distinct([s for s in candidates if s.presence > LOOSE])


def _confirmed(net: "CoveredLandmarkNet", frame: np.ndarray, candidates: list[Sighting]) -> list[Sighting]:
    """Those candidates that are heads, by several looks from crops that are off to every side."""
    probes = look(net, frame, [s.crop.misplaced(*probe) for s in candidates for probe in PROBES])
    looks = [[s, *probes[i * len(PROBES) : (i + 1) * len(PROBES)]] for i, s in enumerate(candidates)]
    odds = [float(evidence(of_one) @ WEIGHTS + BIAS) for of_one in looks]
    sure = max((s.crop.side for s, o in zip(candidates, odds, strict=True) if o > 0), default=0.0)
    return distinct(
        [
            replace(s, presence=float(np.mean([seen.presence for seen in of_one])))
            for s, o, of_one in zip(candidates, odds, looks, strict=True)
            if o > (SURE_ENOUGH if s.crop.side > SMALL * sure else 0)
        ]
    )


def evidence(looks: Sequence[Sighting]) -> np.ndarray:
    """What several looks at one place, the first of them centred, say of whether there is a head, (4,): log-odds of the
    mean presence; logarithm of the factor between the sizes that they give; deviation of the points in centimetres; and
    the share of the eyes' points that lie under a device, which where there is no head lies anywhere."""
    presence = float(np.clip(np.mean([seen.presence for seen in looks]), 0.02, 0.98))
    sides = [seen.crop.side for seen in looks[1:]]
    deviation = float(looks[0].deviation.mean()) / pose_scale(looks[0].pose)
    over_eyes = np.mean([seen.device.over_eyes(seen.points) for seen in looks])
    return np.array([np.log(presence / (1 - presence)), np.log(max(sides) / min(sides)), deviation, over_eyes])


def distinct(sightings: list[Sighting]) -> list[Sighting]:
    """The best sighting of each head, best first (non-maximum suppression)."""
    kept: list[Sighting] = []
    for sighting in sorted(sightings, key=lambda s: -s.quality):
        if not any(sighting.crop.overlaps(other.crop) for other in kept):
            kept.append(sighting)
    return kept


def _check_box(box: Box, size: tuple[int, int]) -> None:
    x, y, width, height = box
    if width <= 0 or height <= 0 or x >= size[1] or y >= size[0] or x + width <= 0 or y + height <= 0:
        raise InputError(
            f"Expected a box (x, y, width, height) around the head within {size[1]} x {size[0]} pixels, "
            f"got ({', '.join(f'{v:g}' for v in box)}); draw it on the first frame."
        )
