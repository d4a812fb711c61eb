"""One clip through crop, alignment, filler and paste, frame order kept, any number of frames at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Protocol

import cv2
import numpy as np
import torch

from ..driving.eye_tracking import EyeTracking
from ..driving.upper_face import shipped, with_lids
from ..errors import InputError
from ..headset.sources import check_size, empty_mask_error
from ..models.device import best_device, with_all_operations
from ..tracking.crop import Crop, CropTrack
from ..tracking.geometry import MESH_POINT_COUNT
from ..tracking.reference import Reference
from ..tracking.track import USUAL_RATE, FaceTrack, FrameStatus, TrackedFace
from .align import ReferenceAligner, ReferenceBank
from .filler import FEATHER, Filler, Filling, Remembered, Source, Window, pictures_for
from .grid import GRID, blurred, on_grid, sampled
from .memory import FrameMemory
from .paste import pasted
from .registry import filler_of

RIM = 2.0  # cells: standard deviation of the edge of what moves with a brow
BACK = 2  # steps of the inversion of that motion, which is smooth and small
SOFT = 1 / 64  # crop sides: of the edge of the face in what has moved
FARTHEST = 1.0  # crop sides: what is said to have moved where that cannot be measured


Member = tuple[np.ndarray, np.ndarray, TrackedFace]
"""A frame with its mask and its face."""


@dataclass(frozen=True)
class _Seen:
    """One frame of a scene on the grid, with what is remembered of it."""

    source: Source
    face: TrackedFace
    frame: torch.Tensor
    hole: torch.Tensor
    remembered: Remembered | None


class Scene:
    """All that is known of one scene and must not outlive it: where the head was, which picture of the person is shown
    and where it belongs, what each place showed before, and the method's state.

    bank: the person's pictures. number: the scene's, see FaceTrack.scene. first: whether it begins the clip. fps:
    frames a second. begins: whether the clip's first frames are still to be filled; the state does not say, as a method
    may have none.
    """

    def __init__(
        self,
        filler: Filler,
        bank: ReferenceBank | None,
        number: int,
        device: torch.device,
        *,
        first: bool,
        fps: float = USUAL_RATE,
    ):
        self.number, self.begins, self.device = number, first, device
        self._bank, self._pace = bank, USUAL_RATE / fps
        self._crops = CropTrack(fps)
        self._aligner = ReferenceAligner(bank, fps) if filler.needs_alignment and bank is not None else None
        # A reference may have been taken where the clip begins; a later scene is of another place or time.
        start = bank.reference if first and bank is not None else None
        self._memory = FrameMemory(start) if filler.needs_memory else None
        self._filler = filler
        self._state: Any = None

    def process(self, members: Sequence[Member], eyes: EyeTracking | None = None) -> list[np.ndarray]:
        """The scene's next frames, each with its mask and face, filled. eyes: how they are wanted in each of them."""
        window, places = self.window(members, eyes)
        out = [frame for frame, _, _ in members]
        if window is None:
            return [frame.copy() for frame in out]
        filling, self._state = self._filler.fill(window, self._state)
        if eyes is not None and filling.places is not None:
            filling = driven(filling, window, eyes, places)
        filled = {t: pasted(window.sources[i], filling, i, self._bank) for i, t in enumerate(places)}
        return [filled[t] if t in filled else frame.copy() for t, frame in enumerate(out)]

    def window(self, members: Sequence[Member], eyes: EyeTracking | None = None) -> tuple[Window | None, list[int]]:
        """The scene's next frames as a filler is given them, and which of them have something to fill; None where none
        has. eyes: see process."""
        seen: dict[int, _Seen] = {}
        for t, (frame, mask, face) in enumerate(members):
            one = self._seen(frame, mask, face)
            if one is not None:
                seen[t] = one
            if self._memory is not None:
                self._memory.push(frame, mask, face)
        if not seen:
            return None, []
        parts = list(seen.values())
        frames, holes = (torch.stack(x).to(self.device) for x in zip(*((p.frame, p.hole) for p in parts), strict=True))
        points = np.stack([p.source.crop.to_crop(p.face.points, GRID) for p in parts])
        visibility = np.stack([p.face.visibility for p in parts])
        aligned = remembered = None
        if self._aligner is not None:
            deviation = np.stack([p.face.deviation * p.source.crop.scale(GRID) for p in parts])
            aligned = self._aligner(points, visibility, deviation, frames, holes)
        if self._memory is not None:
            remembered = Remembered(
                *(torch.stack([vars(p.remembered)[name] for p in parts]).to(self.device) for name in REMEMBERED)
            )
        if eyes is not None:
            wanted = eyes.openness[list(seen)]
            points = np.stack([_with_lids(*one) for one in zip(points, visibility, wanted, strict=True)])
        sources = tuple(p.source for p in parts)
        window = Window(
            frames, holes, points, visibility, aligned, remembered, self._bank, sources, self.begins, self._pace
        )
        self.begins = False
        return window, list(seen)

    def _seen(self, frame: np.ndarray, mask: np.ndarray, face: TrackedFace) -> _Seen | None:
        if face.status == FrameStatus.MISSING:
            return None
        crop = self._crops.push(face)
        hole, place = np.zeros(mask.shape, np.uint8), crop.window(mask.shape, FEATHER)  # no more than is filled
        hole[place] = (mask[place] > 0.5).view(np.uint8) * np.uint8(255)
        small = on_grid(hole, crop)
        if not small.any():
            return None
        source, remembered = Source(frame, hole, crop), None
        if self._memory is not None:
            recalled, remembered = self._remembered(source, face)
            source = replace(source, recalled=recalled)
        return _Seen(source, face, on_grid(frame, crop), small, remembered)

    def _remembered(self, source: Source, face: TrackedFace) -> tuple[tuple[np.ndarray, np.ndarray], Remembered]:
        """What the source's place in the frame showed before, see Source; and on the grid."""
        crop, place = source.crop, source.place
        picture, when = self._memory.recall(place, source.frame)
        known = when > 0
        there = crop.moved((-place[1].start, -place[0].start))
        moved = self._memory.moved(there.take(when, GRID, nearest=True), face) / crop.side
        moved = np.minimum(moved, FARTHEST).astype(np.float32) * _face_area(crop, face)
        return (picture, known), Remembered(
            on_grid(picture, there), on_grid(known.view(np.uint8) * np.uint8(255), there), torch.from_numpy(moved)[None]
        )


