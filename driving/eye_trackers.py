"""Files of eye trackers, which give directions as vectors, and of lids at most how far they are open: SRanipal, Pico,
Varjo and Tobii."""

from dataclasses import replace

import numpy as np

from .eye_tracking import EyeTracking, Recording
from .table import Table, rising, timed

# Seconds. Where a device does not see lids, no gaze for so long is most likely a blink: spontaneous ones last 0.1 to
# 0.4 (VanderWerf et al. 2003). Shorter gaps are samples lost by chance.
SHORTEST_BLINK, LONGEST_BLINK = 0.1, 0.5
# Seconds for which "shut" is believed though the device says that it sees nothing: a slow, deliberate closure.
LONGEST_CLOSURE = 1.0

TICKS_TO_1970 = 621355968000000000  # of .NET, 100 ns since the year 1
# What the bits of SRanipal's eye_valid stand for. In a blink the direction is lost and the lid is not.
DIRECTION, OPENNESS = 2, 8
PICO_SEES = 52  # status of an eye
VARJO_TRACKS, VARJO_SEES = 2, 2  # least status of the gaze, and of an eye: 1 is "visible, not reliable"


def angles(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """(..., 2) radians, yaw to the wearer's right and pitch down positive, of directions x to the wearer's right, y up
    and z forward. NaN where the direction is (0, 0, 0), which stands for none."""
    turn = np.stack([np.arctan2(x, z), -np.arctan2(y, np.hypot(x, z))], axis=-1)
    return np.where((np.abs(x) + np.abs(y) + np.abs(z) > 0)[..., None], turn, np.nan)


def is_sranipal(table: Table) -> bool:
    return "eye_valid_L" in table and "openness_L" in table


def read_sranipal(table: Table) -> Recording:
    """A log of HTC's SRanipal (Vive Pro Eye) by its own names."""
    columns = [f"{name}_{side}" for name in ("eye_valid", "openness") for side in "LR"]
    table.require("time(100ns)", *columns, *(f"gaze_direct_{side}.{axis}" for side in "LR" for axis in "xyz"))
    ticks = table.numbers("time(100ns)")
    table, ticks = rising(table, ticks - TICKS_TO_1970)
    out = EyeTracking.unknown((ticks - ticks[0]) * 1e-7)
    for eye, side in enumerate("RL"):
        valid = np.nan_to_num(table.numbers(f"eye_valid_{side}")).astype(int)
        x, y, z = (table.numbers(f"gaze_direct_{side}.{axis}") for axis in "xyz")
        out.gaze[:, eye] = np.where((valid & DIRECTION > 0)[:, None], angles(-x, y, z), np.nan)  # its x points left
        wide = np.nan_to_num(table.numbers(f"wide_{side}")) if f"wide_{side}" in table else 0
        out.openness[:, eye] = np.where(valid & OPENNESS > 0, table.numbers(f"openness_{side}") + wide, np.nan)
    return Recording(out, "SRanipal", epoch=float(ticks[0]) * 1e-7)


def is_pico(table: Table) -> bool:
    return "Left Eye Gaze Openness" in table and "Combine Eye Gaze Vector. x" in table


def read_pico(table: Table) -> Recording:
    """A log of Pico Neo 3 Pro Eye: lids are open or shut, both eyes have one gaze."""
    columns = [f"{side} Eye {what}" for side in ("Left", "Right") for what in ("Gaze Openness", "Pose Status")]
    table.require("Timeline", *columns, *(f"Combine Eye Gaze Vector. {axis}" for axis in "xyz"))
    table, times, _ = timed(table, "timeline")
    out = EyeTracking.unknown(times)
    gaze = angles(*(table.numbers(f"Combine Eye Gaze Vector. {axis}") for axis in "xyz"))
    for eye, side in enumerate(("Right", "Left")):
        sees = table.numbers(f"{side} Eye Pose Status") == PICO_SEES
        out.gaze[:, eye] = np.where(sees[:, None], gaze, np.nan)
        believed = sees | _up_to(LONGEST_CLOSURE, ~sees, times)
        out.openness[:, eye] = np.where(believed, table.numbers(f"{side} Eye Gaze Openness"), np.nan)
    return Recording(out, "Pico")


def is_varjo(table: Table) -> bool:
    return "left_forward_x" in table and "gaze_forward_x" in table


def read_varjo(table: Table) -> Recording:
    """A log of Varjo Base, of any version. With a video of the headset's camera times count from its first frame."""
    table.require(
        "raw_timestamp", "status", *(f"{side}_forward_{axis}" for side in ("left", "right") for axis in "xyz")
    )
    table, times, _ = timed(table, "rawtimestamp")
    film, clock = "relative_to_video_first_frame_timestamp", "relative_to_unix_epoch_timestamp"
    start = table.numbers(film)[0] * 1e-9 if film in table else np.nan
    start = 0.0 if np.isnan(start) else start
    out = EyeTracking.unknown(start + times)
    tracks = table.numbers("status") >= VARJO_TRACKS
    for eye, side in enumerate(("right", "left")):
        status = table.numbers(f"{side}_status") if f"{side}_status" in table else np.full(len(table), VARJO_SEES)
        sees = tracks & (status >= VARJO_SEES)
        forward = angles(*(table.numbers(f"{side}_forward_{axis}") for axis in "xyz"))
        out.gaze[:, eye] = np.where(sees[:, None], forward, np.nan)
        if f"{side}_eye_openness" in table:
            believed = sees | _up_to(LONGEST_CLOSURE, ~sees, times)
            out.openness[:, eye] = np.where(believed, table.numbers(f"{side}_eye_openness"), np.nan)
    if np.isnan(out.openness).all():  # files of before 2022 have no lids
        out.openness[:] = lids_from_gaps(np.isfinite(out.gaze[..., 0]), times)
    epoch = table.numbers(clock)[0] * 1e-9 - start if clock in table else None
    return Recording(out, "Varjo", epoch=epoch)


def is_tobii(table: Table) -> bool:
    return "type" in table and "data.eyeleft.gazedirection.0" in table


def read_tobii(table: Table) -> Recording:
    """The gazedata of Tobii Pro Glasses 3. It has no lids: they are taken from gaps of the gaze."""
    gaze_rows = [row for row, kind in zip(table.rows, table.texts("type"), strict=True) if kind == "gaze"]
    table, times, _ = timed(replace(table, rows=gaze_rows), "timestamp")
    out = EyeTracking.unknown(times)
    for eye, side in enumerate(("right", "left")):
        table.require(*(f"data.eye{side}.gazedirection.{axis}" for axis in range(3)))
        x, y, z = (table.numbers(f"data.eye{side}.gazedirection.{axis}") for axis in range(3))
        out.gaze[:, eye] = angles(-x, y, z)  # its x points left
    out.openness[:] = lids_from_gaps(np.isfinite(out.gaze[..., 0]), times)
    return Recording(out, "Tobii Pro Glasses 3")


def lids_from_gaps(seen: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(N, 2) openness where only the gaze is known: 1 where it is, 0 in a gap as long as a blink, unknown in others.

    People blink with both eyes: a gap of one eye alone is a loss, as when it looks far to the side. seen: (N, 2) bool.
    times: (N,) seconds.
    """
    out = np.where(seen, 1.0, np.nan)
    for eye in range(2):
        for first, end in _runs(~seen[:, eye]):
            other_seen = seen[first:end, 1 - eye].mean()
            if SHORTEST_BLINK <= _lasting(times, first, end) <= LONGEST_BLINK and other_seen < 0.5:
                out[first:end, eye] = 0
    return out


def _up_to(longest: float, mask: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(N,) bool: what of a mask (N,) lies in runs of at most so many seconds."""
    out = np.zeros_like(mask)
    for first, end in _runs(mask):
        out[first:end] = _lasting(times, first, end) <= longest
    return out


def _runs(mask: np.ndarray) -> np.ndarray:
    """(K, 2) first sample of each run of a mask (N,), and the one after its last."""
    return np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]))).reshape(-1, 2)


def _lasting(times: np.ndarray, first: int, end: int) -> float:
    """Seconds from the sample before a run to the one after it."""
    return float(times[min(end, len(times) - 1)] - times[max(first - 1, 0)])
