"""Where the hole is: masks that come from a file or another node, detected ones, and those of a posed headset."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import repeat, tee

import numpy as np

from ..errors import InputError
from ..tracking.covered import detector_for
from ..tracking.detector import FaceDetector, MediaPipeDetector
from ..tracking.follow import Wearer, first_of, follow, visible_detector
from ..tracking.track import TrackedFace
from ..video import VideoReader
from ..video.source import Source
from .draw import HeadsetArtist
from .mask import DeviceMasker

FULL = 0.98  # share of the picture from which a mask counts as covering everything


@dataclass(frozen=True)
class Covered:
    """One frame with its hole.

    pixels: (H, W, 3) uint8, the headset in sight. mask: (H, W) uint8, 1 = hole. truth: the face as detected on the
    uncovered picture, where there was one. seen: the face as detected under the headset, where the mask comes from it.
    """

    pixels: np.ndarray
    mask: np.ndarray
    truth: TrackedFace | None = None
    seen: TrackedFace | None = None


@dataclass(frozen=True)
class SimulatedHeadset:
    """Draws a headset on uncovered footage, for tests and demonstrations."""

    artist: HeadsetArtist

    def cover(self, frames: Iterator[np.ndarray], wearer: Wearer) -> Iterator[Covered]:
        """The frames with the headset, in order; the wearer's detector is for what is seen of the face afterwards."""
        with closing(MediaPipeDetector() if wearer.box is None else detector_for((), box=wearer.box)) as detector:
            for frame, found in _followed(frames, detector, wearer):
                yield Covered(*self.artist.draw(frame, found), truth=found)


@dataclass(frozen=True)
class PlacedHeadset:
    """Masks real footage by a headset model posed on the detected face."""

    artist: HeadsetArtist

    def cover(self, frames: Iterator[np.ndarray], wearer: Wearer) -> Iterator[Covered]:
        """The frames with their masks, in order."""
        first, frames = first_of(frames)
        with closing(visible_detector(first, wearer)) as detector:
            for frame, found in _followed(frames, detector, wearer):
                yield Covered(frame, self.artist.mask(found, frame.shape[:2]))


@dataclass(frozen=True)
class DetectedHeadset:
    """Masks the headset that is seen on a face in real footage; parameters as those of headset.mask.DeviceMasker.

    Raises InputError for an unknown preset.
    """

    preset: str | None = None
    grow: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        self._masker()

    def cover(self, frames: Iterator[np.ndarray], wearer: Wearer) -> Iterator[Covered]:
        """The frames with their masks and the face under the headset, in order.

        Raises InputError when no frame shows a headset, or the wearer's detector is one for uncovered faces.
        """
        if wearer.detector == "uncovered":
            raise InputError(
                "A headset is found by the detector for covered faces, but 'uncovered' was asked for; choose 'auto' or "
                "'covered', or give a mask."
            )
        mode = "covered" if wearer.detector == "auto" else wearer.detector
        with closing(detector_for((), mode, box=wearer.box)) as detector:
            yield from self.mask(_followed(frames, detector, wearer))

    def mask(self, followed: Iterable[tuple[np.ndarray, TrackedFace]]) -> Iterator[Covered]:
        """`cover` for frames, (H, W, 3) uint8, of one clip in order whose faces the covered-face landmarker found."""
        masker = self._masker()
        count = holes = 0
        for frame, face in followed:
            mask = masker.push(frame, face, face.device)
            count, holes = count + 1, holes + bool(mask.any())
            yield Covered(frame, mask, seen=face)
        if not holes:
            raise InputError(
                f"No headset was found on the face in any of the {count} frames; use footage in which one covers the "
                "eyes, or a mask from elsewhere."
            )

    def _masker(self) -> DeviceMasker:
        return DeviceMasker(preset=self.preset, grow=self.grow, shift=self.shift)


class GivenMask:
    """Masks from a video or picture file (white = hole), or from an array (T, H, W) or (1, H, W), over 0.5 = hole."""

    def __init__(self, source: Source | np.ndarray):
        self._source = source

    def cover(self, frames: Iterator[np.ndarray], wearer: Wearer) -> Iterator[Covered]:
        """The frames with their masks, in order. Raises InputError when they do not fit."""
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


MaskSource = SimulatedHeadset | PlacedHeadset | DetectedHeadset | GivenMask


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
    frames: Iterator[np.ndarray], detector: FaceDetector, wearer: Wearer
) -> Iterator[tuple[np.ndarray, TrackedFace]]:
    shown, seen = tee(frames)  # holds just the frames that the tracker looks ahead
    return zip(shown, follow(((frame, None) for frame in seen), detector, wearer), strict=True)
