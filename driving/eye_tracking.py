"""What eye and face tracking data say, in one form, whatever they came from."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class EyeTracking:
    """N moments of one recording, or the frames of a clip that it was brought in time with. NaN is what is unknown.

    times: (N,) float64 seconds, rising. Of two eyes the wearer's right one comes first. openness: (N, 2), 0 shut, 1
    usual, over 1 wide. gaze: (N, 2, 2) radians, yaw to the wearer's right and pitch down positive. brows: (N, 2, 3) in
    [0, 1], how far the inner and the outer end are raised, and the whole is lowered. jaw: (N, 2), how far the mouth is
    open, in [0, 1], and how far the jaw is moved to the wearer's right, in [-1, 1].
    """

    times: np.ndarray
    openness: np.ndarray
    gaze: np.ndarray
    brows: np.ndarray
    jaw: np.ndarray
