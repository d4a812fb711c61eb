"""The window of a picture that a headset is painted in: layers of polygons, and how a camera would take them."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

FINE = 300 * 300  # windows of fewer pixels are painted at twice their size
LIGHT_UNIT = 180  # the value that stands for a light of 1, which leaves room for brighter spots
FACET = 0.35  # centimetres over which light is smoothed, so that no facet is seen as one


@dataclass
class Canvas:
    """Layers that cover a window of the picture, `fine` times as large; 0 where nothing is painted.

    cover: (h, w) uint8, 255 where anything is, where only the mask is wanted. The others are for pictures:
    colour: (h, w, 4) uint8, RGB and gloss. light: (h, w, 3) uint8: what lights the colour, in LIGHT_UNIT; what shines
    on top of it, of 255; and the cover. hand: (h, w) uint8, 255 where a hand lies on top.
    """

    left: int
    top: int
    width: int
    height: int
    fine: int
    cover: np.ndarray | None = None
    colour: np.ndarray | None = None
    light: np.ndarray | None = None
    hand: np.ndarray | None = None

    @classmethod
    def around(cls, points: np.ndarray, margin: float, size: tuple[int, int], *, coloured: bool) -> "Canvas | None":
        """A canvas for (N, 2) points and a margin, as far as they are in the picture; None where none is."""
        left, top = np.floor(np.maximum(points.min(0) - margin, 0)).astype(int)
        right, bottom = np.ceil(np.minimum(points.max(0) + margin + 1, size[::-1])).astype(int)
        width, height = int(right - left), int(bottom - top)
        if min(width, height) < 1:
            return None
        fine = 2 if width * height < FINE else 1
        shape = (height * fine, width * fine)
        canvas = cls(int(left), int(top), width, height, fine)
        if coloured:
            canvas.colour, canvas.light = np.zeros((*shape, 4), np.uint8), np.zeros((*shape, 3), np.uint8)
            canvas.hand = np.zeros(shape, np.uint8)
        else:
            canvas.cover = np.zeros(shape, np.uint8)
        return canvas

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the picture."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)

    def fixed(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) pixels of the picture to the sub-pixel coordinates that OpenCV takes with shift=4."""
        middle = (self.fine - 1) / 2  # of a pixel, on the finer grid
        return np.round(((points - (self.left, self.top)) * self.fine + middle) * 16).astype(np.int32)

    def cut(self, polygon: np.ndarray) -> None:
        """Cover a convex polygon, (N, 2) from `fixed`."""
        cv2.fillConvexPoly(self.cover, polygon, 255, cv2.LINE_8, 4)

    def fill(self, polygon: np.ndarray, colour: Sequence[float], light: Sequence[float]) -> None:
        """Paint a convex polygon, (N, 2) from `fixed`. colour: RGB and gloss of 255. light: as in the layer."""
        cv2.fillConvexPoly(self.colour, polygon, colour, cv2.LINE_8, 4)
        cv2.fillConvexPoly(self.light, polygon, light, cv2.LINE_8, 4)

    def smooth_light(self, scale: float) -> np.ndarray:
        """(height, width, 2) float32: light and shine without the steps between facets. scale: pixels a centimetre."""
        step = max(scale * FACET / 2, 1.0)  # no need to blur at a finer grid than the blur itself
        small = max(round(self.width / step), 1), max(round(self.height / step), 1)
        light = cv2.resize(self.light, small, interpolation=cv2.INTER_AREA).astype(np.float32)
        light = cv2.GaussianBlur(light, (0, 0), max(scale * FACET / step, 0.5), borderType=cv2.BORDER_REPLICATE)
        light = light[..., :2] / np.maximum(light[..., 2:], 1) * np.array((255 / LIGHT_UNIT, 1), np.float32)
        return cv2.resize(light, (self.width, self.height), interpolation=cv2.INTER_LINEAR)

    def taken(self, layer: np.ndarray, blur: float, smear: np.ndarray) -> np.ndarray:
        """A layer at the picture's size, as blurred as the camera makes it.

        blur: standard deviation in pixels. smear: (x, y) pixels travelled while the shutter is open.
        """
        if self.fine > 1:
            layer = cv2.resize(layer, (self.width, self.height), interpolation=cv2.INTER_AREA)
        if np.hypot(*smear) > 1:
            layer = cv2.filter2D(layer, -1, _smear_kernel(smear), borderType=cv2.BORDER_REPLICATE)
        if blur:
            layer = cv2.GaussianBlur(layer, (0, 0), blur, borderType=cv2.BORDER_REPLICATE)
        return layer


def _smear_kernel(smear: np.ndarray) -> np.ndarray:
    """A normalised line of the given (x, y) length in pixels."""
    half = int(np.ceil(np.abs(smear).max() / 2)) + 1
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    ends = np.round((np.stack([-smear, smear]) / 2 + half) * 16).astype(int)
    cv2.line(kernel, tuple(ends[0].tolist()), tuple(ends[1].tolist()), 1.0, 1, cv2.LINE_8, 4)
    return kernel / kernel.sum()
