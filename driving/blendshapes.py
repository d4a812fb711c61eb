"""Weights of named face shapes: ARKit's 52 (Live Link Face, other apps, MediaPipe, Pico) and those of Quest."""

import re
from dataclasses import replace

import numpy as np

from ..errors import InputError
from .eye_tracking import EyeTracking, Recording
from .table import Table, rising, timed

# Radians that an eye turns for a weight of 1. Measured on Live Link Face: 0.58 to 0.73 for yaw, 0.50 to 0.61 for pitch.
TURN = 0.6
# Radians to the wearer's right that MediaPipe's weights lack: what they say of a picture and of its mirror image is 4.5
# to 7.5 degrees apart (six people), twice as much as each is off.
MEDIAPIPE_ASKEW = 0.053
LIVE_LINK_RATE = 60.0  # frames in a second of its timecode
SLOW_RATE = 30.0  # where no frame over 29 occurs
DAY = 86400.0

UNITS = ("", "s", "ms", "us", "ns", "inseconds")
TIMES = (*(f"{name}{unit}" for name in ("time", "timestamp") for unit in UNITS), "seconds", "t", "ms")


class Weights:
    """The weights in a table, by plain names: EyeBlinkLeft, eyeBlink_L and EYE_BLINK_L_BD are all eyeblinkl."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._columns = {_plain(column): column for column in table.columns}

    def __contains__(self, name: str) -> bool:
        return name in self._columns

    def __getitem__(self, name: str) -> np.ndarray:
        """(N,) weights, NaN where the table has none of that name."""
        if name not in self._columns:
            return np.full(len(self._table), np.nan)
        return self._table.numbers(self._columns[name])


def _plain(column: str) -> str:
    name = re.sub("[^a-z0-9]", "", column.rpartition(".")[2].lower())
    name = re.sub("^xrface(ial)?expression2?|fb$|bd$", "", name)
    return re.sub("left$", "l", re.sub("right$", "r", name))


def is_live_link_face(table: Table) -> bool:
    return "Timecode" in table and "BlendshapeCount" in table


def read_live_link_face(table: Table) -> Recording:
    """A CSV of Epic's Live Link Face: 61 values in PascalCase, and a timecode."""
    table.require("EyeBlinkLeft", "EyeBlinkRight")
    table, times = rising(table, _timecode(table))
    return Recording(_from_arkit(table, times - times[0]), "Live Link Face", timecode=float(times[0]) % DAY)


def _timecode(table: Table) -> np.ndarray:
    """(N,) seconds since midnight of HH:MM:SS:FF.mmm, which go on over the next midnight."""
    codes = table.texts("Timecode")
    parts = [re.fullmatch(r"\s*(\d+):(\d+):(\d+)[:;](\d+\.?\d*)\s*", code) for code in codes]
    if None in parts:
        row = parts.index(None)
        raise InputError(
            f"{table.name} holds '{codes[row]}' in column Timecode, row {row + 1}, where a time such as 12:30:05:07.86 "
            "is expected; export it again."
        )
    numbers = np.array([[float(number) for number in part.groups()] for part in parts])
    whole, frames = numbers[:, :3] @ (3600, 60, 1), numbers[:, 3]
    slow = frames.max() < SLOW_RATE and np.ptp(whole) >= 2
    times = whole + frames / (SLOW_RATE if slow else LIVE_LINK_RATE)
    return times + DAY * np.cumsum(np.diff(times, prepend=times[:1]) < -DAY / 2)


def is_arkit(table: Table) -> bool:
    return _has(table, "eyeblinkl", "eyeblinkr")


def read_arkit(table: Table) -> Recording:
    """ARKit's names in CSV or JSON, as many apps, Pico headsets and MediaPipe's FaceLandmarker give them."""
    table, times, epoch = timed(table, *TIMES)
    tracking = _from_arkit(table, times)
    if "_neutral" not in table:
        return Recording(tracking, "ARKit blendshapes", epoch=epoch)
    return Recording(replace(tracking, gaze=tracking.gaze + (MEDIAPIPE_ASKEW, 0)), "MediaPipe blendshapes", epoch=epoch)


