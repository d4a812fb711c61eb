"""The uncovered person: choosing a few good frames of an enrolment clip, and holding them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..errors import InputError
from .crop import Crop
from .geometry import FACE_OVAL, canonical_points, eye_openness, head_pose, pose_angles
from .track import DevicePatch, FaceTrack, FrameStatus

if TYPE_CHECKING:
    from ..models.covered_landmarks import CoveredLandmarkNet

OPEN_EYES = 0.15  # eye aspect ratio below which eyes count as shut
YAW_BIN, PITCH_BIN = 15.0, 15.0  # degrees
BARE = 0.02  # share of the crop around the head that a device may fill, as one on the forehead does, at half the score
SHARPNESS_WIDTH = 160  # pixels: faces are compared at one size, or large ones would look blurred
HEADSET, GLASSES = "a headset", "glasses"  # what a picture may show besides the bare face
FEW = 0.2  # share of bare pictures below which what they show besides was missed, and all are used

# Glasses: the bar over the bridge of the nose, where skin is smooth, and those at the temples are lines along x.
NOSE_BRIDGE, CORNERS = 168, (33, 133, 263, 362)  # points of the face
BAND, BAND_CELLS = 16.0, 160  # centimetres and pixels, a side, of the crop that is looked at
GLASSES_FROM = 0.38  # evidence from which there are some; see docs/cases.md for how often that is right


@dataclass(frozen=True)
class Reference:
    """Pictures of the uncovered person, eyes open, at different head poses.

    images: N arrays (H, W, 3) uint8 RGB, each of its own size. points: (N, 478, 3) pixels. angles: (N, 3) yaw,
    pitch, roll in degrees. remarks: what a user should know of how they were chosen. landmarker: for covered faces, one
    that has learnt this person's; None for the one that is for everybody, which is calibrated on the pictures. devices:
    by the number of a picture, where it shows a headset, as one pushed up on the forehead, which hides the person.
    """

    images: tuple[np.ndarray, ...]
    points: np.ndarray
    angles: np.ndarray
    remarks: tuple[str, ...] = ()
    landmarker: "CoveredLandmarkNet | None" = None
    devices: Mapping[int, DevicePatch] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)

    def with_more(self, other: "Reference | None") -> "Reference":
        """These pictures and those of another reference of the same person behind them."""
        if other is None or other is self:
            return self
        points, angles = (np.concatenate(both) for both in ((self.points, other.points), (self.angles, other.angles)))
        return Reference(
            (*self.images, *other.images),
            points,
            angles,
            (*self.remarks, *other.remarks),
            self.landmarker or other.landmarker,
            {**self.devices, **{len(self) + number: device for number, device in other.devices.items()}},
        )


@dataclass(frozen=True)
class FrameScore:
    """How good one enrolment frame is. `score` is sharpness, lowered for half-shut eyes and for a device somewhere at
    the head; 0 means unusable. covered: a device is before the eyes. besides: what it shows beside the bare face."""

    frame: int
    yaw: float
    pitch: float
    openness: float
    sharpness: float
    score: float
    covered: bool = False
    besides: tuple[str, ...] = ()

    def serves(self, only_bare: bool) -> bool:
        """Whether a reference may have it. only_bare: those that show more than the face may not, see has_bare."""
        return self.score > 0 and not (only_bare and self.besides)

    def headset(self, track: FaceTrack) -> DevicePatch | None:
        """Where the frame shows a headset beside the bare face, None where it shows none. track: what was scored."""
        return track.devices[self.frame] if HEADSET in self.besides else None


def score_frames(frames: Sequence[np.ndarray], track: FaceTrack) -> list[FrameScore]:
    """Score every frame for use as a reference. frames: T arrays (H, W, 3) uint8."""
    angles = pose_angles(track.pose)
    openness = eye_openness(track.points)
    usual = np.median(openness[track.status == FrameStatus.FOUND]) if (track.status == FrameStatus.FOUND).any() else 0.0
    scores = []
    for t, frame in enumerate(frames):
        sharp = _sharpness(frame, track.points[t]) if track.status[t] == FrameStatus.FOUND else 0.0
        shut = openness[t] < OPEN_EYES
        # Eyes wider open than usual are no better; a lid on its way down is worse.
        lids = float(np.clip(openness[t] / max(usual, OPEN_EYES), 0, 1)) ** 2
        device = track.devices[t]
        covered = device is not None and device.over_eyes(track.points[t]) > 0.5
        filled = 0.0 if device is None else float((device.probability > 0.5).mean()) / BARE
        bare = 0.5**filled
        score = 0.0 if shut or covered else sharp * lids * bare
        yaw, pitch = float(angles[t, 0]), float(angles[t, 1])
        besides = (HEADSET,) if filled > 1 else ()
        if score > 0 and wears_glasses(frame, track.points[t]):
            besides = (*besides, GLASSES)
        scores.append(FrameScore(t, yaw, pitch, float(openness[t]), sharp, score, covered, besides))
    return scores


def wears_glasses(frame: np.ndarray, points: np.ndarray) -> bool:
    """Whether an uncovered face wears glasses. frame: (H, W, 3) uint8; points: (478, 3) pixels.

    How much the brightness changes downwards, by how much it varies around the eyes: over the bridge of the nose, and
    half of that at the temple where it changes less.
    """
    model = canonical_points()
    centre = (0.0, float(model[list(CORNERS), 1].mean()), float(model[NOSE_BRIDGE, 2]))
    band = Crop.around(head_pose(points), BAND, centre).shrunk(frame, BAND_CELLS)
    grey = cv2.GaussianBlur(cv2.cvtColor(band, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.2)
    down = cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=1 / 8)
    middle = BAND_CELLS // 2
    contrast = float(grey[middle - 33 : middle + 42, middle - 58 : middle + 58].std()) + 4  # of 255: sensor noise

    def bar(across: int, above: int, below: int) -> float:
        """The most by which rows of a strip 13 pixels wide differ in how they change downwards."""
        place = np.s_[middle - above : middle + below, middle + across - 6 : middle + across + 7]
        return float(np.ptp(down[place].mean(1))) / contrast

    return bar(0, 16, 17) + 0.5 * min(bar(-62, 14, 10), bar(62, 14, 10)) > GLASSES_FROM


def has_bare(scores: Sequence[FrameScore]) -> bool:
    """Whether enough frames show the bare face for the others to be left out."""
    usable = [s for s in scores if s.score > 0]
    return sum(not s.besides for s in usable) >= FEW * len(usable)


def pick_frames(scores: Sequence[FrameScore], count: int) -> list[int]:
    """The best frame of each pose bin, the most frontal bin first, at most `count` of them.

    Frames with glasses, or with a headset somewhere at the head, are left out where there are others: what is shown now
    and then flickers.
    """
    best: dict[tuple[int, int], FrameScore] = {}
    only_bare = has_bare(scores)
    for s in scores:
        if not s.serves(only_bare):
            continue
        key = (round(s.yaw / YAW_BIN), round(s.pitch / PITCH_BIN))
        if key not in best or s.score > best[key].score:
            best[key] = s
    by_angle = sorted(best.items(), key=lambda item: abs(item[0][0]) + abs(item[0][1]))
    return [s.frame for _, s in by_angle[:count]]


def pick_reference(
    frames: Sequence[np.ndarray], track: FaceTrack, *, count: int = 5, frame: int | None = None
) -> tuple[Reference, list[FrameScore], list[int]]:
    """Choose reference pictures out of enrolment frames.

    frames: T arrays (H, W, 3) uint8. frame: take just this one instead of choosing. Returns the reference, the
    scores of all frames and the chosen frame numbers. Raises InputError when no frame has a face with open eyes, or
    `frame` is out of range or has no face.
    """
    scores = score_frames(frames, track)
    if frame is not None:
        if not 0 <= frame < len(frames):
            raise InputError(f"Expected a reference frame number from 0 to {len(frames) - 1}, got {frame}.")
        if track.status[frame] != FrameStatus.FOUND:
            raise InputError(f"Reference frame {frame} has no face; choose a frame with an uncovered face.")
        chosen = [frame]
    else:
        chosen = pick_frames(scores, count)
    found = [score for score in scores if track.status[score.frame] == FrameStatus.FOUND]
    if not chosen and found and all(score.covered for score in found):
        raise InputError(
            "The reference needs a picture of the uncovered face, but a headset is before the eyes in all "
            f"{len(found)} pictures that show a face; use another photo, or frames without it."
        )
    if not chosen and (track.status == FrameStatus.FOUND).any():
        widest = max(s.openness for s in scores)
        raise InputError(
            f"The reference needs a face with open eyes, but the eyes look shut in all {len(scores)} pictures (eye "
            f"aspect ratio at most {widest:.2f}, {OPEN_EYES} needed); use another photo, or set the frame by hand."
        )
    if not chosen:
        raise InputError(
            "The reference needs a picture of the uncovered face, but no face was found in it; use another photo."
        )
    devices = [scores[t].headset(track) for t in chosen]
    reference = make_reference([frames[t] for t in chosen], track.points[chosen], devices)
    return replace(reference, remarks=_remarks(scores, chosen)), scores, chosen


def _remarks(scores: Sequence[FrameScore], chosen: Sequence[int]) -> tuple[str, ...]:
    """What to say of the chosen frames."""
    besides = {thing for t in chosen for thing in scores[t].besides}
    what = {HEADSET: "and what is behind it is made up", GLASSES: "which may show in the result"}
    return tuple(
        f"The reference shows {thing}, {consequence}: a picture without is better."
        for thing, consequence in what.items()
        if thing in besides
    )


def make_reference(
    images: Sequence[np.ndarray], points: np.ndarray, devices: Sequence[DevicePatch | None] = ()
) -> Reference:
    """A Reference of pictures (uint8 RGB) whose landmarks (N, 478, 3) are known. devices: where each shows a headset,
    None where it shows none; nothing where none does."""
    angles = np.stack([pose_angles(head_pose(p)) for p in points])
    shown = {number: device for number, device in enumerate(devices) if device is not None}
    return Reference(
        tuple(np.ascontiguousarray(i) for i in images), np.asarray(points, np.float32), angles, devices=shown
    )


def _sharpness(frame: np.ndarray, points: np.ndarray) -> float:
    """Variance of the Laplacian over the face, brought to SHARPNESS_WIDTH pixels wide first."""
    oval = points[list(FACE_OVAL), :2]
    x0, y0 = np.floor(np.clip(oval.min(0), 0, None)).astype(int)
    x1, y1 = np.ceil(oval.max(0)).astype(int)
    face = frame[y0:y1, x0:x1]
    if face.size == 0:
        return 0.0
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    height = max(round(SHARPNESS_WIDTH * grey.shape[0] / grey.shape[1]), 8)
    grey = cv2.resize(grey, (SHARPNESS_WIDTH, height), interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())