REMEMBERED = ("pictures", "known", "moved")


def _with_lids(points: np.ndarray, visibility: np.ndarray, openness: np.ndarray) -> np.ndarray:
    """A face's points with the lids that are out of sight as they are wanted."""
    moved = with_lids(points, openness, shipped().upper_share)
    return np.where((visibility > 0.5)[:, None], points, moved)


class WantedEyes(Protocol):
    """How the eyes are wanted as the frames come: of a whole clip (EyeTracking), or live."""

    def rows(self, start: int, count: int) -> EyeTracking:
        """For `count` frames from number `start` of the clip on."""

    @property
    def usual_yaw(self) -> float:
        """Radians to the right, where both eyes look on the whole; NaN where that is not known."""


class Deoccluder:
    """Fills the hole in the frames of one clip.

    Feed consecutive frames with `process`, as many at a time as suits; the result does not depend on how the clip
    is cut. Frames whose face is missing or whose mask is empty come back unchanged. device: where it calculates; None
    for the filler's, or the best there is. fps: frames a second. tracking: how the eyes are wanted in each
    frame of the clip; None where they stay those of the reference.
    """

    def __init__(
        self,
        filler: Filler,
        reference: Reference | None = None,
        device: torch.device | None = None,
        fps: float = USUAL_RATE,
        *,
        tracking: WantedEyes | None = None,
    ):
        self._filler, self._fps = filler, fps
        self._frame = 0  # of the clip, the next one
        self._device = with_all_operations(device or filler.device or best_device())
        self._bank = None if reference is None else ReferenceBank(reference, self._device)
        self._tracking = tracking
        self._scene: Scene | None = None

    def process(
        self, frames: Sequence[np.ndarray], masks: Sequence[np.ndarray], faces: Sequence[TrackedFace]
    ) -> list[np.ndarray]:
        """frames: (H, W, 3) uint8, or float32 in [0, 1]; masks: (H, W), over 0.5 = hole; faces: their tracked face.

        Returns new frames of the same type. Points whose visibility is 0 are re-posed from the visible ones. The frames
        must not be changed afterwards: they are remembered.
        """
        out: list[np.ndarray] = []
        for number, members in groupby(zip(frames, masks, faces, strict=True), key=lambda frame: frame[2].scene):
            members = list(members)
            out += self.scene(number).process(members, self._eyes(len(members)))
            self._frame += len(members)
        return out

    def _eyes(self, count: int) -> EyeTracking | None:
        """How the eyes are wanted in the next frames."""
        if self._tracking is None:
            return None
        rows = self._tracking.rows(self._frame, count)
        return rows if self._bank is None else self._bank.agreed(rows, self._tracking.usual_yaw)

    def scene(self, number: int) -> Scene:
        """The scene of that number, where it is the present one; else a new one."""
        if self._scene is None or number != self._scene.number:
            first = self._scene is None
            self._scene = Scene(
                self._filler,
                self._bank,
                number,
                self._device,
                first=first,
                fps=self._fps,
            )
        return self._scene


