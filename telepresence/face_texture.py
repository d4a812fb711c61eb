"""The texture of a face from several pictures of it: each triangle mostly from the one that shows it best."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import torch

from ..errors import InputError
from ..restore.align import DEVICE_EDGE
from ..restore.grid import membrane
from ..tracking.geometry import MESH_POINT_COUNT, head_pose, mesh_triangles, mirrored_points, pose_scale, transform
from ..tracking.reference import Reference, make_reference, pick_frames, score_frames
from ..tracking.track import DevicePatch, FaceTrack, FrameStatus
from .animate_picture import lip_gap
from .face_surface import face_surface

SIDE = 1024  # texels a side: about five a millimetre, as fine as a face that fills a picture of 1080 lines
SMALL = 128  # cells a side on which the light of two pictures is compared: it is smooth
LOOKED_AT = 40  # frames of a clip, spread over the uncovered ones, of which pictures are chosen
POSES = 5  # pictures at most of the clip, one for each pose of the head

PREFERRED = 1.4  # how much better than the first picture another one has to show a triangle
MIRRORED = 0.5  # how much a face's other side counts, in a mirror: where nothing shows this one
SHARP = 12  # the power that makes the best one nearly the only one: what is mixed evenly is blurred
LEAST = 1e-30  # of a share, so that what no picture shows has a colour too
HIDDEN = 0.5  # centimetres behind what is seen in its place, from which a triangle is out of sight
DRAWN = 16.0  # pixels a centimetre in which that is looked up
WELL_SEEN = 0.3  # of a triangle, from which the light of two pictures is compared there
GRAZED = (
    0.15,
    0.4,
)  # of a triangle: seen less than the first, it gets its colour from its neighbours, from the second on none


def seen_uncovered(track: FaceTrack) -> np.ndarray:
    """The numbers of the frames in which the face is found with nothing before the eyes. Raises InputError where there
    are none."""
    found = track.status == FrameStatus.FOUND
    seen = np.flatnonzero(found & ~track.deviation.any(1))
    if not len(seen):
        raise InputError(
            "A 3-D face needs the uncovered face, but a headset is before it in every frame; restore the video first."
            if found.any()
            else "A 3-D face needs the uncovered face, but no face was found; use another picture or clip."
        )
    return seen


def looked_at(track: FaceTrack, first: int | None = None) -> list[int]:
    """The numbers of a clip's frames that `pictures_of` should be given, by the face in all of them: some of those that
    show it uncovered, and `first`. Raises InputError as `seen_uncovered`."""
    seen = seen_uncovered(track)
    spread = seen[np.linspace(0, len(seen) - 1, LOOKED_AT).astype(int)].tolist()
    return sorted({*spread, *([] if first is None else [first])})


def pictures_of(
    frames: Sequence[np.ndarray], track: FaceTrack, reference: Reference | None = None, first: int | None = None
) -> Reference:
    """The pictures that make a texture, the one that counts most first: of the frames, one for each pose of the head
    and the one with the mouth widest open; then those of the reference.

    frames: T arrays (H, W, 3) uint8, a clip or some of it; track: the face in them. first: the number of the one that
    counts most; None for the best. Raises InputError where it does not show the uncovered face, or none does.
    """
    seen = seen_uncovered(track)
    if first is not None and first not in seen:
        raise InputError("The frame that was asked for does not show an uncovered face; choose another one.")
    scores = score_frames(frames, track)
    picked = [t for t in pick_frames(scores, POSES) if t in seen]
    gaps = [lip_gap(transform(np.linalg.inv(track.pose[t]), track.points[t].astype(np.float64))) for t in seen]
    widest = int(seen[np.argmax(gaps)])
    chosen = list(dict.fromkeys([*([] if first is None else [first]), *picked, widest]))
    devices = [scores[t].headset(track) for t in chosen]
    shown = make_reference([frames[t] for t in chosen], track.points[chosen], devices)
    return shown.with_more(reference)


def face_texture(pictures: Reference, progress: Callable[[int, int], None] | None = None) -> np.ndarray:
    """(SIDE, SIDE, 3) uint8: the face of the pictures in the layout of `face_surface`.

    A picture counts in a triangle by how much of it is seen there, by the most that there is of it in any of them. So a
    side that is turned away comes from another picture, the inside of the mouth from an open one, eyes from open ones,
    and nothing from where a headset is. The light is that of the first picture.
    """
    layout = texels()
    count = len(pictures)
    pictures = pictures.with_more(_mirrored(pictures))
    scales = [pose_scale(head_pose(points)) for points in pictures.points]
    faces = [p[:MESH_POINT_COUNT].astype(np.float64) / scale for p, scale in zip(pictures.points, scales, strict=True)]
    most = np.max([_areas(face) for face in faces], axis=0)
    seen = np.stack([_seen_areas(*one) for one in zip(faces, pictures.points, pictures.images, strict=True)]) / most
    scores = seen.copy()
    scores[0] *= PREFERRED
    scores[count:] *= MIRRORED
    scores = scores**SHARP + LEAST
    scores /= scores.sum(0)
    texture, total, shown = np.zeros((SIDE, SIDE, 3), np.float32), *np.zeros((2, SIDE, SIDE), np.float32)
    for i, (image, points) in enumerate(zip(pictures.images, pictures.points, strict=True)):
        colours, share, part = layout.colours(image, points), layout.spread(scores[i]), layout.spread(seen[i])
        if (device := pictures.devices.get(i)) is not None:
            bare = ~layout.under(device, points, DEVICE_EDGE * scales[i])
            share, part = share * bare, part * bare
        well_seen = part > WELL_SEEN
        if i == 0:
            first, first_well_seen = colours, well_seen
        else:
            colours = colours + _light(first - colours, first_well_seen & well_seen)
        texture += share[..., None] * colours
        total += share
        shown = np.maximum(shown, part)
        if progress is not None:
            progress(i + 1, len(pictures))
    low, high = GRAZED
    known = layout.inside * np.clip((shown - low) / (high - low), 0, 1)
    texture /= np.maximum(total, LEAST)[..., None]  # 1 where no headset is
    spread = _membrane(texture, known)
    return (spread + known[..., None] * (texture - spread)).clip(0, 255).round().astype(np.uint8)


def _mirrored(pictures: Reference) -> Reference:
    """The pictures as a mirror shows them."""
    points, devices = pictures.points[:, mirrored_points()].copy(), []
    for number, (face, image) in enumerate(zip(points, pictures.images, strict=True)):
        last = image.shape[1] - 1
        face[:, 0] = last - face[:, 0]
        device = pictures.devices.get(number)
        devices.append(device and device.moved([[-1, 0, last], [0, 1, 0]]))
    return make_reference([image[:, ::-1] for image in pictures.images], points, devices)


def _areas(face: np.ndarray) -> np.ndarray:
    """(898,) square centimetres of the triangles in space. face: (468, 3) centimetres."""
    a, b, c = (face[corner] for corner in mesh_triangles().T)
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2


def _seen_areas(face: np.ndarray, points: np.ndarray, image: np.ndarray) -> np.ndarray:
    """(898,) square centimetres of the triangles that the camera sees. face: (468, 3) centimetres, x and y across the
    picture; points: the same in its pixels."""
    corners = mesh_triangles()
    a, b, c = (face[corner, :2] for corner in corners.T)
    (ux, uy), (vx, vy) = (b - a).T, (c - a).T
    area = np.maximum(uy * vx - ux * vy, 0) / 2
    middle = points[corners].mean(1)
    outside = ((middle[:, :2] < 0) | (middle[:, :2] > (image.shape[1] - 1, image.shape[0] - 1))).any(1)
    return np.where(outside | _hidden(face), 0.0, area)


def _hidden(face: np.ndarray) -> np.ndarray:
    """(898,) bool: triangles that lie behind others, as a cheek behind the nose. face: (468, 3) centimetres."""
    pixels = (face - face.min(0)) * DRAWN
    width, height = (int(side) + 2 for side in pixels[:, :2].max(0))
    drawn = np.zeros((height, width), np.int32)
    corners = mesh_triangles()
    depth = face[corners, 2].mean(1)
    for i in np.argsort(-depth).tolist():
        cv2.fillConvexPoly(drawn, np.round(pixels[corners[i], :2]).astype(np.int32), i)
    x, y = np.round(pixels[corners, :2].mean(1)).astype(int).T
    return depth - depth[drawn[y, x]] > HIDDEN


def _light(difference: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE, 3): what is to be added to a picture's colours, by a difference that is known in some places."""
    size = (SMALL, SMALL)
    weight = cv2.resize(known.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    mean = cv2.resize(difference * known[..., None], size, interpolation=cv2.INTER_AREA)
    smooth = _membrane(mean / np.maximum(weight, 1e-6)[..., None], weight)
    return cv2.resize(smooth, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)


def _membrane(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """`restore.grid.membrane` of an (S, S, 3) picture."""
    spread = membrane(torch.from_numpy(values).permute(2, 0, 1)[None], torch.from_numpy(weights)[None, None])
    return spread[0].permute(1, 2, 0).contiguous().numpy()


@dataclass(frozen=True)
class Texels:
    """What lies where in a texture. inside: (S, S) bool, a triangle does. vertices: (S, S, 3), its corners; shares:
    (S, S, 3) float32, how near the texel's middle is to each (barycentric)."""

    inside: np.ndarray
    vertices: np.ndarray
    shares: np.ndarray

    def colours(self, image: np.ndarray, points: np.ndarray) -> np.ndarray:
        """(S, S, 3) float32 in [0, 255]: a face's picture in the texture. points: (478, 3) its pixels."""
        where = self._places(points)
        return cv2.remap(image, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)

    def under(self, device: DevicePatch, points: np.ndarray, reach: float) -> np.ndarray:
        """(S, S) bool: what a device hides of a face's picture, or is within so many pixels of it. points: (478, 3)."""
        return device.hides(self._places(points).reshape(-1, 2), reach).reshape(self.inside.shape)

    def _places(self, points: np.ndarray) -> np.ndarray:
        """(S, S, 2) float32 pixels of a face's picture."""
        at = points[face_surface().points, :2].astype(np.float32)
        return sum(self.shares[..., k, None] * at[self.vertices[..., k]] for k in range(3))

    def spread(self, of_triangles: np.ndarray) -> np.ndarray:
        """(S, S) float32: values of triangles, (F,), smooth across their edges."""
        surface = face_surface()
        total, count = np.zeros(len(surface.points)), np.zeros(len(surface.points))
        for corner in surface.triangles.T:
            np.add.at(total, corner, of_triangles)
            np.add.at(count, corner, 1)
        at = (total / count.clip(1)).astype(np.float32)
        return sum(self.shares[..., k] * at[self.vertices[..., k]] for k in range(3))


@lru_cache(maxsize=1)
def texels() -> Texels:
    """Of `face_surface` and SIDE."""
    surface = face_surface()
    corners = surface.places[surface.triangles] * SIDE - 0.5  # texel 0 is half a texel from the edge
    number = np.zeros((SIDE, SIDE), np.int32)
    for i, one in enumerate(corners):
        cv2.fillConvexPoly(number, np.round(one * 16).astype(np.int32), i + 1, cv2.LINE_8, 4)
    inside, number = number > 0, np.maximum(number - 1, 0)
    a, b, c = corners.transpose(1, 2, 0)
    (ux, uy), (vx, vy) = b - a, c - a
    y, x = np.mgrid[:SIDE, :SIDE]
    dx, dy, area = x - a[0][number], y - a[1][number], (ux * vy - uy * vx)[number]
    to_b, to_c = (dx * vy[number] - dy * vx[number]) / area, (ux[number] * dy - uy[number] * dx) / area
    # As OpenCV draws them, triangles cover a bit more than they are.
    shares = np.clip(np.stack([1 - to_b - to_c, to_b, to_c], -1), 0, 1)
    shares = np.where(inside[..., None], shares / shares.sum(-1, keepdims=True), 0).astype(np.float32)
    return Texels(inside, surface.triangles[number], shares)
