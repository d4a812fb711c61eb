"""A recording as a picture: lids, gaze and mouth over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..metrics.plot import BOTTOM, DPI, FAINT, HOLE, INK, LEFT, LINE, OTHER, PANEL, RIGHT, TITLE, TOP, WIDTH, dress
from .eye_tracking import EyeTracking

EYES = (("right eye", HOLE), ("left eye", OTHER))  # the wearer's


def plot_tracking(tracking: EyeTracking, heading: str, notes: Sequence[str] = ()) -> np.ndarray:
    """Curves over the time of what is known, with gaps where it is not.

    heading: one line. notes: lines below. Returns (H,W,3) uint8 RGB, 1000 px wide. Needs matplotlib.
    """
    # The object interface, since pyplot keeps every figure in a global list and may look for a window system.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [panel for panel in _panels(tracking) if any(np.isfinite(values).any() for _, values, _ in panel[2])]
    height = TOP + len(panels) * (TITLE + PANEL) + BOTTOM + LINE * len(notes)
    figure = Figure(figsize=(WIDTH / DPI, height / DPI), dpi=DPI, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    figure.text(LEFT / WIDTH, 1 - 20 / height, heading, va="top", fontsize=12, weight="bold", color=INK)
    for index, (title, unit, curves) in enumerate(panels):
        bottom = height - TOP - (index + 1) * (TITLE + PANEL)
        axes = figure.add_axes((LEFT / WIDTH, bottom / height, (WIDTH - LEFT - RIGHT) / WIDTH, PANEL / height))
        name = axes.set_title(title, loc="left", fontsize=10.5, weight="bold", color=INK, pad=8)
        beside = {"xycoords": name, "xytext": (8, 0), "textcoords": "offset points"}
        axes.annotate(unit, (1, 0), **beside, va="bottom", fontsize=9, color=FAINT)
        for label, values, colour in curves:
            axes.plot(tracking.times, values, color=colour, linewidth=1.2, label=label)
        above = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0.2}
        axes.legend(**above, ncols=2, frameon=False, handlelength=1.6, fontsize=9.5, labelcolor=INK)
        axes.set_xlim(tracking.times[0], tracking.times[-1])
        dress(axes, "seconds" if index == len(panels) - 1 else None)
    for index, note in enumerate(reversed(notes)):
        figure.text(LEFT / WIDTH, (10 + LINE * index) / height, note, fontsize=9, color=FAINT)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _panels(tracking: EyeTracking) -> list[tuple[str, str, list[tuple[str, np.ndarray, str]]]]:
    """Title, unit and curves of each."""
    degrees = np.degrees(tracking.gaze)
    per_eye = [(label, eye, colour) for eye, (label, colour) in enumerate(EYES)]
    return [
        ("Lids", "0 shut, 1 usual", [(label, tracking.openness[:, eye], colour) for label, eye, colour in per_eye]),
        (
            "Gaze to the wearer's right",
            "degrees",
            [(label, degrees[:, eye, 0], colour) for label, eye, colour in per_eye],
        ),
        ("Gaze down", "degrees", [(label, degrees[:, eye, 1], colour) for label, eye, colour in per_eye]),
        ("Brows raised", "less lowered", [(label, _raised(tracking, eye), colour) for label, eye, colour in per_eye]),
        ("Mouth open", "0 to 1", [("jaw", tracking.jaw[:, 0], INK)]),
    ]


def _raised(tracking: EyeTracking, eye: int) -> np.ndarray:
    """(N,) how far a brow is up, in one number: its ends' mean, less how far it is lowered."""
    inner, outer, lowered = tracking.brows[:, eye].T
    return np.where(np.isfinite(inner), (inner + np.where(np.isfinite(outer), outer, inner)) / 2, 0) - lowered
