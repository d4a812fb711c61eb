"""What training runs reached, as curves: their log.csv as a picture."""

import csv
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import numpy as np

from ...errors import InputError

COLOURS, BASELINE = ("#d1495b", "#2a9d8f", "#3d5a98", "#e9a03b", "#7a4e9f"), "#6c8296"
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


def plot_logs(logs: dict[str, dict[str, np.ndarray]], *, over: str = "step", only: Sequence[str] = ()) -> np.ndarray:
    """A panel for each column, in it a line for each log by its name; what was measured of the warp beside it, dashed.

    over: "step", or "minutes" of training. only: the columns that are wanted, all without. Returns (H, W, 3) uint8 RGB.
    Raises InputError without matplotlib, or for a column that no log has.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError("Curves need matplotlib: pip install 'hmd-removal[lab]'.") from error

    there = dict.fromkeys(name for log in logs.values() for name in log)
    names = [name for name in there if name not in ("step", "seconds") and not name.startswith("warp_")]
    if missing := set(only) - set(names):
        raise InputError(f"Expected columns out of {', '.join(names)}, got {', '.join(sorted(missing))}.")
    names = list(only) or names
    columns = min(COLUMNS, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(columns * WIDE, rows * HIGH), dpi=100, facecolor="white", layout="constrained")
    canvas = FigureCanvasAgg(figure)
    for number, name in enumerate(names, 1):
        axes = figure.add_subplot(rows, columns, number)
        baseline = f"warp_{name.removeprefix('network_')}"
        for colour, (run, log) in zip(cycle(COLOURS), logs.items()):
            places = log["seconds"] / 60 if over == "minutes" else log["step"]
            if name in log:
                axes.plot(places, log[name], color=colour, label=run)
            if baseline in log:
                label = f"{run}, warp" if len(logs) > 1 else "warp"
                axes.plot(places, log[baseline], color=colour if len(logs) > 1 else BASELINE, ls="--", label=label)
        unit = " (dB)" if name.endswith("psnr") or any(baseline in log for log in logs.values()) else ""
        axes.set_title(name.removeprefix("network_").replace("_", " ") + unit, fontsize=9)
        axes.set_xlabel(over, fontsize=7)
        axes.tick_params(labelsize=7)
        if axes.lines:
            axes.legend(fontsize=6, frameon=False)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
