"""The plot of a report: its size follows what was computed, its curves follow the values."""

import sys

import numpy as np
import pytest

from hmd_removal.metrics.plot import HOLE, plot_report
from hmd_removal.metrics.report import MetricsReport


def report(frames: int = 90, **per_frame: np.ndarray) -> MetricsReport:
    mean = {name: float(np.nanmean(np.minimum(values, 100))) for name, values in per_frame.items()}
    return MetricsReport(frames, 0.2, per_frame, mean, {"identity": "No face landmarks of the truth were given."})


def pixels_of(picture: np.ndarray, colour: str) -> np.ndarray:
    """Rows and columns of the pixels of a colour given as #rrggbb."""
    return np.argwhere((picture == np.frombuffer(bytes.fromhex(colour[1:]), np.uint8)).all(-1))


def test_one_panel_for_each_group_that_was_computed():
    curve = np.linspace(20, 30, 90)
    one = plot_report(report(psnr=curve, hole_psnr=curve - 5))
    two = plot_report(report(psnr=curve, hole_psnr=curve - 5, ssim=curve / 40))
    assert one.dtype == np.uint8
    assert one.shape[1:] == two.shape[1:] == (1000, 3)
    assert two.shape[0] > one.shape[0]


def test_a_rising_curve_rises_and_a_gap_stays_a_gap():
    values = np.linspace(0.01, 0.05, 90)
    values[40:60] = np.nan
    rows, columns = pixels_of(plot_report(report(temporal=values)), HOLE).T
    curve = columns < 700  # the legend's line lies to the right
    left, right = (rows[curve & (columns // 100 == i)] for i in (2, 6))
    assert right.mean() < left.mean()
    assert not (curve & (columns > 500) & (columns < 640)).any()


@pytest.mark.parametrize("frames", [1, 2, 3000])
def test_short_long_and_perfect_clips_are_drawn(frames):
    """Identical frames have infinite PSNR; the first frame has no temporal error."""
    temporal = np.full(frames, 0.01)
    temporal[0] = np.nan
    curves = {"hole_psnr": np.full(frames, np.inf)} | ({"temporal": temporal} if frames > 1 else {})
    assert len(pixels_of(plot_report(report(frames, **curves)), HOLE))


def test_a_report_without_any_metric_still_says_why():
    assert plot_report(report()).min() < 200


def test_no_global_state_of_matplotlib_is_touched(monkeypatch):
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)  # MediaPipe imports it
    plot_report(report(seam=np.ones(90)))
    assert "matplotlib.pyplot" not in sys.modules
