"""The tables of docs/evaluation as pictures: a group of bars for each row or column."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import InputError
from ...files import written_whole

HIGH = 3.0  # inches
COLOURS = ("#b8c1cc", "#7d8b9c", "#3d5a98", "#2a9d8f", "#e9a03b")


@dataclass(frozen=True)
class Plot:
    """One picture. page, heading: the table is the first in the page that has this first cell. columns: label -> number
    of a column. by_row: a group for each row, and in it a bar for each column; else the other way round. lying: bars
    that lie, for names that are long. rows: their first cells, all without. above: where the axis begins."""

    name: str
    page: str
    heading: str
    columns: dict[str, int]
    by_row: bool = True
    lying: bool = False
    rows: tuple[str, ...] = ()
    above: float = 0.0


# Axes begin where the worst method that is shown ends, for the differences to be seen; all are dB in the hole.
PLOTS = (
    Plot("other_day", "other_day.md", "headset, landmarks", {"warp": 1, "evi-hrnet": 2}, above=14),
    Plot(
        "methods",
        "methods.md",
        "method",
        {"band, visible": 1, "band, oracle": 2, "quest, visible": 3, "quest, oracle": 4},
        by_row=False,
        rows=("telea", "static", "warp", "evi-hrnet"),
        above=14,
    ),
    Plot(
        "headsets",
        "methods.md",
        "headset (share of the crop)",
        {"telea": 6, "static": 5, "MediaPipe's landmarks": 4, "visible": 2, "oracle": 1},
        above=12,
    ),
    Plot("systems", "table1.md", "system", {"clip, quest": 4}, lying=True, above=14),
    Plot(
        "personal", "personal.md", "footage, headset", {"everybody's": 1, "the person's own": 2}, lying=True, above=16
    ),
)


def draw(plot: Plot, folder: Path) -> Path:
    """Draw one picture beside its table, as SVG. Raises InputError where the table, or matplotlib, is missing."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError("Plots need matplotlib: pip install -e '.[lab]'.") from error
    groups, bars = bars_of(plot, table_in((folder / plot.page).read_text(encoding="utf-8"), plot.heading))
    width = 0.8 / len(bars)
    figure = Figure((7.2, max(HIGH, 0.24 * len(groups) * len(bars)) if plot.lying else HIGH), layout="constrained")
    axes = figure.add_subplot()
    colours = COLOURS[-len(bars) - 1 : -1] if len(bars) < len(COLOURS) else COLOURS
    for number, ((label, values), colour) in enumerate(zip(bars.items(), colours, strict=True)):
        places = [group + (number - (len(bars) - 1) / 2) * width for group in range(len(groups))]
        lengths = [value - plot.above for value in values]
        draw_bars = axes.barh if plot.lying else axes.bar
        drawn = draw_bars(places, lengths, width, color=colour, label=label, **{_START[plot.lying]: plot.above})
        axes.bar_label(drawn, [f"{value:.1f}" for value in values], fontsize=6, padding=1)
    if plot.lying:
        axes.set_yticks(range(len(groups)), groups, fontsize=7)
        axes.invert_yaxis()
        axes.set_xlabel("PSNR in the hole, dB", fontsize=8)
    else:
        axes.set_xticks(range(len(groups)), [group.replace(" (", "\n(") for group in groups], fontsize=8)
        axes.set_ylabel("PSNR in the hole, dB", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.margins(**{"x" if plot.lying else "y": 0.08})
    axes.spines[["top", "right"]].set_visible(False)
    if len(bars) > 1:
        figure.legend(loc="outside upper center", ncols=len(bars), fontsize=8, frameon=False)
    path = folder / f"{plot.name}.svg"
    with written_whole(path) as unfinished, rc_context({"svg.hashsalt": plot.name, "svg.fonttype": "none"}):
        figure.savefig(unfinished, format="svg", metadata={"Date": None})
    return path


_START = {False: "bottom", True: "left"}


def bars_of(plot: Plot, table: Sequence[Sequence[str]]) -> tuple[list[str], dict[str, list[float]]]:
    """The names of the groups, and for each kind of bar its values, a value a group. table: rows of cells."""
    rows = [row for row in table if not plot.rows or row[0] in plot.rows]
    names = [row[0] for row in rows]
    values = {label: [number_in(row[column]) for row in rows] for label, column in plot.columns.items()}
    if plot.by_row:
        return names, values
    return list(values), dict(zip(names, map(list, zip(*values.values(), strict=True)), strict=True))


def table_in(page: str, heading: str) -> list[list[str]]:
    """The rows below the headings of the first Markdown table whose first cell says `heading`, as cells.

    Raises InputError where there is none.
    """
    lines = iter(page.splitlines())
    for line in lines:
        if line.startswith("|") and _cells(line)[0] == heading:
            next(lines)
            rows = []
            for row in lines:
                if not row.startswith("|"):
                    break
                rows.append(_cells(row))
            return rows
    raise InputError(f"Expected a table that begins with {heading!r}; the page has none.")


def number_in(cell: str) -> float:
    """The first number of a cell: the score itself, before its interval or other scores. Raises InputError for none."""
    found = re.search(r"-?\d*\.?\d+", cell)
    if found is None:
        raise InputError(f"Expected a number in the cell {cell!r}.")
    return float(found[0])


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]
