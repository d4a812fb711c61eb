"""One picture of a person, moved: the face as a mesh, rings around it that carry hair and neck along, less and less
towards the shoulders, before a background that stands still."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from ..driving.eye_tracking import EyeTracking
from ..headset.guided_filter import guided_filter
from ..restore.align import ReferenceBank
from ..restore.grid import cells
from ..restore.paste import draw_eye
from ..tracking.geometry import FACE_OVAL, MESH_POINT_COUNT, pose_scale, transform
from ..tracking.mesh import extend_points, places_in, triangle_map
from ..tracking.reference import Reference, make_reference
from .animate_motion import Motion, rigid_pose, shipped_shapes

# Heights in face coordinates, centimetres, from which on what is moved goes less and less with the head, and at which
# it stands still: of all that is near to the face, from the chin to the shoulders; of the outermost ring, above those.
NECK, WIDE = (7.0, 17.0), (3.0, 9.0)

# Radians to the side, up and down that the picture turns at most: beyond, the far half of a face would be made of a few
# pixels, and wearers' landmarks err most there.
MOST_TURN = 0.4

LIP_LINES = np.array(
    (
        (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
        (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
    )
)  # the inner edges of the upper and the lower lip, from the wearer's right corner to the left one
OPENED = (0.1, 0.35)  # centimetres by which lips part further than in the picture: what is behind them begins to show
DARK = 0.4  # brightness of a mouth of which no picture shows the inside, by that of the lips stretched over it
LIP_EDGE = 0.05  # centimetres over which lips give way to the mouth


@dataclass(frozen=True)
class _Mouth:
    """A picture in which the mouth is open further. mesh: (M, 2) its extended mesh; gap: centimetres between its
    lips."""

    image: np.ndarray
    mesh: np.ndarray
    gap: float


class DrivenPicture:
    """Draws one picture of a person as a face moves.

    reference: its first picture is driven; of others, if there are any, the one whose mouth is widest open lends what
    is behind the lips.
    """

    def __init__(self, reference: Reference) -> None:
        self._image, points = reference.images[0], reference.points[0].astype(np.float64)
        self._pose = rigid_pose(points, np.ones(MESH_POINT_COUNT))
        self._scale = pose_scale(self._pose)
        self._source = extend_points(points, self._pose)
        self._face = transform(np.linalg.inv(self._pose), self._source)
        self._goes = _goes_along(self._face)
        self._bank = ReferenceBank(make_reference([self._image], points[None]), torch.device("cpu"))
        self._person, self._behind = self._layers()
        self._gap = lip_gap(self._face)
        self._mouth = _widest_open(reference, self._gap)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the picture."""
        return self._image.shape[:2]

    def draw(self, motion: Motion) -> np.ndarray:
        """(H, W, 3) uint8: the picture with the face as the motion says."""
        face, target = self._moved(motion)
        rows, columns = self._place(target)
        target = target - (columns.start, rows.start, 0)
        index = triangle_map(target, np.ones((rows.stop - rows.start, columns.stop - columns.start), bool))
        places = places_in(self._source[:, :2], target, index)
        share = _looked_up(self._person, places).clip(0, 1) * (index > 0)
        drawn = _looked_up(self._with_eyes(motion), places)
        opened = lip_gap(face) - self._gap
        if opened > OPENED[0]:
            drawn = self._with_mouth(drawn, target, index, opened)
        out = self._behind.copy()
        part = out[rows, columns]
        out[rows, columns] = np.round(part + share[..., None] * (drawn.astype(np.float32) - part))
        return out

    def _moved(self, motion: Motion) -> tuple[np.ndarray, np.ndarray]:
        """(M, 3) of the mesh with its rings, in face coordinates and in pixels."""
        face = self._face.copy()
        face[:MESH_POINT_COUNT] += shipped_shapes().motion(motion.shape)
        face = _without_crossed_lips(face, self._face)
        pose = self._pose.copy()
        turn = motion.turn.copy()
        turn[:2] *= min(MOST_TURN / max(float(np.hypot(*turn[:2])), 1e-9), 1.0)
        pose[:3, :3] = np.exp(motion.growth) * pose[:3, :3] @ cv2.Rodrigues(turn)[0]
        pose[:2, 3] += motion.place * self._scale
        return face, self._source + self._goes[:, None] * (transform(pose, face) - self._source)

    def _place(self, target: np.ndarray) -> tuple[slice, slice]:
        """Rows and columns of the picture that the person may be in, before and after."""
        both = np.concatenate([self._source, target])[:, :2]
        (x0, y0), (x1, y1) = np.floor(both.min(0)).astype(int), np.ceil(both.max(0)).astype(int) + 1
        height, width = self.size
        return slice(max(y0, 0), min(y1, height)), slice(max(x0, 0), min(x1, width))

    def _layers(self) -> tuple[np.ndarray, np.ndarray]:
        """(H, W) float32 in [0, 1], the share of the person; and (H, W, 3) uint8, what is behind all that moves."""
        rim = max(round(RIM * self._scale), 1)
        person = cv2.dilate(outline(self._image, self._face, self._pose), _disc(rim))
        share = cv2.blur(cv2.dilate(person, _disc(rim)).astype(np.float32), (2 * rim + 1, 2 * rim + 1))
        share[person > 0] = 1.0  # all that is taken away is drawn again
        mesh = (triangle_map(self._source, np.ones(self.size, bool)) > 0).view(np.uint8)
        inside = np.minimum(cv2.distanceTransform(person & mesh, cv2.DIST_L2, 3), rim + 1)
        gone = np.clip((inside - 1) * 3 / rim, 0, 1)  # all of it is within the rim
        return share, filled_behind(self._image, gone, person)

    def _with_eyes(self, motion: Motion) -> np.ndarray:
        """The picture with lids and irises as the motion says."""
        own = self._bank.in_pictures[0]
        wanted = EyeTracking.unknown(np.zeros(1))
        wanted.openness[0], wanted.gaze[0] = motion.openness * own.openness, own.gaze + motion.gaze
        eyes = self._bank.eyes(0, wanted, 0)
        if not any(eye.moved.changed for eye in eyes):
            return self._image
        crop, pixels = self._bank.crops[0], self._bank.sharp(0, np.inf)
        left, top = round(crop.x - crop.side / 2), round(crop.y - crop.side / 2)
        rows, columns = self._around_eyes()
        inner = np.s_[:, :, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        where = cells(pixels.shape[-1], pixels.device)[:, inner[2], inner[3]]
        colours = pixels[inner].clone()
        for eye in eyes:
            draw_eye(eye, pixels, where, colours, torch.ones_like(colours[:, :1]))
        out = self._image.copy()
        out[rows, columns] = (colours[0].permute(1, 2, 0) * 255).round().byte().numpy()
        return out

    def _around_eyes(self) -> tuple[slice, slice]:
        """Rows and columns of the picture with both eyes and brows."""
        x, y = self._source[list(EYE_CORNERS), :2].T
        reach = round(EYE_REACH * self._scale)
        height, width = self.size
        return (
            slice(max(int(y.min()) - reach, 0), min(int(y.max()) + reach, height)),
            slice(max(int(x.min()) - reach, 0), min(int(x.max()) + reach, width)),
        )

    def _with_mouth(self, drawn: np.ndarray, target: np.ndarray, index: np.ndarray, opened: float) -> np.ndarray:
        """What is drawn, with the inside of the mouth between lips that have parted by so many centimetres."""
        polygon = np.concatenate([target[LIP_LINES[0], :2], target[LIP_LINES[1][::-1], :2]])
        inside = np.zeros(index.shape, np.uint8)
        cv2.fillPoly(inside, [np.round(polygon * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
        if not inside.any():  # beyond the picture's edge
            return drawn
        if self._mouth is None:
            behind = np.broadcast_to(DARK * drawn[inside > 0].mean(0), drawn.shape)
        else:
            behind = _looked_up(self._mouth.image, places_in(self._mouth.mesh, target, index))
        soft = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), max(LIP_EDGE * self._scale, 0.5))
        share = inside * soft * np.clip((opened - OPENED[0]) / (OPENED[1] - OPENED[0]), 0, 1)
        return drawn + share[..., None] * (behind - drawn.astype(np.float32))


EYE_CORNERS = (33, 133, 362, 263)
EYE_REACH = 4.0  # centimetres around the eyes' corners that hold all that lids and brows move

OUTLINED = 256  # pixels of the longer side at which the person's outline is searched
ROUNDS = 5  # of GrabCut, after which it hardly changes
RIM = 0.7  # centimetres around the person that go with them, and over which they fade out: hair is not cut off


def outline(image: np.ndarray, face: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """(H, W) uint8, 1 where the person is, by their colours and the background's (GrabCut, Rother et al. 2004).

    face: (M, 3) the extended mesh in face coordinates; pose: (4, 4). The face and what is right around it are the
    person's for certain; a body is expected below, and hair around the head.
    """
    by = min(OUTLINED / max(image.shape[:2]), 1.0)
    small = cv2.resize(image, None, fx=by, fy=by, interpolation=cv2.INTER_AREA)
    mask = np.full(small.shape[:2], cv2.GC_BGD, np.uint8)
    for shape, kind in (
        (_oval(1.9, (0.0, -2.0)), cv2.GC_PR_BGD),
        (_body(24.0), cv2.GC_PR_BGD),
        (_oval(1.4, (0.0, -1.5)), cv2.GC_PR_FGD),
        (_body(16.0), cv2.GC_PR_FGD),
        (_oval(1.05, (0.0, 0.0)), cv2.GC_FGD),
        (_oval(1.12, (0.0, -3.5)), cv2.GC_FGD),
        (NECK_CORE, cv2.GC_FGD),
    ):
        depth = np.column_stack([shape, np.full(len(shape), 3.0)])
        cv2.fillPoly(mask, [np.round(transform(pose, depth)[:, :2] * by).astype(np.int32)], int(kind))
    if not np.isin(mask, (cv2.GC_BGD, cv2.GC_PR_BGD)).any():  # a close-up without a background
        return np.ones(image.shape[:2], np.uint8)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)  # GrabCut's colours begin by chance
    cv2.grabCut(small, mask, None, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    person = ((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)).astype(np.uint8)
    person = _largest(cv2.morphologyEx(person, cv2.MORPH_CLOSE, _disc(3)))
    guide = image.astype(np.float32) / 255
    whole = cv2.resize(person.astype(np.float32), image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return (guided_filter(guide, whole, max(round(2 / by), 2), 1e-3) > 0.5).view(np.uint8)


# Half of a neck below the chin, whose colours are the person's: face coordinates, centimetres.
NECK_CORE = np.array([(-3.0, 5.0), (3.0, 5.0), (3.5, 12.0), (-3.5, 12.0)])


def _oval(by: float, centre: tuple[float, float]) -> np.ndarray:
    """(N, 2) an ellipse about as large as the face, enlarged, around a point of face coordinates."""
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return np.stack([centre[0] + 7.5 * by * np.cos(angle), centre[1] + 9.0 * by * np.sin(angle)], 1)


def _body(half: float) -> np.ndarray:
    """(N, 2) neck and shoulders down to far below, which are so wide on either side."""
    return np.array([(-6.0, 7.0), (6.0, 7.0), (half, 17.0), (half + 4, 80.0), (-half - 4, 80.0), (-half, 17.0)])


def _largest(mask: np.ndarray) -> np.ndarray:
    """The largest piece of a mask, without holes."""
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(mask)
    cv2.drawContours(filled, [max(outlines, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return filled


BEHIND = 256  # pixels of the longer side of the background that is made up
REACH = 3.0  # pixels around a place from which Telea's method takes colours


def filled_behind(image: np.ndarray, gone: np.ndarray, person: np.ndarray) -> np.ndarray:
    """The picture with its background continued (Telea 2004) where something is gone, by a share (H, W) in [0, 1].
    person: (H, W) uint8, 1 on what is no background."""
    by = min(BEHIND / max(image.shape[:2]), 1.0)
    size = max(round(image.shape[1] * by), 1), max(round(image.shape[0] * by), 1)
    hole = (cv2.resize(person.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0).view(np.uint8)
    small = cv2.inpaint(cv2.resize(image, size, interpolation=cv2.INTER_AREA), hole, REACH, cv2.INPAINT_TELEA)
    whole = cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.round(image + gone[..., None] * (whole.astype(np.float32) - image)).astype(np.uint8)


def lip_gap(face: np.ndarray) -> float:
    """Centimetres between the lips in the middle. face: (468 or more, 3) in face coordinates."""
    upper, lower = face[LIP_LINES[:, 4:7], 1].mean(1)
    return float(lower - upper)


def _goes_along(face: np.ndarray) -> np.ndarray:
    """(M,) how far each point of an extended mesh, (M, 3) in face coordinates, goes with the head, in [0, 1]."""

    def share(height: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
        part = np.clip((limits[1] - height) / (limits[1] - limits[0]), 0, 1)
        return part * part * (3 - 2 * part)

    goes = np.ones(len(face))
    outermost = len(face) - len(FACE_OVAL)
    goes[MESH_POINT_COUNT:outermost] = share(face[MESH_POINT_COUNT:outermost, 1], NECK)
    goes[outermost:] = share(face[outermost:, 1], WIDE)
    return goes


def _without_crossed_lips(face: np.ndarray, own: np.ndarray) -> np.ndarray:
    """The face with lips that touch where they would go through each other, further than in the picture's own face."""
    upper, lower = LIP_LINES
    crossed = np.minimum(own[lower, 1] - own[upper, 1], 0) - (face[lower, 1] - face[upper, 1])
    by = np.maximum(crossed, 0) / 2
    face = face.copy()
    face[upper[1:-1], 1] -= by[1:-1]
    face[lower[1:-1], 1] += by[1:-1]
    return face


def _widest_open(reference: Reference, gap: float) -> _Mouth | None:
    """The other picture whose mouth is widest open; None where none is open further than that."""
    mouths = []
    for image, points in zip(reference.images[1:], reference.points[1:].astype(np.float64), strict=True):
        pose = rigid_pose(points, np.ones(MESH_POINT_COUNT))
        own = lip_gap(transform(np.linalg.inv(pose), points))
        if own > gap + OPENED[1]:
            mouths.append(_Mouth(image, extend_points(points, pose)[:, :2], own))
    return max(mouths, key=lambda mouth: mouth.gap, default=None)


def _looked_up(picture: np.ndarray, places: np.ndarray) -> np.ndarray:
    # Linear interpolation blurs what moves by less than a pixel: 14 % of LPIPS on two clips, 1 % on a third one.
    return cv2.remap(picture, places, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
