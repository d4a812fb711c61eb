"""What an enrolment holds, as a picture: a face for each direction that was looked in, and gaps where none was."""

import numpy as np

from ..tracking.geometry import pose_angles
from ..tracking.preview import PAPER, face_tile, write
from ..tracking.track import FrameStatus
from .enrolment import Enrolment

# Degrees in the middle of the columns and rows, and how it looks in the picture.
YAWS = {-30: "far left", -15: "left", 0: "", 15: "right", 30: "far right"}
PITCHES = {-20: "up", 0: "", 20: "down"}
TILE, CAPTION = 128, 22  # pixels
GAP = (225, 225, 225)


def enrolment_sheet(enrolment: Enrolment) -> np.ndarray:
    """(H, W, 3) uint8: columns by yaw, rows by pitch; of each the face that is nearest, and how many there are."""
    faces = [
        (piece.frames[t], piece.track.points[t], angles[t])
        for piece in enrolment.pieces
        for angles in (pose_angles(piece.track.pose),)
        for t in np.flatnonzero(piece.track.status == FrameStatus.FOUND)
    ]
    angles = np.stack([a[:2] for _, _, a in faces])
    columns, rows = np.array(list(YAWS)), np.array(list(PITCHES))
    own_yaw = columns[np.abs(angles[:, :1] - columns).argmin(1)]
    own_pitch = rows[np.abs(angles[:, 1:] - rows).argmin(1)]

    def cell(yaw: int, pitch: int) -> np.ndarray:
        return _cell(faces, angles, np.flatnonzero((own_yaw == yaw) & (own_pitch == pitch)), (yaw, pitch))

    return np.vstack([np.hstack([cell(yaw, pitch) for yaw in YAWS]) for pitch in PITCHES])


def _cell(faces: list, angles: np.ndarray, members: np.ndarray, middle: tuple[int, int]) -> np.ndarray:
    caption = np.full((CAPTION, TILE, 3), PAPER, np.uint8)
    if not len(members):
        where = " ".join(word for word in (PITCHES[middle[1]], YAWS[middle[0]]) if word) or "straight"
        write(caption, f"none {where}", (8, 16), 0.4)
        return np.vstack([np.full((TILE, TILE, 3), GAP, np.uint8), caption])
    nearest = members[np.square(angles[members] - middle).sum(1).argmin()]
    image, points, _ = faces[nearest]
    write(caption, f"{len(members)} frames", (8, 16), 0.4)
    return np.vstack([face_tile(image, points, TILE), caption])
