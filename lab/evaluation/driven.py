"""Landmarks as a headset with cameras for the eyes could tell them: the mode "driven"."""

import numpy as np

from ...tracking.geometry import EYES_AND_BROWS

IRISES = tuple(range(468, 478))
BRIDGE = 168  # the point of the nose between the eyes


def driven_points(true: np.ndarray, seen: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The true shape of each eye with its brow where the landmarks put it, and that it is known.

    Such cameras see lids, pupils and brows, but not where on the head they are. true, seen: (T, 478, 2 or 3) pixels, of
    the uncovered face and as the landmarks say; known: (T, 478) bool or float, which of `seen` are in sight. Returns
    new `seen` and `known`.
    """
    seen, known = seen.copy(), known.copy()
    moving = np.array((*EYES_AND_BROWS, *IRISES))
    left = true[:, moving, 0] < true[:, BRIDGE : BRIDGE + 1, 0]
    for eye in (left, ~left):
        for t in range(len(true)):
            own = moving[eye[t]]
            seen[t, own] = true[t, own] + (seen[t, own] - true[t, own]).mean(0)
            known[t, own] = 1
    return seen, known
