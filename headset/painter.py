"""Painting a posed headset into a picture: sorted facets, reflections on the front, a hand, and the picture's grain."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from ..tracking.geometry import pose_scale, transform
from ..tracking.track import TrackedFace
from .hand import Limb, hand_limbs, limb_strokes, skin_colour
from .look import CAMERA_DISTANCE, Look, Mark, facet_light, reflection
from .mesh import Part, facet_normals, front_point, headset_mesh, seat
from .models import Headset

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


FAINT = 32  # of 255: where device or hand cover less of a pixel than this, it stays as it is
GLOSSY_MARK = 0.35
MARK_POINTS = 20
MIRROR_STEP = 0.25  # centimetres between the points where reflections are computed
GRAIN = 128  # pixels, side of the tile of noise


class Painter:
    """Paints one device with one look. seed: decides the grain."""

    def __init__(self, headset: Headset, look: Look, seed: int = 0):
        self._headset, self._look = headset, look
        self._mesh = headset_mesh(headset)
        self._normals = facet_normals(self._mesh.corners)
        self._seat = seat(headset)
        gloss = np.where(self._mesh.part == Part.FRONT, look.gloss, 0.0)
        albedo = np.array([look.front, look.body, look.interface, look.strap])[self._mesh.part]
        self._colours = 255 * np.column_stack([albedo, gloss])
        self._marks = np.array([_mark_outline(headset, mark) for mark in look.marks]).reshape(-1, MARK_POINTS, 3)
        self._mark_normals = headset.front_normal(*self._marks.mean(1).T[:2])
        self._mark_colours = [(*mark.colour, self._gloss_of(mark)) for mark in look.marks]
        self._behind, self._before = hand_limbs(look.hand, headset) if look.hand else ([], [])
        self._grain_start = np.random.default_rng(seed).integers(0, GRAIN, 2)

    def hidden(self, face: TrackedFace, size: tuple[int, int]) -> np.ndarray:
        """(H, W) uint8, 1 where device or hand hide the picture. size: (H, W)."""
        mask = np.zeros(size, np.uint8)
        canvas = self._canvas(face, size, None)
        if canvas is not None:
            mask[canvas.window] = self._taken(canvas, canvas.cover, face) >= FAINT
        return mask

    def paint(self, frame: np.ndarray, face: TrackedFace) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The picture, the (H, W) uint8 mask of the device, and that of device and hand. frame: (H, W, 3)."""
        size = frame.shape[:2]
        picture, mask, hidden = frame.copy(), np.zeros(size, np.uint8), np.zeros(size, np.uint8)
        canvas = self._canvas(face, size, skin_colour(frame, face) if self._before else np.zeros(3))
        if canvas is None:
            return picture, mask, hidden
        cover = self._taken(canvas, cv2.extractChannel(canvas.light, 2), face)
        cover[cover < FAINT] = 0
        hidden[canvas.window] = cover > 0
        mask[canvas.window] = hidden[canvas.window]
        if self._before:
            mask[canvas.window] &= self._taken(canvas, canvas.hand, face) <= cover // 2
        colour = self._taken(canvas, canvas.colour, face)
        share = cover[..., None] * np.float32(1 / 255)
        lit = canvas.smooth_light(pose_scale(face.pose))
        seen = colour[..., :3] * (lit[..., :1] * np.float32(1 / 255))
        seen += share * lit[..., 1:]
        self._mirror(seen, colour[..., 3], canvas, face, size)
        seen += share * self._grain_of(face, canvas)
        # Nothing is brighter than white, and nothing is added where the picture is to stay as it is.
        np.clip(seen, 0, share, out=seen)
        full = np.float32(255 if frame.dtype == np.uint8 else 1)
        blended = picture[canvas.window] * (1 - share)
        blended += seen * full
        picture[canvas.window] = np.rint(blended) if frame.dtype == np.uint8 else blended
        return picture, mask, hidden

    def _canvas(self, face: TrackedFace, size: tuple[int, int], skin: np.ndarray | None) -> Canvas | None:
        """Device and hand on a canvas, with colours if `skin`, (3,) in [0, 1], is given."""
        matrix = face.pose @ self._seat
        scale = pose_scale(matrix)
        normals = self._normals @ matrix[:3, :3].T / scale
        seen = np.flatnonzero(normals[:, 2] < 0)
        corners = transform(matrix, self._mesh.corners[seen])
        order = np.argsort(-corners[..., 2].mean(1), kind="stable")
        seen, corners = seen[order], corners[order]
        behind, before = ([_posed(limb, matrix) for limb in limbs] for limbs in (self._behind, self._before))
        reach = [corners[..., :2].reshape(-1, 2)]
        for limb, ends in behind + before:
            radii = scale * np.array(limb.radii)[:, None]
            reach += [ends - radii, ends + radii]
        margin = 3 * self._look.blur + scale * np.hypot(*self._look.motion) / 2 + 2
        canvas = Canvas.around(np.concatenate(reach), margin, size, coloured=skin is not None)
        if canvas is None:
            return None
        self._fill_limbs(canvas, behind, scale, skin)
        polygons = canvas.fixed(corners[..., :2])
        if skin is None:
            for polygon in polygons:
                canvas.cut(polygon)
        else:
            light = facet_light(self._look, self._mesh.part[seen], normals[seen]) * (LIGHT_UNIT, 255)
            light = np.column_stack([light, np.full(len(light), 255)])
            for polygon, *fill in zip(polygons, self._colours[seen].tolist(), light.tolist(), strict=True):
                canvas.fill(polygon, *fill)
            self._fill_marks(canvas, matrix, scale)
        self._fill_limbs(canvas, before, scale, skin, on_top=True)
        return canvas

    def _gloss_of(self, mark: Mark) -> float:
        return max(self._look.gloss, GLOSSY_MARK) if mark.glossy else self._look.gloss / 2

    def _fill_marks(self, canvas: Canvas, matrix: np.ndarray, scale: float) -> None:
        turned = (self._mark_normals @ matrix[2, :3]) / scale
        polygons = canvas.fixed(transform(matrix, self._marks)[..., :2])
        for polygon, colour, facing in zip(polygons, self._mark_colours, turned < -0.1, strict=True):
            if facing:
                cv2.fillConvexPoly(canvas.colour, polygon, [255 * c for c in colour], cv2.LINE_8, 4)

    def _fill_limbs(
        self,
        canvas: Canvas,
        limbs: list[tuple[Limb, np.ndarray]],
        scale: float,
        skin: np.ndarray | None,
        *,
        on_top: bool = False,
    ) -> None:
        light = np.array(self._look.light[:2]) / np.linalg.norm(self._look.light)
        for limb, ends in limbs:
            radii = (limb.radii[0] * scale, limb.radii[1] * scale)
            for step, (outline, brightness) in enumerate(limb_strokes(*ends, radii, light)):
                polygon = canvas.fixed(outline)
                if skin is None:
                    canvas.cut(polygon)
                    break  # the first outline holds all the others
                colour = 255 * np.array((*(limb.sleeve or skin), 0.0))
                canvas.fill(polygon, colour, (LIGHT_UNIT * brightness, 0, 255))
                if on_top and step == 0:
                    cv2.fillConvexPoly(canvas.hand, polygon, 255, cv2.LINE_8, 4)

    def _taken(self, canvas: Canvas, layer: np.ndarray, face: TrackedFace) -> np.ndarray:
        return canvas.taken(layer, self._look.blur, pose_scale(face.pose) * np.array(self._look.motion))

    def _mirror(
        self, seen: np.ndarray, gloss: np.ndarray, canvas: Canvas, face: TrackedFace, size: tuple[int, int]
    ) -> None:
        """Add to `seen`, (h, w, 3), what the front mirrors where `gloss`, (h, w) uint8, is not 0."""
        x0, y0, width, height = cv2.boundingRect(gloss)
        if not width:
            return
        matrix = face.pose @ self._seat
        scale = pose_scale(matrix)
        step = max(scale * MIRROR_STEP, 1.0)
        columns, rows = np.arange(0, width + step, step), np.arange(0, height + step, step)
        pixels = np.stack(np.meshgrid(columns + x0 + canvas.left, rows + y0 + canvas.top), axis=-1)
        xy = self._on_front(matrix, pixels)
        normals = self._headset.front_normal(xy[..., 0], xy[..., 1]) @ (matrix[:3, :3] / scale).T
        view = np.ones((*pixels.shape[:2], 3))
        view[..., :2] = (pixels - (size[1] / 2, size[0] / 2)) / (scale * CAMERA_DISTANCE)
        view /= np.linalg.norm(view, axis=-1, keepdims=True)
        mirrored = reflection(self._look.room, normals, view).astype(np.float32)
        enlarge = np.array(((step, 0, 0), (0, step, 0)), np.float32)
        mirrored = cv2.warpAffine(mirrored, enlarge, (width, height), borderMode=cv2.BORDER_REPLICATE)
        inside = slice(y0, y0 + height), slice(x0, x0 + width)
        seen[inside] += mirrored * (gloss[inside][..., None] * np.float32(1 / 255))

    def _on_front(self, matrix: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        """(..., 2) x, y in centimetres of the points of the front that (..., 2) pixels show."""
        half = np.array((self._headset.width, self._headset.height)) / 2
        middle = np.array((0, self._headset.middle))
        inverse = np.linalg.pinv(matrix[:2, :2], rcond=0.05)
        xy = np.broadcast_to(middle, pixels.shape)
        for _ in range(3):  # the front is nearly flat, so its depth at the last guess will do
            z = self._headset.front(xy[..., 0], xy[..., 1])
            xy = (pixels - matrix[:2, 3] - z[..., None] * matrix[:2, 2]) @ inverse.T
            xy = np.clip(xy, middle - half, middle + half)
        return xy

    def _grain_of(self, face: TrackedFace, canvas: Canvas) -> np.ndarray:
        # Another part of the tile in every frame, and yet the same frame is always drawn alike.
        first = self._grain_start + np.abs(face.pose[:2, 3] * 997).astype(int)
        rows = (np.arange(canvas.height) + first[1]) % GRAIN
        columns = (np.arange(canvas.width) + first[0]) % GRAIN
        return np.float32(self._look.noise) * _grain_tile()[rows][:, columns]


@lru_cache(maxsize=1)
def _grain_tile() -> np.ndarray:
    """(GRAIN, GRAIN, 3) float32 noise of standard deviation 1, a little soft as that of a camera is."""
    grain = np.random.default_rng(0).normal(size=(GRAIN, GRAIN, 3)).astype(np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), 0.6, borderType=cv2.BORDER_REFLECT)
    return grain / grain.std()


def _posed(limb: Limb, matrix: np.ndarray) -> tuple[Limb, np.ndarray]:
    return limb, transform(matrix, np.stack([limb.start, limb.end]))[:, :2]


def _mark_outline(headset: Headset, mark: Mark) -> np.ndarray:
    """(N, 3) outline of a mark on the front, in centimetres, pulled in where it would hang over the edge."""
    turn = np.linspace(0, 2 * np.pi, MARK_POINTS, endpoint=False)
    pill = np.stack([np.cos(turn), np.sin(turn)], axis=1) * mark.thickness / 2
    pill[:, 0] += np.sign(np.cos(turn)) * max(mark.length - mark.thickness, 0) / 2
    a = np.radians(mark.angle)
    pill = pill @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
    flat = np.abs(front_point(headset, np.ones(1), np.ones(1))[0, :2] - (0, headset.middle))
    x, y = (pill / flat + (mark.x, mark.y)).T
    beyond = (np.abs(x) ** headset.roundness + np.abs(y) ** headset.roundness) ** (1 / headset.roundness)
    pull = 1 / np.maximum(beyond / 0.96, 1)
    return front_point(headset, x * pull, y * pull)
