"""Panels of curves over time, in the looks of a report's plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .plot import BOTTOM, DPI, FAINT, INK, LEFT, LINE, PANEL, RIGHT, TITLE, TOP, WIDTH, dress


@dataclass(frozen=True)
class Panel:
    """title: what its curves show; unit: in what. curves: label, (N,) values and colour (#rrggbb) of each."""

    title: str
    unit: str
    curves: Sequence[tuple[str, np.ndarray, str]]

    @property
    def known(self) -> bool:
        return any(np.isfinite(values).any() for _, values, _ in self.curves)


def plot_curves(times: np.ndarray, panels: Sequence[Panel], heading: str, notes: Sequence[str] = ()) -> np.ndarray:
    """The panels in which anything is known, one below the other, with gaps where a curve is not.

    times: (N,) seconds. heading: a line above, notes: lines below. Returns (H,W,3) uint8 RGB, 1000 px wide. Needs
    matplotlib.
    """
    # The object interface, since pyplot keeps every figure in a global list and may look for a window system.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [panel for panel in panels if panel.known]
    height = TOP + len(panels) * (TITLE + PANEL) + BOTTOM + LINE * len(notes)
    figure = Figure(figsize=(WIDTH / DPI, height / DPI), dpi=DPI, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    figure.text(LEFT / WIDTH, 1 - 20 / height, heading, va="top", fontsize=12, weight="bold", color=INK)
    for index, panel in enumerate(panels):
        bottom = height - TOP - (index + 1) * (TITLE + PANEL)
        axes = figure.add_axes((LEFT / WIDTH, bottom / height, (WIDTH - LEFT - RIGHT) / WIDTH, PANEL / height))
        title = axes.set_title(panel.title, loc="left", fontsize=10.5, weight="bold", color=INK, pad=8)
        beside = {"xycoords": title, "xytext": (8, 0), "textcoords": "offset points"}
        axes.annotate(panel.unit, (1, 0), **beside, va="bottom", fontsize=9, color=FAINT)
        for label, values, colour in panel.curves:
            axes.plot(times, values, color=colour, linewidth=1.2, label=label)
        above = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0.2}
        axes.legend(**above, ncols=len(panel.curves), frameon=False, handlelength=1.6, fontsize=9.5, labelcolor=INK)
        axes.set_xlim(times[0], times[-1])
        dress(axes, "seconds" if index == len(panels) - 1 else None)
    for index, note in enumerate(reversed(notes)):
        figure.text(LEFT / WIDTH, (10 + LINE * index) / height, note, fontsize=9, color=FAINT)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
