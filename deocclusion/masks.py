"""Where the hole is: masks that come from a file or another node, and masks made from a posed headset."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat, tee

import numpy as np

from ..errors import InputError
from ..faces.detector import FaceDetector
from ..faces.headset import HeadsetArtist
from ..faces.track import TrackedFace, track_faces
from ..video import VideoReader
from ..video.source import Source

FULL = 0.98  # share of the picture from which a mask counts as covering everything


@dataclass(frozen=True)
class Covered:
    """One frame with its hole.

    pixels: (H, W, 3) uint8, the headset in sight. mask: (H, W) uint8, 1 = hole. truth: the face as detected on the
    uncovered picture, where there was one.
    """

    pixels: np.ndarray
    mask: np.ndarray
    truth: TrackedFace | None = None


@dataclass(frozen=True)
class SimulatedHeadset:
    """Draws a headset on uncovered footage, for tests and demonstrations."""

    artist: HeadsetArtist

    def cover(
        self, frames: Iterator[np.ndarray], detector: FaceDetector, face: int, on_missing: str
    ) -> Iterator[Covered]:
        for frame, found in _followed(frames, detector, face, on_missing):
            yield Covered(*self.artist.draw(frame, found), truth=found)


@dataclass(frozen=True)
class PlacedHeadset:
    """Masks real footage by a headset model posed on the detected face."""

    artist: HeadsetArtist

    def cover(
        self, frames: Iterator[np.ndarray], detector: FaceDetector, face: int, on_missing: str
    ) -> Iterator[Covered]:
        for frame, found in _followed(frames, detector, face, on_missing):
            yield Covered(frame, self.artist.mask(found, frame.shape[:2]))


class GivenMask:
    """Masks from a video or picture file (white = hole), or from an array (T, H, W) or (1, H, W), over 0.5 = hole."""

    def __init__(self, source: Source | np.ndarray):
        self._source = source

    def cover(
        self, frames: Iterator[np.ndarray], detector: FaceDetector, face: int, on_missing: str
    ) -> Iterator[Covered]:
        masks = self._masks()
        for index, frame in enumerate(frames):
            mask = next(masks, None)
            if mask is None:
                raise InputError(
                    f"The mask has {index} frames, but the video is longer; "
                    "give one mask for all frames, or one for each."
                )
            check_size(mask, frame.shape[:2])
            yield Covered(frame, mask)
        if not isinstance(masks, repeat) and next(masks, None) is not None:
            raise InputError(
                f"The mask has more frames than the video, which has {index + 1}; "
                "give one mask for all frames, or one for each."
            )

    def _masks(self) -> Iterator[np.ndarray]:
        if isinstance(self._source, np.ndarray):
            masks = iter((self._source > 0.5).astype(np.uint8))
            return repeat(next(masks)) if len(self._source) == 1 else masks
        reader = VideoReader(self._source)
        masks = ((frame.pixels[..., 1] > 127).astype(np.uint8) for frame in reader)
        return repeat(next(masks)) if reader.info.frame_count == 1 else masks


MaskSource = SimulatedHeadset | PlacedHeadset | GivenMask


def check_size(mask: np.ndarray, size: tuple[int, int]) -> None:
    """Raise InputError unless `mask`, (H, W), has the frame's size and leaves something of the picture in sight."""
    if mask.shape != size:
        raise InputError(
            f"The mask must have the frames' size, {size[1]} x {size[0]}, "
            f"but is {mask.shape[1]} x {mask.shape[0]}; resize it."
        )
    if (mask > 0.5).mean() >= FULL:
        raise InputError(
            "The mask covers the whole picture, so no face is left to work from; it must be white on the headset only "
            "(is it inverted?)."
        )


def empty_mask_error() -> InputError:
    """What to say when no frame of a clip has a hole."""
    return InputError("The mask is empty in every frame, so there is nothing to fill; it must be white on the headset.")


def _followed(
    frames: Iterator[np.ndarray], detector: FaceDetector, face: int, on_missing: str
) -> Iterator[tuple[np.ndarray, TrackedFace]]:
    shown, seen = tee(frames)  # holds just the frames that the tracker looks ahead
    tracked = track_faces(((frame, None) for frame in seen), detector, face=face, on_missing=on_missing)
    return zip(shown, tracked, strict=True)
