"""A clip's own face shapes as a file of Live Link Face, with what goes wrong with such files."""

import csv
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...driving.blendshapes import LIVE_LINK_RATE, MEDIAPIPE_ASKEW, TURN
from ...driving.eye_tracking import Recording
from ...driving.readers import read_tracking
from ...files import written_whole

SHAPES = (
    "EyeBlinkLeft", "EyeLookDownLeft", "EyeLookInLeft", "EyeLookOutLeft", "EyeLookUpLeft", "EyeSquintLeft",
    "EyeWideLeft", "EyeBlinkRight", "EyeLookDownRight", "EyeLookInRight", "EyeLookOutRight", "EyeLookUpRight",
    "EyeSquintRight", "EyeWideRight", "JawForward", "JawRight", "JawLeft", "JawOpen", "MouthClose", "MouthFunnel",
    "MouthPucker", "MouthRight", "MouthLeft", "MouthSmileLeft", "MouthSmileRight", "MouthFrownLeft", "MouthFrownRight",
    "MouthDimpleLeft", "MouthDimpleRight", "MouthStretchLeft", "MouthStretchRight", "MouthRollLower", "MouthRollUpper",
    "MouthShrugLower", "MouthShrugUpper", "MouthPressLeft", "MouthPressRight", "MouthLowerDownLeft",
    "MouthLowerDownRight", "MouthUpperUpLeft", "MouthUpperUpRight", "BrowDownLeft", "BrowDownRight", "BrowInnerUp",
    "BrowOuterUpLeft", "BrowOuterUpRight", "CheekPuff", "CheekSquintLeft", "CheekSquintRight", "NoseSneerLeft",
    "NoseSneerRight", "TongueOut",
)  # fmt: skip
ANGLES = tuple(f"{part}{angle}" for part in ("Head", "LeftEye", "RightEye") for angle in ("Yaw", "Pitch", "Roll"))
COUNT = len(SHAPES) + len(ANGLES)  # 61, which the files say in every row
NOON = 43200.0  # seconds since midnight of the timecode at the clip's first frame: the file has a clock of its own


@dataclass(frozen=True)
class Disturbance:
    """What is wrong with a file.

    late: seconds from the clip's first frame to the file's time 0; what the clip shows before is not in it, and with a
    negative one the first look is held. dropped: share of rows that are missing. mirrored: left and right changed.
    blinks: what weights of shut lids are multiplied by. inwards: radians by which both eyes always turn to the nose.
    seed: of the rows that are dropped.
    """

    late: float = 0.0
    dropped: float = 0.0
    mirrored: bool = False
    blinks: float = 1.0
    inwards: float = 0.0
    seed: int = 0


UNDISTURBED = Disturbance()
DISTURBANCES = {
    "as it is": UNDISTURBED,
    "0.2 s late": Disturbance(late=0.2),
    "1.3 s early": Disturbance(late=-1.3),
    "20 % dropped": Disturbance(dropped=0.2),
    "mirrored": Disturbance(mirrored=True),
    "blinks at 0.9": Disturbance(blinks=0.9),
    "4 degrees inwards": Disturbance(inwards=0.07),
}


def recorded(times: np.ndarray, shapes: dict[str, np.ndarray], disturbance: Disturbance = UNDISTURBED) -> Recording:
    """A clip's weights written as a file, see write_live_link_face, and read as anybody's."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "recording.csv"
        write_live_link_face(file, times, shapes, disturbance)
        return read_tracking(file)


def write_live_link_face(
    path: Path, times: np.ndarray, shapes: dict[str, np.ndarray], disturbance: Disturbance = UNDISTURBED
) -> None:
    """Write MediaPipe's weights of a clip as Live Link Face would have: 63 columns, 60 rows a second.

    times: (T,) seconds of the clip's frames. shapes: (T,) weights in [0, 1] by ARKit's names, in camelCase as MediaPipe
    gives them; frames in which they are NaN are joined by lines, names that are not there are 0.
    """
    clock = np.arange(times[0] + disturbance.late, times[-1], 1 / LIVE_LINK_RATE)
    values = _disturbed(
        {name: _at(clock, times, shapes.get(name[0].lower() + name[1:])) for name in SHAPES}, disturbance
    )
    kept = np.random.default_rng(disturbance.seed).random(len(clock)) >= disturbance.dropped
    rows = (
        [_timecode(NOON + t), COUNT, *(f"{values[name][i]:.10f}" for name in (*SHAPES, *ANGLES))]
        for i, t in enumerate(clock)
        if kept[i]
    )
    with written_whole(path) as unfinished, unfinished.open("w", newline="") as file:
        csv.writer(file).writerows([["Timecode", "BlendShapeCount", *SHAPES, *ANGLES], *rows])


def _at(clock: np.ndarray, times: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    known = np.isfinite(weights) if weights is not None else np.zeros(1, bool)
    return np.interp(clock, times[known], weights[known]) if known.any() else np.zeros(len(clock))


def _disturbed(values: dict[str, np.ndarray], disturbance: Disturbance) -> dict[str, np.ndarray]:
    """The weights as they are, and the angles that belong to them."""
    if disturbance.mirrored:
        values = {_other_side(name): value for name, value in values.items()}
    for side in ("Left", "Right"):
        values[f"EyeBlink{side}"] = values[f"EyeBlink{side}"] * disturbance.blinks
    angles = {name: np.zeros(len(values["JawOpen"])) for name in ANGLES}
    for side, right in (("Left", -1), ("Right", 1)):
        turned = values[f"EyeLookOut{side}"] - values[f"EyeLookIn{side}"]
        askew = -MEDIAPIPE_ASKEW if disturbance.mirrored else MEDIAPIPE_ASKEW
        angles[f"{side}EyeYaw"] = right * (TURN * turned - disturbance.inwards) + askew
        angles[f"{side}EyePitch"] = TURN * (values[f"EyeLookDown{side}"] - values[f"EyeLookUp{side}"])
    return values | angles


def _other_side(name: str) -> str:
    if "Left" in name:
        return name.replace("Left", "Right")
    return name.replace("Right", "Left")


def _timecode(seconds: float) -> str:
    whole, frame = divmod(round(seconds * LIVE_LINK_RATE, 3), LIVE_LINK_RATE)
    return f"{int(whole) // 3600 % 24:02}:{int(whole) // 60 % 60:02}:{int(whole) % 60:02}:{frame:06.3f}"
