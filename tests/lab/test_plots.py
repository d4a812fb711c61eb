"""Plots of the evaluation: from Markdown tables to bars."""

from __future__ import annotations

from pathlib import Path

import pytest

from hmd_removal.errors import InputError
from hmd_removal.lab.evaluation.plots import PLOTS, Plot, bars_of, draw, number_in, table_in

TABLES = Path(__file__).resolve().parents[2] / "docs" / "evaluation"
PAGE = """# Scores

| clip | frames |
|---|---|
| talk | 20 |

| method | calm | lively |
|---|---|---|
| warp | 28.8 / .042 | **23.7** (20.1 to 25.0) |
| ours | 29.0 / .039 | 24.9 |

The end.
"""


def test_the_table_is_the_one_with_that_heading_and_ends_where_it_ends():
    assert table_in(PAGE, "method") == [
        ["warp", "28.8 / .042", "**23.7** (20.1 to 25.0)"],
        ["ours", "29.0 / .039", "24.9"],
    ]
    with pytest.raises(InputError, match="begins with 'headset'"):
        table_in(PAGE, "headset")


def test_of_a_cell_the_first_number_counts():
    assert number_in("**23.7** (20.1 to 25.0)") == 23.7
    assert number_in(".042 / .1") == 0.042 and number_in("-0.13") == -0.13
    with pytest.raises(InputError, match="number"):
        number_in("none")


@pytest.mark.parametrize(
    ("by_row", "rows", "expected"),
    [
        (True, (), (["warp", "ours"], {"calm": [28.8, 29.0], "lively": [23.7, 24.9]})),
        (False, (), (["calm", "lively"], {"warp": [28.8, 23.7], "ours": [29.0, 24.9]})),
        (False, ("ours",), (["calm", "lively"], {"ours": [29.0, 24.9]})),
    ],
)
def test_groups_are_rows_or_columns(by_row: bool, rows: tuple[str, ...], expected: tuple):
    plot = Plot("scores", "page.md", "method", {"calm": 1, "lively": 2}, by_row=by_row, rows=rows)
    assert bars_of(plot, table_in(PAGE, "method")) == expected


def test_drawing_twice_gives_the_same_file(tmp_path: Path):
    pytest.importorskip("matplotlib")
    (tmp_path / "page.md").write_text(PAGE)
    plot = Plot("scores", "page.md", "method", {"calm": 1, "lively": 2}, lying=True)
    first = draw(plot, tmp_path).read_bytes()
    assert draw(plot, tmp_path).read_bytes() == first and b">28.8<" in first


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.name)
def test_the_plots_of_the_documentation_show_what_its_tables_say(plot: Plot):
    """Else `hmd-removal lab plots docs/evaluation` has to be run."""
    drawn = (TABLES / f"{plot.name}.svg").read_text()
    _, bars = bars_of(plot, table_in((TABLES / plot.page).read_text(), plot.heading))
    for label, values in bars.items():
        assert len(bars) == 1 or f">{label}<" in drawn
        for value in values:
            assert drawn.count(f">{value:.1f}<") >= 1
