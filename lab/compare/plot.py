"""Plots of a comparison. They need matplotlib."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, product
from typing import TYPE_CHECKING

import numpy as np

from ...metrics.report import METRICS
from ..evaluation.evaluate import Evaluation
from ..evaluation.judge import CURVES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BARS = ("hole_psnr", "psnr", "hole_lpips", "identity", "temporal")
COLOURS = ("#2a7f9e", "#d1495b", "#e9a03b", "#7a4e9f", "#2a9d8f", "#6c8296", "#3d5a98")
LINES = ("-", "--", ":")
INK = "#22303c"
WIDE, ROW, HIGH = 3.2, 0.22, 3.6  # inches: a panel, a bar's row, and a panel of curves


def plot_bars(evaluation: Evaluation) -> np.ndarray:
    """A panel a score that was computed, in it a bar for each system, headset and landmark mode, with the 95 %
    interval over clips where there are several. Bars need not begin at 0. Returns (H, W, 3) uint8 RGB."""
    systems = list(evaluation.protocol.methods)
    groups = list(product(evaluation.protocol.presets, evaluation.protocol.landmarks))
    scores = [score for score in BARS if any(row[score] is not None for row in evaluation.mean)]
    height = ROW * len(systems) * (0.5 + 0.5 * len(groups)) + 1.2
    figure, shown = _figure(2.2 + WIDE * len(scores), height)
    panels = figure.subplots(1, len(scores), sharey=True, squeeze=False)[0]
    thick = 0.8 / len(groups)
    for axes, score in zip(panels, scores, strict=True):
        known = [row for row in evaluation.mean if row[score] is not None]
        for number, group in enumerate(groups):
            rows = [row for row in known if (row["preset"], row["landmarks"]) == group]
            places = [systems.index(row["method"]) + (number - (len(groups) - 1) / 2) * thick for row in rows]
            colour, label = COLOURS[number % len(COLOURS)], ", ".join(group)
            axes.barh(places, [row[score] for row in rows], thick, color=colour, label=label)
            for place, row in zip(places, rows, strict=True):
                if score in row["interval"]:
                    axes.plot(row["interval"][score], [place, place], color=INK, linewidth=1)
        metric = METRICS[score]
        unit = f" ({metric.unit})" if metric.unit else ""
        axes.set_title(f"{metric.title}{unit}, {metric.better} is better", fontsize=9)
        _zoom(axes, [value for row in known for value in (row[score], *row["interval"].get(score, ()))])
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(len(systems)), systems, fontsize=8)
    panels[0].invert_yaxis()
    _legend(figure, panels[0])
    return shown()


def plot_curves(evaluation: Evaluation) -> np.ndarray:
    """Scores over the frames after the reference, the mean of all clips that are so long: a row for each of CURVES, a
    column a headset and landmark mode, a line a system. Returns (H, W, 3) uint8 RGB."""
    groups = list(product(evaluation.protocol.presets, evaluation.protocol.landmarks))
    figure, shown = _figure(1.5 + 2 * WIDE * len(groups), HIGH * len(CURVES))
    panels = figure.subplots(len(CURVES), len(groups), squeeze=False)
    styles = dict(zip(evaluation.protocol.methods, cycle(product(LINES, COLOURS)), strict=False))
    for (score, group), axes in zip(product(CURVES, groups), panels.flat, strict=True):
        for system, (line, colour) in styles.items():
            curves = [
                row["per_frame"][score]
                for clip in evaluation.clips
                for row in clip["results"]
                if (row["preset"], row["landmarks"], row["method"]) == (*group, system) and score in row["per_frame"]
            ]
            if curves:
                axes.plot(_mean_curve(curves), line, color=colour, linewidth=1.2, label=system)
        metric = METRICS[score]
        axes.set_title(f"{metric.title}, {', '.join(group)}, {metric.better} is better", fontsize=9)
        axes.set_xlabel("scored frame", fontsize=7)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
    _legend(figure, panels[0][0])
    return shown()


def _mean_curve(curves: list[list[float | None]]) -> np.ndarray:
    """(T,) mean of curves of any length over those that have a value there, NaN where none has."""
    values = np.full((len(curves), max(map(len, curves))), np.nan)
    for row, curve in zip(values, curves, strict=True):
        row[: len(curve)] = [np.nan if value is None else value for value in curve]
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0).sum(0) / known.sum(0)


def _legend(figure: Figure, axes: Axes) -> None:
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8, frameon=False)


def _zoom(axes: Axes, values: list[float]) -> None:
    """Leave out of the axis what all bars have alike, but not for scores that are near nothing."""
    low, high = min(values), max(values)
    begin = low - 0.3 * (high - low)
    if low < high and begin > 0.3 * high:
        axes.set_xlim(begin, high + 0.05 * (high - low))


def _figure(width: float, height: float) -> tuple[Figure, Callable[[], np.ndarray]]:
    """A figure of so many inches, and what draws it."""
    # The object interface, since pyplot keeps every figure in a global list and may look for a window system.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, facecolor="white", layout="constrained")
    canvas = FigureCanvasAgg(figure)

    def shown() -> np.ndarray:
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()

    return figure, shown
