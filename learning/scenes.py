"""Training samples as scenes: frames of somebody, behind a headset that is drawn, as the product would see them.

Whoever draws samples chooses the frames (personal.footage, lab.generator.pairs).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..headset.draw import HEADSETS, HeadsetArtist, Look, randomised
from ..models.covered_landmarks import CROP_CENTRE, INPUT_SIDE
from ..restore.grid import GRID
from ..tracking.crop import Crop, CropTrack
from ..tracking.geometry import head_pose
from ..tracking.sighting import head_crop
from ..tracking.track import FrameStatus, TrackedFace

SIDE = 192  # pixels of a crop that is filled: 6.4 a centimetre, a little less than the store has
SCENE_SIDE, SCENE_CENTIMETRES = 320, 50.0
RUN = 3  # frames of a sample, for what learns in time
AS_NAMED = 0.3  # share of headsets that look like the device that the preset is named after
MARGIN = 3  # pixels by which a mask is larger than the device, at most


@dataclass(frozen=True)
class Drawn:
    """T frames of somebody behind a headset. truth, covered: (T, SIDE, SIDE, 3) uint8 crops as they are filled; hole:
    (T, SIDE, SIDE) uint8, 1 where anything of a pixel is hidden. points: (T, 478, 3), the true face in cells of the
    grid. seen: (T, 128, 128, 3) uint8, the crops in which the landmarker looks; to_cells: (T, 4, 4) from those crops'
    sides to cells."""

    truth: np.ndarray
    covered: np.ndarray
    hole: np.ndarray
    points: np.ndarray
    seen: np.ndarray
    to_cells: np.ndarray


Scene = tuple[np.ndarray, TrackedFace]
"""A picture, (SCENE_SIDE, SCENE_SIDE, 3) uint8, and the uncovered face in it."""


def behind_a_headset(scenes: Sequence[Scene], rng: np.random.Generator) -> Drawn:
    """Up to RUN scenes that follow each other; the last one stays where there are fewer."""
    artist = _artist(rng)
    grow = int(rng.integers(0, MARGIN + 1))
    jitter = rng.normal(0, (0.01, 0.01, 0.03, 1.5))
    frames = []
    for t in range(RUN):
        if t < len(scenes):
            covered, hidden = artist.draw(*scenes[t])
            if grow:
                hidden = cv2.dilate(hidden, np.ones((2 * grow + 1,) * 2, np.uint8))
        picture, face = scenes[min(t, len(scenes) - 1)]
        frames.append(_frame(picture, covered, hidden, face, jitter + rng.normal(0, (2e-3, 2e-3, 3e-3, 0.1)), rng))
    return Drawn(*(np.stack(values) for values in zip(*frames, strict=True)))


def scene(picture: np.ndarray, points: np.ndarray) -> Scene:
    """An (H, W, 3) uint8 picture as it is, cut to the head. points: (478, 3) pixels."""
    crop = upright(points)
    return crop.take(picture, SCENE_SIDE), face_of(crop.to_crop(points, SCENE_SIDE).astype(np.float32))


def upright(points: np.ndarray, centimetres: float = SCENE_CENTIMETRES) -> Crop:
    """The crop around a head, so many centimetres wide, not turned with it."""
    around = Crop.around(head_pose(points), centimetres, CROP_CENTRE)
    return Crop(around.x, around.y, around.side)


def face_of(points: np.ndarray) -> TrackedFace:
    """An uncovered face with the given points."""
    return TrackedFace(points, FrameStatus.FOUND, np.ones(len(points), np.float32), head_pose(points))


def _artist(rng: np.random.Generator) -> HeadsetArtist:
    headset = HEADSETS[str(rng.choice(list(HEADSETS)))]
    look = None if rng.random() < AS_NAMED else Look.random(rng)
    return HeadsetArtist(randomised(headset, rng), seed=int(rng.integers(1 << 31)), look=look)


def _frame(
    picture: np.ndarray,
    covered: np.ndarray,
    hidden: np.ndarray,
    face: TrackedFace,
    jitter: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, ...]:
    """The fields of Drawn of one frame. jitter: of the crop, sides right and down, log of its size, degrees."""
    crop = CropTrack().push(face).misplaced(jitter[0], jitter[1], float(np.exp(jitter[2])), jitter[3])
    looked_at = head_crop(face.pose).misplaced(
        *rng.normal(0, 0.025, 2), float(np.exp(rng.normal(0, 0.05))), float(rng.normal(0, 3))
    )
    cells = np.eye(4)
    flat = crop.matrix(GRID)
    cells[:2, :2], cells[:2, 3], cells[2, 2] = flat[:, :2], flat[:, 2], crop.scale(GRID)
    return (
        crop.shrunk(picture, SIDE),
        crop.shrunk(covered, SIDE),
        (crop.take(hidden * np.uint8(255), SIDE) > 0).astype(np.uint8),
        crop.to_crop(face.points, GRID).astype(np.float32),
        looked_at.shrunk(covered, INPUT_SIDE),
        (cells @ looked_at.to_frame()).astype(np.float32),
    )
