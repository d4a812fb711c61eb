"""Whether the eyes of the result are where those of the truth are, and open and shut as they do.

Landmarks of both are what a landmarker finds in the finished pictures; NaN on frames in which it finds no face.
"""

from __future__ import annotations

import cv2
import numpy as np

from ...driving.upper_face import CORNERS, gazes
from ...metrics.blinks import blink_hits, f1
from ...tracking.geometry import EYE_LIDS, eye_distance, eye_openness, head_pose, transform

# Corners and lids of both eyes.
EYES = tuple(p for lids, corners in EYE_LIDS.values() for p in (*corners, *(point for pair in lids for point in pair)))
SHUT = 0.5  # of the person's usual aperture, under which an eye does not show where it looks
REGION = 0.75  # eye widths around its middle: lids and the skin that moves with them


def eye_nme(result: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Mean distance of the eyes' points from the truth's in % of its eye distance, per frame (T,).

    result, truth: (T,478,2 or more) pixels.
    """
    errors = np.linalg.norm((result - truth)[:, EYES, :2], axis=-1).mean(1)
    return 100 * errors / eye_distance(truth)


def aperture_correlation(result: np.ndarray, truth: np.ndarray) -> float:
    """Pearson correlation over frames of how far the eyes are open (eye aspect ratio), in [-1, 1].

    0 for a result that never changes; NaN where the truth does not, or fewer than 3 frames are known of both.
    result, truth: (T,478,2 or more) pixels.
    """
    a, b = _known_apertures(result, truth)
    if len(a) < 3 or np.ptp(b) == 0:
        return float("nan")
    return 0.0 if np.ptp(a) == 0 else float(np.corrcoef(a, b)[0, 1])


def blink_f1(result: np.ndarray, truth: np.ndarray) -> float:
    """F1 score of blinks, in [0, 1], see metrics.blinks, of both eyes together by their aperture.

    1 is the truth's median aperture; each is shut by its own range, as a landmarker sees drawn lids less shut than they
    are. NaN where neither blinks. result, truth: (T,478,2 or more) pixels.
    """
    a, b = _known_apertures(result, truth)
    usual = np.median(b) if len(b) else np.nan
    return f1(*blink_hits(a / usual, b / usual))


def gaze_error(result: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Degrees between where the irises of both look, mean of both eyes, per frame (T,); NaN where the truth's eyes are
    less than half as open as usual. result, truth: (T,478,3) pixels."""
    faces = [_in_face(points) for points in (result, truth)]
    away = np.degrees(np.linalg.norm(gazes(faces[0]) - gazes(faces[1]), axis=-1).mean(-1))
    aperture = eye_openness(truth)
    return np.where(aperture > SHUT * np.nanmedian(aperture), away, np.nan)


def eye_regions(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(T, height, width) bool: discs around the eyes, REGION of their widths in radius. points: (T,478,2 or more)."""
    found = np.zeros((len(points), *size), np.uint8)
    for picture, face in zip(found, points, strict=True):
        for left, right in CORNERS:
            (x, y), width = face[[left, right], :2].mean(0), np.linalg.norm(face[left, :2] - face[right, :2])
            cv2.circle(picture, (round(float(x)), round(float(y))), round(float(REGION * width)), 1, -1)
    return found > 0


def _in_face(points: np.ndarray) -> np.ndarray:
    """(T,478,3) in face coordinates; NaN where points are."""
    known = np.isfinite(points).all((1, 2))
    poses = [head_pose(face) if there else np.eye(4) for face, there in zip(points, known, strict=True)]
    return np.stack([transform(np.linalg.inv(m), p.astype(np.float64)) for m, p in zip(poses, points, strict=True)])


def _known_apertures(result: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eye aspect ratios on the frames on which both are known."""
    apertures = np.stack([eye_openness(points) for points in (result, truth)])
    a, b = apertures[:, np.isfinite(apertures).all(0)]
    return a, b
