"""The formats that are read, and which one a file is: told by what is in it, never by its name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..metrics.blinks import blinks
from .blendshapes import is_arkit, is_live_link_face, is_quest, read_arkit, read_live_link_face, read_quest
from .eye_trackers import is_pico, is_sranipal, is_tobii, is_varjo, read_pico, read_sranipal, read_tobii, read_varjo
from .eye_tracking import Recording
from .plain import is_plain, read_plain
from .table import Table, read_table


@dataclass(frozen=True)
class Format:
    """One kind of file: its name, how it is told by its columns, and its reader."""

    name: str
    fits: Callable[[Table], bool]
    read: Callable[[Table], Recording]


FORMATS = (
    Format("plain CSV", is_plain, read_plain),
    Format("Live Link Face CSV", is_live_link_face, read_live_link_face),
    Format("Quest face expressions", is_quest, read_quest),
    Format("SRanipal CSV", is_sranipal, read_sranipal),
    Format("Pico CSV", is_pico, read_pico),
    Format("Varjo CSV", is_varjo, read_varjo),
    Format("Tobii Pro Glasses 3 gazedata", is_tobii, read_tobii),
    Format("ARKit or MediaPipe blendshapes in CSV or JSON", is_arkit, read_arkit),
)


def read_tracking(path: Path) -> Recording:
    """The recording in a file of any of the FORMATS.

    Raises InputError where the file is missing, cut off, damaged or of no known format; it says what was seen.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"The tracking data {path.name} cannot be read ({error.strerror}): check the path.") from error
    table = read_table(content, f"'{path.name}'")
    known = next((known for known in FORMATS if known.fits(table)), None)
    if known is None:
        raise InputError(
            f"'{path.name}' is no eye or face tracking that is known: it has {table.described()}; expected "
            f"{', '.join(known.name for known in FORMATS)}."
        )
    recording = known.read(table)
    tracking = recording.tracking
    if not any(
        np.isfinite(values).any() for values in (tracking.openness, tracking.gaze, tracking.brows, tracking.jaw)
    ):
        raise InputError(
            f"'{path.name}' is a {known.name} in which no row has a value of lids, gaze, brows or jaw; record it again."
        )
    return recording


def described(recording: Recording) -> str:
    """What a recording is and holds, in sentences."""
    tracking = recording.tracking
    length = float(tracking.times[-1] - tracking.times[0])
    rate = 1 / float(np.median(np.diff(tracking.times)))
    parts = {"lids": tracking.openness, "gaze": tracking.gaze, "brows": tracking.brows, "jaw": tracking.jaw[:, 0]}
    known = [name for name, values in parts.items() if np.isfinite(values).any()]
    unknown = [name for name in parts if name not in known]
    said = f"{recording.kind}: {length:.1f} s at {rate:.0f} a second, with {', '.join(known)}"
    said += f", without {', '.join(unknown)}." if unknown else "."
    if "lids" in known:
        counts = [len(blinks(eye)) for eye in tracking.openness.T]
        said += f" Blinks: {counts[0]} of the right eye, {counts[1]} of the left."
        said += f" Lids are known for {_share_known(tracking.openness):.0%} of the time"
        said += f", the gaze for {_share_known(tracking.gaze[..., 0]):.0%}." if "gaze" in known else "."
    clock = {"a timecode": recording.timecode, "a date": recording.epoch}
    clocks = " and ".join(name for name, value in clock.items() if value is not None)
    return f"{said} It has {clocks or 'no clock'}."


def _share_known(values: np.ndarray) -> float:
    """Of the values (N, 2) of those eyes that are known at all."""
    known = np.isfinite(values)
    return float(known[:, known.any(0)].mean())
