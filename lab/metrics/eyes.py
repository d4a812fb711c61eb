"""Whether the eyes of the result are where those of the truth are, and open and shut as they do.

Landmarks of both are what a landmarker finds in the finished pictures; NaN on frames in which it finds no face.
"""

from __future__ import annotations

import numpy as np

from ...tracking.geometry import EYE_LIDS, eye_distance, eye_openness

# Corners and lids of both eyes.
EYES = tuple(p for lids, corners in EYE_LIDS.values() for p in (*corners, *(point for pair in lids for point in pair)))
SHUT = 0.5  # of the person's usual aperture: people differ too much for one threshold


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
    """F1 score, in [0, 1], of the frames with shut eyes: 2 hits / (2 hits + false alarms + misses).

    Shut is less than half of the truth's median aperture, for both. NaN where the truth never blinks.
    result, truth: (T,478,2 or more) pixels.
    """
    a, b = _known_apertures(result, truth)
    if not len(b):
        return float("nan")
    shut_in_result, shut = (aperture < SHUT * np.median(b) for aperture in (a, b))
    hits = np.count_nonzero(shut_in_result & shut)
    return 2 * hits / (np.count_nonzero(shut_in_result) + np.count_nonzero(shut)) if shut.any() else float("nan")


def _known_apertures(result: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eye aspect ratios on the frames on which both are known."""
    apertures = np.stack([eye_openness(points) for points in (result, truth)])
    a, b = apertures[:, np.isfinite(apertures).all(0)]
    return a, b
