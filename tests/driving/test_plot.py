"""The picture of a recording."""

import numpy as np

from hmd_removal.driving.eye_tracking import EyeTracking
from hmd_removal.driving.plot import EYES, plot_tracking


def pixels_of(picture: np.ndarray, colour: str) -> np.ndarray:
    """Rows and columns of the pixels of a colour given as #rrggbb."""
    return np.argwhere((picture == np.frombuffer(bytes.fromhex(colour[1:]), np.uint8)).all(-1))


def test_only_what_is_known_has_a_panel():
    tracking = EyeTracking.unknown(np.arange(60) / 60)
    tracking.openness[:] = 1
    lids = plot_tracking(tracking, "lids")
    tracking.gaze[:] = 0
    both = plot_tracking(tracking, "lids and gaze", ["a note"])
    assert lids.dtype == np.uint8 and lids.shape[1:] == both.shape[1:] == (1000, 3)
    assert both.shape[0] > lids.shape[0] + 200


def test_a_blink_goes_down_and_a_gap_stays_a_gap():
    tracking = EyeTracking.unknown(np.arange(300) / 60)
    tracking.openness[:, 0] = np.where(np.arange(300) // 50 == 1, 0, 1)
    tracking.openness[200:250] = np.nan
    rows, columns = pixels_of(plot_tracking(tracking, "one eye"), EYES[0][1]).T
    curve = (columns < 700) & (rows > 60)  # the legend's line lies to the right
    usual, shut = (rows[curve & (columns > low) & (columns < high)] for low, high in ((90, 200), (240, 350)))
    assert shut.mean() > usual.mean() + 50
    assert not (curve & (columns > 690)).any()
