"""One clip through crop, alignment, filler and composite, frame order kept, any number of frames at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import cv2
import numpy as np
import torch
from einops import rearrange

from ..tracking.crop import Crop, CropTrack, crop_pixels_for
from ..tracking.reference import Reference
from ..tracking.track import FrameStatus, TrackedFace
from .align import ReferenceAligner
from .blend import RING
from .filler import Filler, Window
from .memory import FrameMemory, Memory

FEATHER = 0.02  # width of the feather outside the hole, by crop side


def feather_width(crop: Crop) -> int:
    """Feather of a crop in frame pixels, at least 1."""
    return max(round(FEATHER * crop.side), 1)


def blend_weights(mask: np.ndarray, feather: int) -> np.ndarray:
    """(H, W) float32: 1 in the hole, falling to 0 over `feather` pixels outside it. mask: (H, W), over 0.5 = hole."""
    outside = (mask <= 0.5).astype(np.uint8)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.clip(1 - distance / (feather + 1), 0, 1).astype(np.float32)


def paste(frame: np.ndarray, mask: np.ndarray, filling: np.ndarray, crop: Crop) -> np.ndarray:
    """The frame with its hole filled from the crop.

    frame: (H, W, 3) uint8, or float32 in [0, 1]. mask: (H, W), over 0.5 = hole. filling: (S, S, 3) float32 in [0, 1].
    Returns a new frame of the same type. Where the crop does not reach, the frame stays as it is.
    """
    out = frame.copy()
    height, width = mask.shape
    feather = feather_width(crop)
    rows, columns = np.flatnonzero((mask > 0.5).any(1)), np.flatnonzero((mask > 0.5).any(0))
    if not len(rows):
        return out
    y0, y1 = max(rows[0] - feather - 1, 0), min(rows[-1] + feather + 2, height)
    x0, x1 = max(columns[0] - feather - 1, 0), min(columns[-1] + feather + 2, width)
    weights = blend_weights(mask[y0:y1, x0:x1], feather)
    # warpAffine wants the map from the output, here a window of the frame, to the crop
    to_crop = crop.matrix(len(filling))
    to_crop[:, 2] += to_crop[:, :2] @ (x0, y0)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (int(x1 - x0), int(y1 - y0))
    pixels = cv2.warpAffine(filling, to_crop, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(
        np.ones(filling.shape[:2], np.uint8), to_crop, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    )
    weights = (weights * inside)[..., None]
    window = out[y0:y1, x0:x1]
    if frame.dtype == np.uint8:
        mixed = np.round(window * (1 - weights) + pixels * 255 * weights).astype(np.uint8)
    else:
        mixed = window * (1 - weights) + pixels * weights
    out[y0:y1, x0:x1] = np.where(weights > 0, mixed, window)
    return out


@dataclass
class Prepared:
    """One frame on its way through the engine, in its crop of S x S pixels.

    crop: None where there is nothing to fill, as is all else then. pixels: (S, S, 3) of the frame's type. hole: (S, S)
    uint8. points: (478, 3) crop pixels. visibility: (478,). aligned, kind: see Window. Those and memory are None for a
    filler that does not ask for them.
    """

    crop: Crop | None
    pixels: np.ndarray | None = None
    hole: np.ndarray | None = None
    points: np.ndarray | None = None
    visibility: np.ndarray | None = None
    aligned: np.ndarray | None = None
    kind: np.ndarray | None = None
    memory: Memory | None = None


class Scene:
    """All that is known of one scene and must not outlive it: where the head was, which picture of the person is shown
    and where it belongs, what each place showed before, and the method's state.

    number: the scene's, see FaceTrack.scene. first: whether it begins the clip. begins: whether the clip's first frames
    are still to be filled; the state does not say, as a method may have none. pixels: side S of its crops.
    """

    def __init__(self, filler: Filler, reference: Reference | None, number: int, *, first: bool):
        aligned = filler.needs_alignment and reference is not None
        self.number, self.begins = number, first
        self.pixels = filler.crop_side
        self.crops = CropTrack()
        self.aligner = ReferenceAligner(reference, steady=True) if aligned else None
        # A reference may have been taken where the clip begins; a later scene is of another place or time.
        self.memory = FrameMemory(reference if first else None) if filler.needs_memory else None
        self.state: Any = None

    def prepare(self, frame: np.ndarray, mask: np.ndarray, face: TrackedFace) -> Prepared:
        """The scene's next frame, up to what a filler is given."""
        prepared = self._in_crop(frame, mask, face)
        if self.memory is not None:
            self.memory.push(frame, mask, face)
        return prepared

    def _in_crop(self, frame: np.ndarray, mask: np.ndarray, face: TrackedFace) -> Prepared:
        if face.status == FrameStatus.MISSING:
            return Prepared(None)
        if self.pixels is None:
            self.pixels = crop_pixels_for(face)
        crop, pixels = self.crops.push(face), self.pixels
        hole = crop.take((mask > 0.5).astype(np.uint8), pixels, nearest=True)
        if not hole.any():
            return Prepared(None)
        points = crop.to_crop(face.points, pixels)
        prepared = Prepared(crop, crop.take(frame, pixels), hole, points, face.visibility)
        if self.aligner is not None:
            reach = max(round((RING + FEATHER) * pixels), 4) + 2
            region = cv2.dilate(hole, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0
            prepared.aligned, prepared.kind = self.aligner(
                points, prepared.visibility, region, (prepared.pixels, hole), face.deviation * crop.scale(pixels)
            )
        if self.memory is not None:
            prepared.memory = self.memory.take(crop, pixels, frame, face)
        return prepared


class Deoccluder:
    """Fills the hole in the frames of one clip.

    Feed consecutive frames with `process`, as many at a time as suits; the result does not depend on how the clip
    is cut. Frames whose face is missing or whose mask is empty come back unchanged.
    """

    def __init__(self, filler: Filler, reference: Reference | None = None):
        self._filler, self._reference = filler, reference
        self._scene: Scene | None = None

    def process(
        self, frames: Sequence[np.ndarray], masks: Sequence[np.ndarray], faces: Sequence[TrackedFace]
    ) -> list[np.ndarray]:
        """frames: (H, W, 3) uint8, or float32 in [0, 1]; masks: (H, W), over 0.5 = hole; faces: their tracked face.

        Returns new frames of the same type. Points whose visibility is 0 are re-posed from the visible ones.
        """
        out: list[np.ndarray] = []
        for number, members in groupby(zip(frames, masks, faces, strict=True), key=lambda frame: frame[2].scene):
            out += self._process_scene(self._scene_of(number), list(members))
        return out

    def prepare(
        self, frames: Sequence[np.ndarray], masks: Sequence[np.ndarray], faces: Sequence[TrackedFace]
    ) -> list[Prepared]:
        """`process` up to what the filler is given: what a network is trained on has to come about in the same way."""
        return [
            self._scene_of(face.scene).prepare(frame, mask, face)
            for frame, mask, face in zip(frames, masks, faces, strict=True)
        ]

    def _scene_of(self, number: int) -> Scene:
        if self._scene is None or number != self._scene.number:
            self._scene = Scene(self._filler, self._reference, number, first=self._scene is None)
        return self._scene

    def _process_scene(
        self, scene: Scene, members: list[tuple[np.ndarray, np.ndarray, TrackedFace]]
    ) -> list[np.ndarray]:
        prepared = [scene.prepare(*member) for member in members]
        todo = [p for p in prepared if p.crop is not None]
        if not todo:
            return [frame.copy() for frame, _, _ in members]
        window, scene.begins = window_of(todo, begins=scene.begins), False
        filled, scene.state = self._filler.fill(window, scene.state)
        crops = iter(np.ascontiguousarray(rearrange(filled, "t c h w -> t h w c").numpy()))
        return [
            frame.copy() if p.crop is None else paste(frame, mask, next(crops), p.crop)
            for (frame, mask, _), p in zip(members, prepared, strict=True)
        ]


def window_of(frames: Sequence[Prepared], *, begins: bool = False) -> Window:
    """Consecutive frames of a scene that have something to fill, as a filler sees them. begins: see Window."""
    aligned, remembered = frames[0].aligned is not None, frames[0].memory is not None
    memories = [p.memory for p in frames]
    return Window(
        crops=_pictures([p.pixels for p in frames]),
        masks=torch.from_numpy(np.stack([p.hole for p in frames])).float()[:, None],
        points=np.stack([p.points for p in frames]),
        visibility=np.stack([p.visibility for p in frames]),
        aligned=_pictures([p.aligned for p in frames]) if aligned else None,
        aligned_kind=torch.from_numpy(np.stack([p.kind for p in frames]))[:, None] if aligned else None,
        remembered=_pictures([m.picture for m in memories]) if remembered else None,
        in_memory=torch.from_numpy(np.stack([m.known for m in memories]))[:, None] if remembered else None,
        moved=torch.from_numpy(np.stack([m.moved for m in memories]))[:, None] if remembered else None,
        begins=begins,
    )


def _pictures(images: list[np.ndarray]) -> torch.Tensor:
    """(S, S, 3) uint8 or float32 arrays to (T, 3, S, S) float32 in [0, 1]."""
    stacked = torch.from_numpy(np.stack(images))
    if stacked.dtype == torch.uint8:
        stacked = stacked.float() / 255
    return rearrange(stacked, "t h w c -> t c h w")
