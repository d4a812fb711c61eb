"""The views that a frame holds: one, or the two of a stereo picture, with square pixels or squeezed ones."""

from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np

from ..errors import InputError

FLAT, SIDE_BY_SIDE, TOP_BOTTOM = "flat", "side-by-side", "top-bottom"
HALF = " half"  # each view squeezed to half its width or height, so that the frame has the size of one
STEREO = (FLAT, SIDE_BY_SIDE, SIDE_BY_SIDE + HALF, TOP_BOTTOM, TOP_BOTTOM + HALF)
SQUARE = 0.02  # by which a pixel may be wider or higher than the other, and faces still look as they are

THUMBNAIL = 48  # pixels a side of the halves of a frame that are compared
ALIKE, DETAIL = 0.9, 12.0  # correlation of two views of one scene; deviation of a half that shows anything, of 255
PARALLAX = 4  # pixels of the thumbnail by which the views may be apart


@dataclass(frozen=True)
class View:
    """A part of the frame that is filled by itself. place: its rows and columns. width: of one of its pixels by its
    height."""

    place: tuple[slice, slice] = (slice(None), slice(None))
    width: float = 1.0

    @property
    def whole(self) -> bool:
        """Whether it is the frame itself."""
        return self == View()

    def take(self, picture: np.ndarray) -> np.ndarray:
        """The view of an (H, W) or (H, W, 3) uint8 frame or mask, with square pixels: stretched, never shrunk."""
        part = picture[self.place]
        if self.width == 1:
            return part
        how = cv2.INTER_NEAREST if picture.ndim == 2 else cv2.INTER_CUBIC
        return cv2.resize(part, self.size(picture.shape[:2])[::-1], interpolation=how)

    def size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of the view of a frame of `size`. What is stretched becomes even: H.264 takes no other."""
        height, width = (len(range(*part.indices(length))) for part, length in zip(self.place, size, strict=True))
        if self.width > 1:
            return height, 2 * round(width * self.width / 2)
        return (2 * round(height / self.width / 2) if self.width < 1 else height), width

    def box(
        self, box: tuple[float, float, float, float], size: tuple[int, int]
    ) -> tuple[float, float, float, float] | None:
        """A box (x, y, width, height) in pixels of a frame of `size` (height, width) in those of the view; None where
        it lies in another view."""
        x, y, width, height = box
        (top, bottom, _), (left, right, _) = (
            part.indices(length) for part, length in zip(self.place, size, strict=True)
        )
        if not (left <= x + width / 2 < right and top <= y + height / 2 < bottom) and not self.whole_frame(size):
            return None
        across, down = max(self.width, 1.0), max(1 / self.width, 1.0)
        return (x - left) * across, (y - top) * down, width * across, height * down

    def whole_frame(self, size: tuple[int, int]) -> bool:
        """Whether it shows all of a frame of `size` (height, width)."""
        return all(part.indices(length)[:2] == (0, length) for part, length in zip(self.place, size, strict=True))

    def put(self, picture: np.ndarray, filled: np.ndarray, before: np.ndarray) -> None:
        """Bring a filled view back into its (H, W, 3) frame, in place. before: the view as it was taken; what does not
        differ from it stays bit for bit as it is in the frame."""
        part = picture[self.place]
        if self.width == 1:
            part[:] = filled
            return
        size = part.shape[1::-1]
        changed = cv2.resize((filled != before).any(2).view(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        part[changed] = cv2.resize(filled, size, interpolation=cv2.INTER_AREA)[changed]


def views_of(layout: str, size: tuple[int, int], aspect: Fraction = Fraction(1)) -> tuple[View, ...]:
    """The views of a frame of `size` (height, width). aspect: of its pixels, width by height.

    Raises InputError for an unknown layout, or a frame that cannot be halved.
    """
    if layout not in STEREO:
        raise InputError(f"Expected a stereo layout out of {', '.join(STEREO)}, got {layout!r}.")
    width = float(aspect) if abs(aspect - 1) > SQUARE else 1.0
    if layout == FLAT:
        return (View(width=width),)
    across = layout.startswith(SIDE_BY_SIDE)
    length = size[1] if across else size[0]
    if length % 2:
        raise InputError(f"A frame of {size[1]} x {size[0]} pixels cannot be halved into two views ({layout}).")
    if layout.endswith(HALF):
        width *= 2 if across else 0.5
    halves = slice(0, length // 2), slice(length // 2, length)
    return tuple(View((slice(None), half) if across else (half, slice(None)), width) for half in halves)


def stereo_layout(frame: np.ndarray) -> str | None:
    """What an (H, W, 3) uint8 frame looks like, "side-by-side" or "top-bottom"; None for one view."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    if min(height, width) < THUMBNAIL:
        return None
    for layout, first, second in (
        (SIDE_BY_SIDE, grey[:, : width // 2], grey[:, width // 2 :]),
        (TOP_BOTTOM, grey[: height // 2], grey[height // 2 :]),
    ):
        one, other = (
            cv2.resize(half, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA).astype(np.float32)
            for half in (first, second)
        )
        middle = one[:, PARALLAX:-PARALLAX]
        if middle.std() > DETAIL and cv2.matchTemplate(other, middle, cv2.TM_CCOEFF_NORMED).max() > ALIKE:
            return layout
    return None
