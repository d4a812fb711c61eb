"""What an enrolment holds, as a picture: a face for each direction that was looked in, and gaps where none was."""

import numpy as np

from ..faces.pose import pose_angles
from ..faces.preview import PAPER, face_tile, write
from ..faces.track import FrameStatus
from .enrolment import Enrolment

YAWS, PITCHES = (-30, -15, 0, 15, 30), (-20, 0, 20)  # degrees in the middle of the columns and rows
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
    columns = np.abs(angles[:, :1] - YAWS).argmin(1)
    rows = np.abs(angles[:, 1:] - PITCHES).argmin(1)

    def cell(r: int, c: int) -> np.ndarray:
        return _cell(faces, angles, np.flatnonzero((rows == r) & (columns == c)), (YAWS[c], PITCHES[r]))

    return np.vstack([np.hstack([cell(r, c) for c in range(len(YAWS))]) for r in range(len(PITCHES))])


def _cell(faces: list, angles: np.ndarray, members: np.ndarray, middle: tuple[int, int]) -> np.ndarray:
    caption = np.full((CAPTION, TILE, 3), PAPER, np.uint8)
    if not len(members):
        write(caption, "missing", (8, 16), 0.4)
        return np.vstack([np.full((TILE, TILE, 3), GAP, np.uint8), caption])
    nearest = members[np.square(angles[members] - middle).sum(1).argmin()]
    image, points, _ = faces[nearest]
    write(caption, f"{len(members)} frames", (8, 16), 0.4)
    return np.vstack([face_tile(image, points, TILE), caption])
