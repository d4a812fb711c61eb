"""Where the hole is: masks that come from a file or another node, those of the headset that is seen, and drawn ones."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..errors import InputError
from ..tracking.calibration import PersonalCalibration
from ..tracking.follow import Wearer, follow
from ..tracking.heads import HeadDetector
from ..tracking.reference import Reference
from ..tracking.track import USUAL_RATE, TrackedFace
from ..video.source import Source
from .draw import HeadsetArtist
from .given import MaskFrames, beside, fitted
from .mask import DeviceMasker
from .worn import AHEAD, while_worn

FULL = 0.98  # share of the picture from which a mask counts as covering everything


@dataclass(frozen=True)
class Covered:
    """One frame with its hole and the face behind it.

    pixels: (H, W, 3) uint8, the headset in sight. mask: (H, W) uint8, 1 = hole. face: the wearer's, the points under
    the mask marked as hidden, unless they are known. front: (H, W) uint8, 1 where a hand is before the headset, and
    stays; None where there is none.
    """

    pixels: np.ndarray
    mask: np.ndarray
    face: TrackedFace
    front: np.ndarray | None = None


@dataclass(frozen=True)
class SimulatedHeadset:
    """Draws a headset on uncovered footage, for tests and demonstrations.

    oracle: whether the face is the true one, as seen before the headset was drawn, and not what a camera would see.
    """

    artist: HeadsetArtist
    oracle: bool = False

    def cover(
        self, frames: Iterator[np.ndarray], wearer: Wearer, reference: Reference | None = None
    ) -> Iterator[Covered]:
        """The frames with the headset, in order. wearer: its detector is for what is seen of the face afterwards.
        reference: see tracking.follow.follow."""
        before = replace(wearer, detector="uncovered")
        with closing(follow(((frame, None) for frame in frames), before)) as followed:
            drawn = ((*self.artist.draw(frame, truth), truth) for frame, _, truth in followed)
            if self.oracle:
                yield from (Covered(*one) for one in drawn)
                return
            with closing(_behind(((frame, mask) for frame, mask, _ in drawn), wearer, reference)) as seen:
                yield from seen


@dataclass(frozen=True)
class DetectedHeadset:
    """Masks the headset that is seen on a face in real footage; parameters as those of headset.mask.DeviceMasker.

    Raises InputError for an unknown preset.
    """

    preset: str | None = None
    grow: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    straps: bool = True

    def __post_init__(self) -> None:
        self._masker()

    def cover(
        self,
        frames: Iterator[np.ndarray],
        wearer: Wearer,
        reference: Reference | None = None,
        detector: HeadDetector | None = None,
    ) -> Iterator[Covered]:
        """The frames with their masks and the face under the headset, in order. reference, detector: see
        tracking.follow.follow.

        Raises InputError when no frame shows a headset, unless the wearer is not required, or the wearer's detector is
        one for uncovered faces.
        """
        if wearer.detector == "uncovered":
            raise InputError(
                "A headset is found by the detector for covered faces, but 'uncovered' was asked for; choose 'auto' or "
                "'covered', or give a mask."
            )
        # Whoever wears the headset is meant, unless the user says who.
        covered = replace(wearer, detector="covered", wearing=wearer.face == 0 and wearer.box is None)
        calibration: PersonalCalibration | None = None
        knows = detector is None and reference is not None and reference.landmarker is not None
        known = reference if knows else None
        with closing(
            follow(((frame, None) for frame in frames), covered, reference=known, detector=detector)
        ) as followed:
            looked = ((frame, face) for frame, _, face in followed)
            found = self.mask(looked, wearer.fps, required=wearer.required, causal=wearer.causal)
            for frame, mask, face, front in found:
                if not mask.any():  # an uncovered face is another thing to the landmarker
                    calibration = None
                elif reference is not None and not knows:
                    calibration = calibration or PersonalCalibration(reference, fps=wearer.fps)
                    face = calibration.push(frame, face, mask)
                yield Covered(frame, mask, face.covered_by(mask), front)

    def mask(
        self,
        followed: Iterable[tuple[np.ndarray, TrackedFace]],
        fps: float = USUAL_RATE,
        *,
        required: bool = True,
        causal: bool = False,
    ) -> Iterator[tuple[np.ndarray, np.ndarray, TrackedFace, np.ndarray | None]]:
        """Frames, (H, W, 3) uint8, of one clip in order with their (H, W) uint8 masks and faces, which the detector for
        covered faces found, and hands before the headset, see Covered.front. Where the headset is not before the eyes,
        the mask is empty. fps: frames a second. causal: see tracking.follow.Wearer.

        Raises InputError when no frame shows a headset, where one is required.
        """
        masker, before = self._masker(fps), True
        count = holes = 0
        for frame, face, worn in while_worn(followed, 0 if causal else AHEAD):
            if worn and not before:  # it may sit elsewhere now
                masker = self._masker(fps)
            before = worn
            mask = masker.push(frame, face, face.device) if worn else np.zeros(frame.shape[:2], np.uint8)
            count, holes = count + 1, holes + bool(mask.any())
            yield frame, mask, face, masker.front if mask.any() and masker.front.any() else None
        if required and not holes:
            raise InputError(
                f"No headset was found on the face in any of the {count} frames; use footage in which one covers the "
                "eyes, or a mask from elsewhere."
            )

    def _masker(self, fps: float = USUAL_RATE) -> DeviceMasker:
        return DeviceMasker(preset=self.preset, grow=self.grow, shift=self.shift, straps=self.straps, fps=fps)


@dataclass(frozen=True)
class GivenMask:
    """A mask from a video or picture file, or an array (T, H, W) or (1, H, W) in [0, 1]; see headset.given."""

    source: Source | np.ndarray

    def fit(
        self, times: np.ndarray, size: tuple[int, int], parts: Sequence[Callable[[np.ndarray], np.ndarray]]
    ) -> list["FittedMask"]:
        """The mask of a video whose frames have `size` (height, width) and are shown at `times`, (T,) seconds; one for
        each of the `parts` that are looked at. Raises InputError where they do not fit, or it is no mask."""
        frames = beside(self.source, times)
        return [FittedMask(frames, size, part) for part in parts]


@dataclass(frozen=True)
class FittedMask:
    """What GivenMask.fit makes."""

    frames: MaskFrames
    size: tuple[int, int]
    part: Callable[[np.ndarray], np.ndarray]

    def cover(
        self, frames: Iterator[np.ndarray], wearer: Wearer, reference: Reference | None = None
    ) -> Iterator[Covered]:
        """The frames with their masks and the face behind them, in order. reference: see tracking.follow.follow.

        Raises InputError when frames and masks do not fit.
        """
        with closing(iter(self.frames)) as masks, closing(self._paired(frames, masks)) as pairs:
            with closing(_behind(pairs, wearer, reference)) as seen:
                yield from seen

    def _paired(
        self, frames: Iterator[np.ndarray], masks: Iterator[np.ndarray]
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        mask = part = None
        for frame in frames:
            before, mask = mask, next(masks, mask)  # a damaged file may have more frames than its index says
            if mask is not before:  # one mask may be for all frames
                whole = fitted(mask, self.size)
                check_size(whole, self.size)
                part = self.part(whole)
            yield frame, part


MaskSource = SimulatedHeadset | DetectedHeadset | GivenMask
FrameSource = SimulatedHeadset | DetectedHeadset | FittedMask  # what can cover frames


def check_size(mask: np.ndarray, size: tuple[int, int]) -> None:
    """Raise InputError unless `mask`, (H, W), has the frame's size and leaves something of the picture in sight."""
    if mask.shape != size:
        raise InputError(
            f"The mask must have the frames' size, {size[1]} x {size[0]}, "
            f"or their shape, but is {mask.shape[1]} x {mask.shape[0]}; resize it."
        )
    if cv2.countNonZero((mask > 0.5).view(np.uint8)) >= FULL * mask.size:
        raise InputError(
            "The mask covers the whole picture, so no face is left to work from; it must be white on the headset only "
            "(is it inverted?)."
        )


def empty_mask_error() -> InputError:
    """What to say when no frame of a clip has a hole."""
    return InputError("The mask is empty in every frame, so there is nothing to fill; it must be white on the headset.")


def _behind(
    pictures: Iterator[tuple[np.ndarray, np.ndarray]], wearer: Wearer, reference: Reference | None
) -> Iterator[Covered]:
    """The face that is seen beside the mask in each frame."""
    with closing(follow(pictures, wearer, masked=True, reference=reference)) as followed:
        for frame, mask, face in followed:
            yield Covered(frame, mask, face.covered_by(mask))
