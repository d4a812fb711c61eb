"""One clip through crop, alignment, filler and composite, frame order kept, any number of frames at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from einops import rearrange

from ..tracking.crop import Crop, CropTrack, crop_side_for
from ..tracking.reference import Reference
from ..tracking.track import FrameStatus, TrackedFace
from .align import ReferenceAligner
from .blend import RING
from .filler import Filler, Window
from .memory import FrameMemory, Memory

FEATHER = 0.02  # width of the feather outside the hole, by crop side


def feather_width(crop: Crop) -> int:
    """Feather of a crop in frame pixels, at least 1."""
    scale = np.sqrt(abs(np.linalg.det(crop.matrix[:, :2])))
    return max(round(FEATHER * crop.side / scale), 1)


def blend_weights(mask: np.ndarray, feather: int) -> np.ndarray:
    """(H, W) float32: 1 in the hole, falling to 0 over `feather` pixels outside it. mask: (H, W), over 0.5 = hole."""
    outside = (mask <= 0.5).astype(np.uint8)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.clip(1 - distance / (feather + 1), 0, 1).astype(np.float32)


def crop_area(crop: Crop, size: tuple[int, int]) -> np.ndarray:
    """(H, W) uint8: 1 where the crop shows the frame, of `size` (height, width), less the feather at its rim."""
    rim = max(round(FEATHER * crop.side), 1) + 1
    inner = np.zeros((crop.side, crop.side), np.uint8)
    inner[rim:-rim, rim:-rim] = 1
    return cv2.warpAffine(inner, crop.matrix, size[::-1], flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)


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
    to_crop = crop.matrix.copy()
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


class Deoccluder:
    """Fills the hole in the frames of one clip.

    Feed consecutive frames with `process`, as many at a time as suits; the result does not depend on how the clip
    is cut. Frames whose face is missing or whose mask is empty come back unchanged.
    """

    def __init__(self, filler: Filler, reference: Reference | None = None):
        self._filler = filler
        self._aligner = (
            ReferenceAligner(reference, steady=True) if filler.needs_alignment and reference is not None else None
        )
        self._memory = FrameMemory(reference) if filler.needs_memory else None
        self._crops: CropTrack | None = None
        self._state: Any = None

    def process(
        self, frames: Sequence[np.ndarray], masks: Sequence[np.ndarray], faces: Sequence[TrackedFace]
    ) -> list[np.ndarray]:
        """frames: (H, W, 3) uint8, or float32 in [0, 1]; masks: (H, W), over 0.5 = hole; faces: their tracked face.

        Returns new frames of the same type. Points whose visibility is 0 are re-posed from the visible ones.
        """
        prepared = self.prepare(frames, masks, faces)
        todo = [p for p in prepared if p.crop is not None]
        if not todo:
            return [f.copy() for f in frames]
        filled, self._state = self._filler.fill(window_of(todo), self._state)
        crops = iter(np.ascontiguousarray(rearrange(filled, "t c h w -> t h w c").numpy()))
        return [
            frame.copy() if p.crop is None else self._paste(frame, mask, next(crops), p.crop)
            for frame, mask, p in zip(frames, masks, prepared, strict=True)
        ]

    def _paste(self, frame: np.ndarray, mask: np.ndarray, filling: np.ndarray, crop: Crop) -> np.ndarray:
        if self._filler.whole:
            mask = np.maximum(crop_area(crop, mask.shape), mask > 0.5)
        return paste(frame, mask, filling, crop)

    def prepare(
        self, frames: Sequence[np.ndarray], masks: Sequence[np.ndarray], faces: Sequence[TrackedFace]
    ) -> list[Prepared]:
        """`process` up to what the filler is given: what a network is trained on has to come about in the same way."""
        prepared = []
        for frame, mask, face in zip(frames, masks, faces, strict=True):
            prepared.append(self._prepare(frame, mask, face))
            if self._memory is not None:
                self._memory.push(frame, mask, face)
        return prepared

    def _prepare(self, frame: np.ndarray, mask: np.ndarray, face: TrackedFace) -> Prepared:
        if face.status == FrameStatus.MISSING:
            return Prepared(None)
        if self._crops is None:
            self._crops = CropTrack(self._filler.crop_side or crop_side_for(face))
        crop = self._crops.push(face)
        hole = crop.take((mask > 0.5).astype(np.uint8), nearest=True)
        if not hole.any():
            return Prepared(None)
        prepared = Prepared(crop, crop.take(frame), hole, crop.to_crop(face.points), face.visibility)
        if self._aligner is not None:
            reach = max(round((RING + FEATHER) * crop.side), 4) + 2
            region = cv2.dilate(hole, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0
            prepared.aligned, prepared.kind = self._aligner(
                prepared.points, prepared.visibility, region, (prepared.pixels, hole), face.deviation * crop.scale
            )
        if self._memory is not None:
            prepared.memory = self._memory.take(crop, frame, face)
        return prepared


def window_of(frames: Sequence[Prepared]) -> Window:
    """Consecutive frames that have something to fill as a filler sees them."""
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
    )


def _pictures(images: list[np.ndarray]) -> torch.Tensor:
    """(S, S, 3) uint8 or float32 arrays to (T, 3, S, S) float32 in [0, 1]."""
    stacked = torch.from_numpy(np.stack(images))
    if stacked.dtype == torch.uint8:
        stacked = stacked.float() / 255
    return rearrange(stacked, "t h w c -> t c h w")