def _from_arkit(table: Table, times: np.ndarray) -> EyeTracking:
    """Angles of the eyes where the table has them, in radians, else weights."""
    weights, out = Weights(table), EyeTracking.unknown(times)
    for eye, (side, outwards) in enumerate((("r", 1), ("l", -1))):
        wide = np.nan_to_num(weights[f"eyewide{side}"])
        out.openness[:, eye] = 1 - weights[f"eyeblink{side}"] + wide
        turned = weights[f"eyelookout{side}"] - weights[f"eyelookin{side}"]
        lowered = weights[f"eyelookdown{side}"] - weights[f"eyelookup{side}"]
        out.gaze[:, eye] = TURN * np.stack([outwards * turned, lowered], axis=1)
        whole = {"r": "righteye", "l": "lefteye"}[side]
        angles = np.stack([weights[f"{whole}yaw"], weights[f"{whole}pitch"]], axis=1)
        if np.nan_to_num(angles).any():  # all 0 where an app does not fill them in
            out.gaze[:, eye] = angles
        inner = weights[f"browinnerup{side}" if f"browinnerup{side}" in weights else "browinnerup"]
        out.brows[:, eye] = np.stack([inner, weights[f"browouterup{side}"], weights[f"browdown{side}"]], axis=1)
    out.jaw[:] = np.stack([weights["jawopen"], _sideways(weights, "jawr", "jawl", "mouthr", "mouthl")], axis=1)
    return out


def is_quest(table: Table) -> bool:
    return _has(table, "eyesclosedl", "eyesclosedr")


def read_quest(table: Table) -> Recording:
    """Meta's face expressions by name: OVRFaceExpressions, or weights of XR_FB_face_tracking2."""
    table, times, epoch = timed(table, *TIMES)
    weights, out = Weights(table), EyeTracking.unknown(times)
    for eye, side in enumerate("rl"):
        # A lid that is drawn tight closes further, as Meta's own avatars have it.
        closed = weights[f"eyesclosed{side}"] * (1 + np.nan_to_num(weights[f"lidtightener{side}"]))
        out.openness[:, eye] = 1 - np.clip(closed, 0, 1) + np.nan_to_num(weights[f"upperlidraiser{side}"])
        turned = weights[f"eyeslookright{side}"] - weights[f"eyeslookleft{side}"]
        lowered = weights[f"eyeslookdown{side}"] - weights[f"eyeslookup{side}"]
        out.gaze[:, eye] = TURN * np.stack([turned, lowered], axis=1)
        names = ("innerbrowraiser", "outerbrowraiser", "browlowerer")
        out.brows[:, eye] = np.stack([weights[name + side] for name in names], axis=1)
    sideways = _sideways(weights, "jawsidewaysr", "jawsidewaysl", "mouthr", "mouthl")
    out.jaw[:] = np.stack([weights["jawdrop"], sideways], axis=1)
    for array in (out.openness, out.gaze, out.brows, out.jaw):
        array[weights["isvalid"] == 0] = np.nan
    out.gaze[weights["iseyefollowingblendshapesvalid"] == 0] = np.nan
    return Recording(out, "Quest face expressions", epoch=epoch)


def _sideways(weights: Weights, *names: str) -> np.ndarray:
    """(N,) in [-1, 1], to the wearer's right. names: jaw right and left, mouth right and left; what is missing is 0."""
    jaw_right, jaw_left, mouth_right, mouth_left = (np.nan_to_num(weights[name]) for name in names)
    known = any(name in weights for name in names)
    return np.clip(jaw_right - jaw_left + mouth_right - mouth_left, -1, 1) if known else np.full(len(jaw_right), np.nan)


def _has(table: Table, *names: str) -> bool:
    return set(names) <= set(map(_plain, table.columns))
