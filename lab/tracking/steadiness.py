"""How steady tracked points are, and how far they trail behind the truth."""

import numpy as np

from ...errors import InputError


def jitter(points: np.ndarray, eye_distance: float) -> float:
    """Shake of tracked points in % of the eye distance: the root mean square length of their second difference.

    points: (T, N, 2) pixels of T consecutive frames; a third coordinate is left out. eye_distance: pixels. Motion at
    constant speed has none; independent noise of standard deviation s in x and y has sqrt(12) s. Raises InputError
    for fewer than 3 frames.
    """
    if len(points) < 3:
        raise InputError(f"Expected at least 3 frames to measure jitter, got {len(points)}; use a longer clip.")
    second = np.diff(points[..., :2].astype(np.float64), n=2, axis=0)
    return float(100 * np.sqrt((second**2).sum(-1).mean()) / eye_distance)


def lag(points: np.ndarray, truth: np.ndarray, *, most: int = 8) -> float:
    """Frames by which points trail behind the truth, where the cross-correlation of their velocities is highest.

    points, truth: (T, N, 2) pixels of the same T frames; a third coordinate is left out. Positive when the points come
    late; parts of a frame by a parabola through the highest three values. Raises InputError when there are fewer than
    3 * `most` frames, or nothing moves.
    """
    if points.shape != truth.shape or len(points) < 3 * most:
        raise InputError(
            f"Expected points and truth of one shape with at least {3 * most} frames, got {points.shape} and "
            f"{truth.shape}; use a longer clip."
        )
    moved, true = (np.diff(p[..., :2].astype(np.float64), axis=0).reshape(len(p) - 1, -1) for p in (points, truth))
    shifts = np.arange(-most, most + 1)
    likeness = np.array([_correlation(moved, true, int(k)) for k in shifts])
    best = int(likeness.argmax())
    if not 0 < best < len(shifts) - 1:
        return float(shifts[best])
    before, peak, after = likeness[best - 1 : best + 2]
    return float(shifts[best] + 0.5 * (before - after) / (before - 2 * peak + after))


def _correlation(moved: np.ndarray, true: np.ndarray, shift: int) -> float:
    """Of `moved` with `true` delayed by `shift` frames."""
    count = len(true)
    a, b = moved[max(shift, 0) : count + min(shift, 0)], true[max(-shift, 0) : count + min(-shift, 0)]
    norm = np.sqrt((a**2).sum() * (b**2).sum())
    if norm == 0:
        raise InputError("Lag can only be measured where the face moves; use a clip with head motion.")
    return float((a * b).sum() / norm)
