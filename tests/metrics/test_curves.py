"""Panels of curves over time."""

import numpy as np

from hmd_removal.metrics.curves import Panel, plot_curves
from hmd_removal.metrics.plot import HOLE, OTHER

TIMES = np.arange(300) / 60


def pixels_of(picture: np.ndarray, colour: str) -> np.ndarray:
    """Rows and columns of the pixels of a colour given as #rrggbb."""
    return np.argwhere((picture == np.frombuffer(bytes.fromhex(colour[1:]), np.uint8)).all(-1))


def test_only_what_is_known_has_a_panel():
    known = Panel("lids", "0 to 1", [("right", np.ones(300), HOLE), ("left", np.full(300, np.nan), OTHER)])
    unknown = Panel("gaze", "degrees", [("right", np.full(300, np.nan), HOLE)])
    one, two = plot_curves(TIMES, [known, unknown], "one"), plot_curves(TIMES, [known, known], "two", ["a note"])
    assert one.dtype == np.uint8 and one.shape[1:] == two.shape[1:] == (1000, 3)
    assert two.shape[0] > one.shape[0] + 150


def test_a_curve_goes_down_where_its_values_do_and_a_gap_stays_a_gap():
    values = np.where(np.arange(300) // 50 == 1, 0.0, 1.0)
    values[200:250] = np.nan
    picture = plot_curves(TIMES, [Panel("lids", "0 to 1", [("right", values, HOLE)])], "one eye")
    rows, columns = pixels_of(picture, HOLE).T
    curve = (columns < 820) & (rows > 80)  # the legend's line lies to the right
    usual, shut = (rows[curve & (columns > low) & (columns < high)] for low, high in ((90, 200), (240, 350)))
    assert shut.mean() > usual.mean() + 50
    assert not (curve & (columns > 690)).any()
