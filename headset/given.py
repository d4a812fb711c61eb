"""Masks that come from elsewhere, read as the tools that make them mean them: white, coloured, dim, labelled, as
transparency, soft; of the video's frames, or of other frames over the same time."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np

from ..errors import InputError
from ..video import VideoReader
from ..video.source import Source

LOOKED_AT = 8  # frames of a mask by which its kind is told
DARK = 32  # levels of 255 up to which a picture is black, but for a label
BETWEEN = (0.15, 0.85)  # of the brightest level: what lies between is neither black nor white
PHOTOGRAPH = 0.2  # share of the picture that may lie between: a soft rim does, a photograph has more
COLOURS_APART = 0.15  # deviation of the bright pixels' hues, from 0 for one alone
NOISY = 0.05  # share of pixels unlike their neighbour, from which a dark picture is noise and not a map of labels
HALF = 0.5  # share of the picture from which what is transparent cannot be the headset
SAME_TIME = 0.5  # seconds by which the durations of a mask and its video may differ; in a short one a fiftieth
SAME_SHAPE = 0.02  # by which the aspect ratios may differ


@dataclass(frozen=True)
class MaskReading:
    """What of a mask's pixels is the hole. transparent: where they are; else where they are brighter than `above`.
    remark: what a user should know of it, empty for a plain white mask."""

    transparent: bool = False
    above: int = 127
    remark: str = ""

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """(H, W) uint8, 1 = hole, of (H, W), (H, W, 3) or (H, W, 4) uint8."""
        hole = pixels[..., 3] <= 127 if self.transparent else _levels(pixels) > self.above
        return hole.view(np.uint8)


def reading_of(samples: Sequence[np.ndarray]) -> MaskReading:
    """How a mask is to be read, by some of its frames, (H, W), (H, W, 3) or (H, W, 4) uint8.

    Raises InputError where it is no mask, or which part is meant is not clear.
    """
    if samples[0].shape[2:] == (4,):
        alpha = np.stack([sample[..., 3] for sample in samples])
        if (alpha <= 127).any() and (alpha > 127).any():
            return _by_transparency(alpha)
    levels = np.stack([_levels(sample) for sample in samples])
    bright = levels[levels > DARK]
    if not len(bright):
        return _by_label(levels)
    level = int(np.percentile(bright, 90))
    low, high = (share * level for share in BETWEEN)
    if ((levels > low) & (levels < high)).mean() > PHOTOGRAPH:
        raise InputError(
            "The mask has grey levels all over, as a photograph; it must be white on the headset and black elsewhere."
        )
    colours = _colours(samples, levels > level / 2)
    if colours is not None and colours.std(0).max() > COLOURS_APART:
        raise InputError(
            "The mask has several colours, as of several objects; give one with the headset's colour alone."
        )
    remark = ""
    if colours is not None and colours.mean(0).min() < 1 - COLOURS_APART:
        shade = ", ".join(f"{level * share:.0f}" for share in colours.mean(0))
        remark = f"The mask is not white but ({shade}): what has this colour is taken as the hole."
    elif level < 192:
        remark = f"The mask is not white but grey, {level} of 255: what is brighter than half of that is the hole."
    return MaskReading(above=min(level // 2, 127), remark=remark)


def _by_transparency(alpha: np.ndarray) -> MaskReading:
    share = float((alpha <= 127).mean())
    if share > HALF:
        raise InputError(
            f"The mask is transparent in {share:.0%} of the picture, and in ComfyUI transparent means the hole; "
            "invert its transparency, or give one that is white on the headset."
        )
    return MaskReading(True, remark="The mask is read from its transparency: what is transparent is the hole.")


def _by_label(levels: np.ndarray) -> MaskReading:
    """One label among black, or nothing: frames to come may still show a white mask."""
    labels = np.unique(levels)
    if (np.diff(levels.astype(np.int16), axis=2) != 0).mean() > NOISY:
        return MaskReading()
    if len(labels) == 2 and labels[0] == 0:
        return MaskReading(
            above=0, remark=f"The mask is a map with the one label {labels[1]}, which is taken as the hole."
        )
    if 2 < len(labels) < DARK // 2 and labels[0] == 0 and (np.diff(labels) == 1).all():
        raise InputError(
            f"The mask is a map with {len(labels) - 1} labels, 1 to {labels[-1]}; give one with the headset's alone."
        )
    return MaskReading()


def _levels(pixels: np.ndarray) -> np.ndarray:
    """(H, W) uint8: the brightest of the colours, so that a red mask is as good as a white one."""
    if pixels.ndim == 2:
        return pixels
    return cv2.max(cv2.max(pixels[..., 0], pixels[..., 1]), pixels[..., 2])


def _colours(samples: Sequence[np.ndarray], bright: np.ndarray) -> np.ndarray | None:
    """(N, 3) in [0, 1]: the bright pixels' colours by their brightest channel; None for grey pictures."""
    if samples[0].ndim == 2:
        return None
    colours = np.concatenate([sample[at][:, :3] for sample, at in zip(samples, bright, strict=True)])
    few = colours[:: max(len(colours) // 50_000, 1)].astype(np.float32)
    return few / few.max(1, keepdims=True)


@dataclass(frozen=True)
class MaskFrames:
    """A mask beside a video. source: a file, or an array (T, H, W) or (1, H, W) in [0, 1].

    order: for each frame of the video the mask's frame that belongs to it. remarks: what a user should know.
    """

    source: Source | np.ndarray
    reading: MaskReading
    order: np.ndarray
    remarks: tuple[str, ...]

    def __iter__(self) -> Iterator[np.ndarray]:
        """(H, W) uint8 for each frame of the video, 1 = hole; the same object where it is the same mask."""
        with closing(_pixels(self.source, "rgba" if self.reading.transparent else "rgb")) as masks:
            number, hole = -1, None
            for wanted in self.order:
                newest = None
                while number < wanted and (picture := next(masks, None)) is not None:
                    number, newest = number + 1, picture
                hole = hole if newest is None else self.reading(newest)
                yield hole


def beside(source: Source | np.ndarray, times: np.ndarray) -> MaskFrames:
    """The mask of a video whose frames are shown at `times`, (T,) seconds from the first one.

    One mask is for all frames; as many as there are frames, for one each. One too many or too few is forgiven. A video
    of another number of frames over the same time is paired by time. Raises InputError for any other number, and where
    it is no mask.
    """
    if isinstance(source, np.ndarray):
        count, own_times = len(source), None
    else:
        with VideoReader(source) as reader:
            count, own_times = reader.info.frame_count, reader.times
    reading = reading_of(_samples(source, count))
    order, remark = _order(count, own_times, times)
    return MaskFrames(source, reading, order, tuple(text for text in (reading.remark, remark) if text))


def _order(count: int, own_times: np.ndarray | None, times: np.ndarray) -> tuple[np.ndarray, str]:
    frames = len(times)
    if count == 1:
        return np.zeros(frames, int), ""
    if abs(count - frames) <= 1:
        remark = "" if count == frames else f"The mask has {count} frames, the video {frames}: "
        if count > frames:
            remark += "its last one was left out."
        elif remark:
            remark += "its last one was used twice."
        return np.minimum(np.arange(frames), count - 1), remark
    if own_times is not None and frames > 1:
        # A frame lasts until the next one, the last one as long as the others.
        last, own_last = times[-1] * frames / (frames - 1), own_times[-1] * count / (count - 1)
        if abs(own_last - last) <= min(SAME_TIME, last / 50) + max(last / frames, own_last / count):
            after = np.clip(np.searchsorted(own_times, times), 1, count - 1)
            nearest = after - (times - own_times[after - 1] <= own_times[after] - times)
            return nearest, f"The mask has {count} frames and the video {frames} over the same time: paired by time."
    length = "" if own_times is None else f" over {own_times[-1]:.1f} s"
    own = "" if own_times is None else f" over {times[-1]:.1f} s"
    raise InputError(
        f"The mask has {count} frames{length}, but the video has {frames}{own}; "
        "give one mask for all frames, or one for each."
    )


def _samples(source: Source | np.ndarray, count: int) -> list[np.ndarray]:
    """Some of the frames, spread over the mask; where they are all dark, the first one that is not as well."""
    chosen = np.unique(np.linspace(0, count - 1, min(count, LOOKED_AT)).astype(int))
    if isinstance(source, np.ndarray):
        samples = list(_as_bytes(source[chosen]))
    else:
        with VideoReader(source) as reader:
            samples = [frame.pixels for start in chosen for frame in reader.frames(int(start), 1, channels="rgba")]
    if len(samples) < count and all(_levels(sample).max() <= DARK for sample in samples):
        with closing(_pixels(source, "rgba")) as pictures:
            samples += islice((picture for picture in pictures if _levels(picture).max() > DARK), 1)
    return samples


def _pixels(source: Source | np.ndarray, channels: str) -> Iterator[np.ndarray]:
    if isinstance(source, np.ndarray):
        yield from map(_as_bytes, source)
        return
    with VideoReader(source) as reader:
        yield from (frame.pixels for frame in reader.frames(channels=channels))


def _as_bytes(masks: np.ndarray) -> np.ndarray:
    return np.round(255 * np.clip(np.nan_to_num(masks), 0, 1)).astype(np.uint8)


def fitted(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The mask, (H, W) uint8, at the frame's size (height, width), where it has its shape; else as it is."""
    height, width = mask.shape
    if mask.shape == size or abs(width * size[0] / (height * size[1]) - 1) > SAME_SHAPE:
        return mask
    smaller = height > size[0]
    large = cv2.resize(255 * mask, size[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    return (large > 127).view(np.uint8)
