"""What a training run reached, as curves: its log.csv as a picture."""

import csv
from pathlib import Path

import numpy as np

from ..errors import InputError

OWN, BASELINE = "#d1495b", "#6c8296"
COLUMNS, WIDE, HIGH = 4, 3.2, 2.2  # panels in a row, inches of each


def read_log(path: Path) -> dict[str, np.ndarray]:
    """The columns of a log.csv by name, (N,) float. Raises InputError for a file that is none."""
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        columns = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
        if "step" not in columns:
            raise ValueError("it has no column named step")
    except (OSError, ValueError, TypeError, IndexError) as error:
        raise InputError(f"Expected the log.csv of a training run in {path}: {error}.") from error
    return columns


def plot_log(log: dict[str, np.ndarray]) -> np.ndarray:
    """A panel for each column over the steps; what was measured of the warp beside it, as a line for comparison.

    Returns (H, W, 3) uint8 RGB. Raises InputError without matplotlib.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError("Curves need matplotlib: pip install 'hmd-removal[metrics]'.") from error

    names = [name for name in log if name not in ("step", "seconds") and not name.startswith("warp_")]
    rows = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(COLUMNS * WIDE, rows * HIGH), dpi=100, facecolor="white", layout="constrained")
    canvas = FigureCanvasAgg(figure)
    for number, name in enumerate(names, 1):
        axes = figure.add_subplot(rows, COLUMNS, number)
        axes.plot(log["step"], log[name], color=OWN, label="network")
        baseline = f"warp_{name.removeprefix('network_')}"
        if baseline in log:
            axes.plot(log["step"], log[baseline], color=BASELINE, label="warp")
            axes.legend(fontsize=7, frameon=False)
        unit = " (dB)" if baseline in log or name.endswith("psnr") else ""
        axes.set_title(name.removeprefix("network_").replace("_", " ") + unit, fontsize=9)
        axes.tick_params(labelsize=7)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
