"""The plain CSV of our own: one row a moment, one named column a value, in the units of EyeTracking."""

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..files import written_whole
from .eye_tracking import EyeTracking, Recording
from .table import Table, rising

# Column -> where its value lies in EyeTracking. Times are the column `time`, in seconds.
COLUMNS: dict[str, tuple[str, tuple[int, ...]]] = {
    "openness_right": ("openness", (0,)),
    "openness_left": ("openness", (1,)),
    "gaze_yaw_right": ("gaze", (0, 0)),
    "gaze_pitch_right": ("gaze", (0, 1)),
    "gaze_yaw_left": ("gaze", (1, 0)),
    "gaze_pitch_left": ("gaze", (1, 1)),
    "brow_inner_right": ("brows", (0, 0)),
    "brow_outer_right": ("brows", (0, 1)),
    "brow_down_right": ("brows", (0, 2)),
    "brow_inner_left": ("brows", (1, 0)),
    "brow_outer_left": ("brows", (1, 1)),
    "brow_down_left": ("brows", (1, 2)),
    "jaw_open": ("jaw", (0,)),
    "jaw_right": ("jaw", (1,)),
}
TIME, EPOCH, TIMECODE = "time", "unix_time", "timecode_seconds"


def is_plain(table: Table) -> bool:
    # Those of the jaw alone do not tell it: other programs have a "jaw_open" too.
    return TIME in table and any(column in table for column in COLUMNS if not column.startswith("jaw"))


def read_plain(table: Table) -> Recording:
    """Any of the COLUMNS beside `time`, which counts from where it does in the file: 0 may be a clip's first frame.

    `unix_time` (seconds since 1970) or `timecode_seconds` (since midnight) may say what a clock showed in each row.
    """
    table, times = rising(table, table.numbers(TIME))
    tracking = EyeTracking.unknown(times)
    for column, (field, place) in COLUMNS.items():
        if column in table:
            getattr(tracking, field)[(slice(None), *place)] = table.numbers(column)
    clocks = (float(np.nanmedian(table.numbers(name) - times)) if name in table else None for name in (TIMECODE, EPOCH))
    return Recording(tracking, "plain CSV", *clocks)


def header(clock: str | None = None) -> list[str]:
    """The names of all columns; clock: EPOCH or TIMECODE, the last one, where a clock is known."""
    return [TIME, *COLUMNS, *([clock] if clock else [])]


def row(tracking: EyeTracking, index: int) -> list[str]:
    """One moment as the values of `header()`; empty is what is unknown."""
    values = [getattr(tracking, field)[(index, *place)] for field, place in COLUMNS.values()]
    return [f"{tracking.times[index]:.6f}", *("" if np.isnan(value) else f"{value:.6g}" for value in values)]


def write_plain(path: Path, recording: Recording) -> None:
    """Write a recording as a plain CSV, with its clock."""
    tracking = recording.tracking
    clock, start = next(
        ((c, s) for c, s in ((TIMECODE, recording.timecode), (EPOCH, recording.epoch)) if s is not None), (None, 0.0)
    )
    rows: Iterable[list[str]] = (
        [*row(tracking, i), *([f"{start + time:.6f}"] if clock else [])] for i, time in enumerate(tracking.times)
    )
    with written_whole(path) as unfinished, unfinished.open("w", newline="") as file:
        csv.writer(file).writerows([header(clock), *rows])
