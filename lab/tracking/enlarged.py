"""Uncovered faces of several sizes in pictures of 1920 x 1080."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...errors import InputError
from ...tracking.enrol import reference_from_frames
from ...tracking.follow import Wearer, track_clip
from ...tracking.geometry import MESH_POINT_COUNT, eye_distance
from ...tracking.track import FrameStatus
from ...tracking.uncovered import require_mediapipe
from ...video import VideoReader

SIZE = (1080, 1920)
SHARES = (0.08, 0.15, 0.4)  # of the picture's width that the face takes
UNCOVERED = Wearer(detector="uncovered", on_missing="untouched")


def evaluate_enlarged(clip: Path, shares: Sequence[float], *, limit: int) -> Iterator[dict[str, Any]]:
    """A row for each share: of how many frames the face was found in, how far its points are from those in the clip as
    it is, on average and in the worst frame, in % of the eye distance; and whether the frames serve as a reference.

    limit: frames of the clip. Raises InputError for a clip without a face.
    """
    require_mediapipe()
    with VideoReader(clip) as reader:
        frames = [frame.pixels for frame in islice(reader, limit)]
    track = track_clip(frames, frames[0].shape[:2], UNCOVERED)
    known = track.status == FrameStatus.FOUND
    for share in shares:
        large, truth = enlarged(frames, track.points, known, share)
        row: dict[str, Any] = {"clip": clip.name, "share": share, "found": 0.0, "error": None, "worst": None}
        try:
            found = track_clip(large, SIZE, UNCOVERED)
            both = known & (found.status == FrameStatus.FOUND)
            error = np.linalg.norm((found.points - truth)[:, :MESH_POINT_COUNT, :2], axis=2).mean(1)
            error = 100 * (error / eye_distance(truth))[both]
            row |= {"found": float(both.sum() / known.sum()), "error": float(error.mean()), "worst": float(error.max())}
            row["reference"] = len(reference_from_frames(large)[0]) > 0
        except InputError:
            row["reference"] = False
        yield row


def enlarged(
    frames: Sequence[np.ndarray], points: np.ndarray, known: np.ndarray, share: float
) -> tuple[list[np.ndarray], np.ndarray]:
    """The frames in a picture of SIZE, the face left of its middle and as wide as the share says, and the points
    there. points: (T, 478, 3) pixels, of the frames that are `known`, (T,) bool."""
    mesh = points[known, :MESH_POINT_COUNT]
    scale = share * SIZE[1] / float(np.median(np.ptp(mesh[..., 0], axis=1)))
    shift = np.array([0.4 * SIZE[1], 0.5 * SIZE[0]]) - scale * mesh[..., :2].mean((0, 1))
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    large = [cv2.warpAffine(f, matrix, SIZE[::-1], flags=how, borderMode=cv2.BORDER_REPLICATE) for f in frames]
    moved = scale * points
    moved[..., :2] += shift
    return large, moved
