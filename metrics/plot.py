"""A report as a picture: one panel of curves over the frames for each group of metrics."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from .report import METRICS, MetricsReport, capped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FRAME, HOLE, OTHER = "#6c8296", "#d1495b", "#2a7f9e"
INK, FAINT, GRID = "#22303c", "#6b7783", "#e6eaee"

# Title, direction, and the curves of each panel: metric -> (what it is taken over, colour).
PANELS = (
    ("PSNR in dB", "higher is better", {"psnr": ("full frame", FRAME), "hole_psnr": ("hole", HOLE)}),
    ("SSIM", "higher is better", {"ssim": ("full frame", FRAME), "hole_ssim": ("hole", HOLE)}),
    ("LPIPS", "lower is better", {"lpips": ("full frame", FRAME), "hole_lpips": ("hole", HOLE)}),
    ("Identity cosine", "higher is better", {"identity": ("face", OTHER)}),
    ("Temporal error in [0, 1]", "lower is better", {"temporal": ("hole", HOLE)}),
    ("Seam ratio", "1 is best", {"seam": ("hole's edge", OTHER)}),
)

# Pixels.
WIDTH, LEFT, RIGHT = 1000, 70, 24
TOP, BOTTOM, PANEL, TITLE = 52, 48, 112, 44
LINE = 18
DPI = 100
LINE_LETTERS = 140

FEW_FRAMES = 60


def plot_report(report: MetricsReport) -> np.ndarray:
    """Curves over the frames of what was computed, with the means, and a line for each metric that was not
    and why.

    Returns (H,W,3) uint8 RGB, 1000 px wide and as high as its panels need. Needs matplotlib.
    """
    # The object interface, since pyplot keeps every figure in a global list and may look for a window system.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [panel for panel in PANELS if any(name in report.per_frame for name in panel[2])]
    notes = _notes(report)
    height = TOP + len(panels) * (TITLE + PANEL) + BOTTOM + LINE * len(notes)
    figure = Figure(figsize=(WIDTH / DPI, height / DPI), dpi=DPI, facecolor="white")
    canvas = FigureCanvasAgg(figure)

    heading = "1 frame" if report.frames == 1 else f"{report.frames} frames"
    if report.hole_share:
        heading += f", the hole covers {report.hole_share:.1%} of the area"
    figure.text(LEFT / WIDTH, 1 - 20 / height, heading, va="top", fontsize=12, weight="bold", color=INK)
    for index, panel in enumerate(panels):
        bottom = height - TOP - (index + 1) * (TITLE + PANEL)
        box = (LEFT / WIDTH, bottom / height, (WIDTH - LEFT - RIGHT) / WIDTH, PANEL / height)
        _draw_panel(figure.add_axes(box), report, *panel, last=panel is panels[-1])
    for index, note in enumerate(reversed(notes)):
        figure.text(LEFT / WIDTH, (10 + LINE * index) / height, note, fontsize=9, color=FAINT)

    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _draw_panel(
    axes: Axes,
    report: MetricsReport,
    title: str,
    direction: str,
    curves: dict[str, tuple[str, str]],
    last: bool,
) -> None:
    heading = axes.set_title(title, loc="left", fontsize=10.5, weight="bold", color=INK, pad=8)
    beside = {"xycoords": heading, "xytext": (8, 0), "textcoords": "offset points"}
    axes.annotate(direction, (1, 0), **beside, va="bottom", fontsize=9, color=FAINT)

    for name, (label, colour) in curves.items():
        if name not in report.per_frame:
            continue
        values, mean = capped(name, report.per_frame[name]), report.mean[name]
        # A value between two gaps makes no line, only a marker shows it.
        marker = "." if report.frames <= FEW_FRAMES else ""
        axes.plot(values, color=colour, linewidth=1.5, marker=marker, label=f"{label}, mean {mean:.4g}")
        axes.axhline(mean, color=colour, linewidth=1, alpha=0.6, linestyle=(0, (2, 3)))
    if "seam" in curves:
        axes.axhline(1, color=FAINT, linewidth=1)
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1, 1),
        borderaxespad=0.2,
        ncols=len(curves),
        frameon=False,
        handlelength=1.6,
        fontsize=9.5,
        labelcolor=INK,
    )

    axes.set_xlim(-0.5, report.frames - 0.5)
    axes.locator_params(axis="x", integer=True, min_n_ticks=1)
    dress(axes, "frame" if last else None)


def dress(axes: Axes, across: str | None) -> None:
    """Give a panel of curves this pack's looks. across: what its x axis counts, None where the panel below says so."""
    axes.margins(y=0.12)
    axes.locator_params(axis="y", nbins=4)
    axes.ticklabel_format(useOffset=False)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.tick_params(length=0, labelsize=9, labelcolor=FAINT, labelbottom=across is not None)
    if across is not None:
        axes.set_xlabel(across, fontsize=9.5, color=FAINT)


def _notes(report: MetricsReport) -> list[str]:
    """The lines that say what was not computed, one sentence for all the metrics that share a reason."""
    reasons: dict[str, list[str]] = {}
    for name in METRICS:
        if name in report.not_computed:
            reasons.setdefault(report.not_computed[name], []).append(METRICS[name].title)
    notes = (f"Not computed: {'; '.join(titles)}. {reason}" for reason, titles in reasons.items())
    return [line for note in notes for line in textwrap.wrap(note, LINE_LETTERS)]