def driven(filling: Filling, window: Window, tracking: EyeTracking, moments: Sequence[int]) -> Filling:
    """A filling of the window whose eyes are as they are wanted. moments: the row of `tracking` of each frame."""
    shown = list(zip(filling.shown, moments, strict=True))
    places = filling.places
    if np.nan_to_num(tracking.brows[moments]).any():
        motion = torch.cat([window.bank.brows(number, tracking, t) for number, t in shown])
        places = moved_brows(places, motion, smooth_inside(window.holes))
    eyes = tuple(window.bank.eyes(number, tracking, t) for number, t in shown)
    return replace(filling, eyes=eyes, places=places)


def moved_brows(places: torch.Tensor, motion: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """The places of T pictures whose brows are moved. motion: (T, 2, s, s), see ReferenceBank.brows; inside: (T, 1, S,
    S), how much of it."""
    found = places
    for _ in range(BACK):  # what comes to lie here?
        found = places - inside * sampled(motion, found.permute(0, 2, 3, 1))
    return found


def smooth_inside(holes: torch.Tensor) -> torch.Tensor:
    """(T, 1, S, S): 1 well within a hole, falling to 0 at its edge, beside which nothing may move."""
    return (2 * blurred((holes > 0).float(), RIM) - 1).clamp(min=0)


def _face_area(crop: Crop, face: TrackedFace) -> np.ndarray:
    """(GRID, GRID) float32: 1 on the face, 0 beside it, with a soft edge."""
    points = crop.to_crop(face.points[:MESH_POINT_COUNT], GRID)[:, :2]
    area = np.zeros((GRID, GRID), np.float32)
    cv2.fillConvexPoly(area, cv2.convexHull(np.round(points).astype(np.int32)), 1.0)
    return cv2.GaussianBlur(area, (0, 0), SOFT * GRID)


LANDMARKS = ("visible", "oracle")
EYES = ("reference", "natural")  # as they are in the reference, or with blinks and small shifts of the gaze


def deocclude_clip(
    frames: torch.Tensor,
    masks: torch.Tensor,
    track: FaceTrack,
    reference: Reference | None,
    *,
    method: str | Filler = "warp",
    landmarks: str = "visible",
    device: torch.device | None = None,
    fps: float = USUAL_RATE,
    tracking: EyeTracking | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> torch.Tensor:
    """Fill the hole in every frame.

    frames: (T, H, W, 3) float32 in [0, 1]. masks: (T, H, W), or (1, H, W) for all frames, over 0.5 = hole. method: a
    name out of restore.registry, or a filler. landmarks: "visible" re-poses the points under the mask from those in
    sight; "oracle" takes the track's points under the mask for true, which they are only when the face was detected
    without the headset. device, fps, tracking: see Deoccluder. Returns (T, H, W, 3) float32; pixels outside the
    hole and its feather are bit for bit those of `frames`. Raises InputError when sizes or lengths do not fit, or the
    mask is empty or covers everything.
    """
    masks = fitting_masks(frames, masks)
    track.require_clip(len(frames), tuple(frames.shape[1:3]))
    check_landmarks(landmarks)
    filler = filler_of(method, reference)
    engine = Deoccluder(filler, pictures_for(filler, reference), device, fps, tracking=tracking)
    out = torch.empty_like(frames)
    for start in range(0, len(frames), filler.window):
        stop = min(start + filler.window, len(frames))
        window_masks = [masks[t].numpy() for t in range(start, stop)]
        faces = [track[t] for t in range(start, stop)]
        if landmarks == "visible":
            faces = [face.covered_by(mask) for face, mask in zip(faces, window_masks, strict=True)]
        window = [frames[t].contiguous().numpy() for t in range(start, stop)]
        for t, filled in enumerate(engine.process(window, window_masks, faces), start):
            out[t] = torch.from_numpy(filled)
            if progress is not None:
                progress(t + 1, len(frames))
    return out


def fitting_masks(frames: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """(T, H, W) masks for (T, H, W, 3) frames; a single mask serves for all. Raises InputError if they do not fit."""
    if len(masks) not in (1, len(frames)):
        raise InputError(
            f"Expected one mask for all frames or one for each of the {len(frames)}, got {len(masks)}; "
            "use the mask of the same clip."
        )
    for mask in masks:
        check_size(np.asarray(mask), tuple(frames.shape[1:3]))
    if not (masks > 0.5).any():
        raise empty_mask_error()
    return masks.expand(len(frames), -1, -1)


def check_eyes(eyes: str) -> None:
    """Raise InputError for unknown eyes."""
    if eyes not in EYES:
        raise InputError(f"Expected eyes out of {', '.join(EYES)}, got {eyes!r}.")


def check_landmarks(mode: str) -> None:
    """Raise InputError for an unknown landmark mode."""
    if mode not in LANDMARKS:
        raise InputError(f"Expected a landmark mode out of {', '.join(LANDMARKS)}, got {mode!r}.")
