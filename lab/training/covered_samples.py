"""Synthetic training samples of the covered-face landmarker: a stored face, turned, with a drawn headset."""

from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
import torch
from einops import rearrange
from torch.utils.data import Dataset

from ...headset.draw import HEADSETS, HeadsetArtist, Look, randomised
from ...headset.hand import SKIN_POINTS, UNKNOWN_SKIN
from ...learning.photometry import degrade
from ...models.covered_landmarks import CROP_CENTIMETRES, CROP_CENTRE, INPUT_SIDE, MASK_SIDE, POINTS, SHAPES
from ...tracking.geometry import head_pose, mirrored_points, pose_scale, transform
from ...tracking.track import FrameStatus, TrackedFace, visibility_under
from ..data.face_store import FaceStore
from ..data.repose import angles_of, repose, rotation
from .clutter import arm_before, back_of_head, coloured_lamps, hair_over, headwear

UNCOVERED = 0.12  # share of scenes without a headset
PUSHED_UP = 0.06  # share of scenes with the headset on the forehead
HEADWEAR = 0.12  # share of scenes with a hood, a hat or a scarf
HAIR, ARM = 0.15, 0.15  # shares of scenes with hair over the device, and with a hand held up near it
LAMPS, FAR = 0.15, 0.08  # shares of samples under coloured lamps, and with a head that is small in a large picture
ABSENT = 0.15  # share of samples without a head
MOST_YAW, MOST_PITCH = 78.0, 42.0  # degrees, a little beyond what is asked for
SCENE_SIDE, SCENE_CENTIMETRES = 192, 50.0
VIEWS = 3  # samples of a scene: turning a head and drawing a device cost more than a crop
FRAMED = 0.35  # share of samples whose picture ends near the head
# Where it may end, centimetres from the middle of the face: above, to the sides, below. Often half the hair is cut off.
FRAME_ABOVE, FRAME_BESIDE, FRAME_BELOW = (6.0, 14.0), (7.0, 14.0), (9.0, 16.0)
EXPRESSIONS = 12  # principal ways in which one person's face changes
MOST_TURN = 65.0  # degrees by which a photograph is turned; beyond that its skin is all stretched


@dataclass(frozen=True)
class Sample:
    """image: (128, 128, 3) uint8. points: (478, 3) and pose: (4, 4) in crop sides. visible: (478,) bool.
    mask: (64, 64) float32, share of each cell that the device covers. present: whether a head is there."""

    image: np.ndarray
    points: np.ndarray
    pose: np.ndarray
    visible: np.ndarray
    mask: np.ndarray
    present: bool


@dataclass(frozen=True)
class FaceShapes:
    """mean: (478, 3) and shapes: (80, 478, 3), centimetres in face coordinates; a shape is one standard deviation."""

    mean: np.ndarray
    shapes: np.ndarray


def face_shapes(store: FaceStore) -> FaceShapes:
    """Mean and principal shapes of the stored faces and their mirror images, each brought to face coordinates."""
    both = _aligned(store)
    # Everyone counts the same, however long their footage is.
    people = np.concatenate([store.person, store.person])
    weights = np.sqrt(1 / np.bincount(people)[people])
    weights /= np.sqrt((weights**2).sum())
    mean = ((weights**2)[:, None, None] * both).sum(0)
    return FaceShapes(mean.astype(np.float32), _principal(both - mean, weights, SHAPES))


def expressions(store: FaceStore) -> np.ndarray:
    """(12, 478, 3) centimetres: the principal ways in which the face of one and the same person differs from frame to
    frame, one standard deviation each; the mouth's before all. Zero where nobody is shown more than once."""
    both = _aligned(store)
    people = np.concatenate([store.person, store.person + store.person.max() + 1])
    often = (np.bincount(people) > 1)[people]
    if not often.any():
        return np.zeros((EXPRESSIONS, POINTS, 3), np.float32)
    people, both = people[often], both[often]
    means = {p: both[people == p].mean(0) for p in np.unique(people)}
    weights = np.sqrt(1 / np.bincount(people)[people])
    weights /= np.sqrt((weights**2).sum())
    return _principal(both - np.stack([means[p] for p in people]), weights, EXPRESSIONS)


def _aligned(store: FaceStore) -> np.ndarray:
    """(2 N, 478, 3) centimetres: the stored faces in face coordinates, then their mirror images."""
    aligned = np.stack([transform(np.linalg.inv(head_pose(p)), p.astype(np.float64)) for p in store.points])
    return np.concatenate([aligned, aligned[:, mirrored_points()] * (-1, 1, 1)])


def _principal(offsets: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    """(count, 478, 3) principal axes of offsets (N, 478, 3), one standard deviation long; too few faces leave the last
    ones zero. weights: (N,), whose squares sum to 1."""
    flat = offsets.reshape(len(offsets), -1) * weights[:, None]
    _, deviation, axes = np.linalg.svd(flat, full_matrices=False)
    found = min(count, len(deviation))
    shapes = np.zeros((count, POINTS, 3), np.float32)
    shapes[:found] = (deviation[:found, None] * axes[:found]).reshape(-1, POINTS, 3)
    return shapes


@dataclass(frozen=True)
class Placement:
    """How far a crop is off: scale and shift (in crop sides) against the ideal crop, roll in degrees."""

    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    roll: float = 0.0

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Placement":
        """Half as when tracking, half as when searching."""
        if rng.random() < 0.5:
            return cls(float(np.exp(rng.normal(0, 0.07))), tuple(rng.normal(0, 0.035, 2)), float(rng.normal(0, 5)))
        return cls(
            float(np.exp(rng.uniform(-0.35, 0.35))), tuple(rng.uniform(-0.25, 0.25, 2)), float(rng.normal(0, 14))
        )


@dataclass(frozen=True)
class Scene:
    """A head with what covers it, from which crops are taken. picture: (192, 192, 3) uint8, 50 cm of the world.

    points: (478, 3), pose: (4, 4) cm to pixels; device, hidden: (192, 192) uint8, the device, and that with a hand.
    inside: the polygon, (4, 2), that the photograph fills.
    """

    picture: np.ndarray
    points: np.ndarray
    pose: np.ndarray
    device: np.ndarray
    hidden: np.ndarray
    inside: np.ndarray


class SampleMaker:
    """Draws scenes from a store, and samples from scenes, with nothing but the given generator's chance."""

    def __init__(self, store: FaceStore):
        self._store = store
        self._shapes = face_shapes(store).shapes
        self._expressions = expressions(store)
        self._by_person = [np.flatnonzero(store.person == p) for p in np.unique(store.person)]

    def draw_scene(self, rng: np.random.Generator) -> Scene:
        """Somebody, turned somehow, with some headset, or none."""
        index = self._choose(rng)
        yaw, pitch, roll = angles_of(self._store, index)
        if rng.random() < 0.5:
            target = yaw + rng.normal(0, 12), pitch + rng.normal(0, 8)
        else:
            target = rng.uniform(-MOST_YAW, MOST_YAW), rng.uniform(-MOST_PITCH, MOST_PITCH)
        target_yaw = np.clip(np.clip(target[0], yaw - MOST_TURN, yaw + MOST_TURN), -MOST_YAW, MOST_YAW)
        target_pitch = np.clip(np.clip(target[1], pitch - MOST_TURN, pitch + MOST_TURN), -MOST_PITCH, MOST_PITCH)
        artist = None
        if rng.random() >= UNCOVERED:
            device = randomised(HEADSETS[str(rng.choice(list(HEADSETS)))], rng)
            if rng.random() < PUSHED_UP:
                up = rng.uniform(6.5, 10.0)
                device = replace(device, shift=(device.shift[0], -up), tilt=(-rng.uniform(0, 35), device.tilt[1]))
            artist = HeadsetArtist(device, seed=int(rng.integers(1 << 31)), look=Look.random(rng))
        shape = self.deformation(rng) + self.expression(rng)
        worn = rng if rng.random() < HEADWEAR else None
        scene = self.scene(index, (target_yaw, target_pitch, roll + rng.normal(0, 8)), artist, shape, worn)
        return cluttered(scene, rng)

    def deformation(self, rng: np.random.Generator) -> np.ndarray:
        """(478, 3) centimetres: somewhat another face."""
        return 0.4 * np.einsum("k,kpd->pd", rng.normal(0, 1, SHAPES), self._shapes)

    def expression(self, rng: np.random.Generator) -> np.ndarray:
        """(478, 3) centimetres: speech and smiles, which portraits lack, now and then more than people mostly show."""
        return rng.uniform(0, 1.5) * np.einsum("k,kpd->pd", rng.normal(0, 1, EXPRESSIONS), self._expressions)

    def scene(
        self,
        index: int,
        angles: tuple[float, float, float],
        artist: HeadsetArtist | None,
        deformation: np.ndarray | None = None,
        worn: np.random.Generator | None = None,
    ) -> Scene:
        """A stored face turned to (yaw, pitch, roll) degrees, its shape changed by (478, 3) centimetres. worn: by whose
        chance it wears something beside the headset, None for nothing."""
        points = self._store.points[index]
        crop = _ideal_crop(head_pose(points), SCENE_SIDE, SCENE_CENTIMETRES)
        posed = repose(self._store.images[index], points, rotation(*angles), deformation, crop, SCENE_SIDE)
        picture, device = posed.image, np.zeros((SCENE_SIDE, SCENE_SIDE), np.uint8)
        hidden = device
        if worn is not None:
            picture, hidden = headwear(picture, posed.points, posed.pose, worn)
        if artist is not None:
            face = TrackedFace(posed.points, FrameStatus.FOUND, np.ones(POINTS, np.float32), posed.pose)
            drawn = artist.render(picture, face)
            picture, device, hidden = drawn.picture, drawn.mask, np.maximum(hidden, drawn.hidden)
        x0, y0, x1, y1 = self._store.inside[index]
        corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
        return Scene(picture, posed.points, posed.pose, device, hidden, corners @ crop[:, :2].T + crop[:, 2])

    def draw(self, scene: Scene, rng: np.random.Generator) -> Sample:
        """A crop of the scene, as a camera might have seen it; now and then one without a head."""
        if rng.random() < 0.5:
            scene = mirror(scene)
        if rng.random() < FRAMED:
            scene = framed(scene, rng)
        placement = Placement.random(rng)
        if rng.random() >= ABSENT:
            sample = view(scene, placement, beyond=_outside(rng) if rng.random() < 0.3 else None)
            return replace(sample, image=taken(sample.image, rng))
        sample = view(scene, placement)
        image = self._elsewhere(scene, rng)
        mask = np.zeros_like(sample.mask)
        if rng.random() < 0.35:  # a headset that nobody wears
            device = cv2.resize(sample.mask, (INPUT_SIDE, INPUT_SIDE), interpolation=cv2.INTER_LINEAR)[..., None]
            image = np.round(device * sample.image + (1 - device) * image).astype(np.uint8)
            mask = sample.mask
        image, visible = taken(image, rng), np.zeros_like(sample.visible)
        return replace(sample, image=image, mask=mask, visible=visible, present=False)

    def background(self, side: int, rng: np.random.Generator) -> np.ndarray:
        """(side, side, 3) uint8, parts of photographs without a head, one or four of them."""
        others, out = self._store.elsewhere, np.full((side, side, 3), 128, np.uint8)
        half = int(rng.uniform(0.3, 0.7) * side) if rng.random() < 0.5 else side
        for rows in (slice(0, half), slice(half, side)):
            for columns in (slice(0, half), slice(half, side)):
                part = out[rows, columns]
                if part.size and len(others):
                    other = others[int(rng.integers(len(others)))]
                    part[:] = cv2.resize(other, part.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        return out

    def _choose(self, rng: np.random.Generator) -> int:
        """A person first: most have one photograph, a few have hundreds of frames, which get a third of the draws."""
        chances = _chances(tuple(len(p) for p in self._by_person))
        return int(rng.choice(self._by_person[rng.choice(len(chances), p=chances)]))

    def _elsewhere(self, scene: Scene, rng: np.random.Generator) -> np.ndarray:
        """A picture without a head where the crop is: another part of a photograph, perhaps with a hand in it, the back
        of a head, a part of a face much enlarged, or a head far too small."""
        kind, size = rng.random(), (INPUT_SIDE, INPUT_SIDE)
        others = self._store.elsewhere
        if kind < 0.6 and len(others):
            other = others[int(rng.integers(len(others)))]
            spin = cv2.getRotationMatrix2D((64, 64), rng.normal(0, 20), rng.uniform(1, 1.3))
            turned = cv2.warpAffine(other, spin, size, borderMode=cv2.BORDER_REFLECT)
            if rng.random() < ARM:
                somewhere = np.diag([3.8, 3.8, 3.8, 1.0])
                somewhere[:2, 3] = rng.uniform(20, 108, 2)
                turned, _ = arm_before(turned, somewhere, UNKNOWN_SKIN * rng.uniform(0.3, 1.3), rng)
            return turned[:, ::-1] if rng.random() < 0.5 else turned
        if kind < 0.7:
            sample = view(scene, Placement.random(rng))
            return back_of_head(sample.image, sample.points * INPUT_SIDE, rng)
        if kind < 0.85:
            side = int(rng.uniform(0.1, 0.25) * SCENE_SIDE)
            part = scene.points[int(rng.integers(POINTS)), :2] - side / 2
            x, y = np.clip(part, 0, SCENE_SIDE - side).astype(int)
            return cv2.resize(scene.picture[y : y + side, x : x + side], size)
        small = cv2.resize(scene.picture, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
        other = cv2.resize(self._store.images[int(rng.integers(len(self._store)))], size)
        picture = cv2.GaussianBlur(other, (0, 0), rng.uniform(8, 25))
        x, y = rng.integers(0, INPUT_SIDE - len(small), 2)
        picture[y : y + len(small), x : x + len(small)] = small
        return picture


def view(scene: Scene, placement: Placement, *, beyond: np.ndarray | None = None) -> Sample:
    """The scene in a placed crop. beyond: the colour, (3,), of what the photograph does not show, or its edge."""
    crop = _ideal_crop(scene.pose, INPUT_SIDE, CROP_CENTIMETRES, placement)
    size, picture = (INPUT_SIDE, INPUT_SIDE), scene.picture
    picture = cv2.warpAffine(picture, crop, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if beyond is not None:
        within = np.zeros(size, np.uint8)
        cv2.fillConvexPoly(within, np.round(scene.inside @ crop[:, :2].T + crop[:, 2]).astype(np.int32), 1)
        picture = np.where(within[..., None] > 0, picture, beyond.astype(np.uint8))
    device = cv2.warpAffine(scene.device * np.float32(1), crop, size, flags=cv2.INTER_LINEAR)
    grow = float(np.sqrt(np.linalg.det(crop[:, :2])))
    full = np.eye(4)
    full[:2, :2], full[2, 2], full[:2, 3] = crop[:, :2], grow, crop[:, 2]
    points = transform(full, scene.points.astype(np.float64))
    seen = visibility_under(scene.points, scene.hidden) > 0.5
    seen &= ((points[:, :2] >= 0) & (points[:, :2] < INPUT_SIDE)).all(1)
    cells = rearrange(device, "(h a) (w b) -> h w (a b)", h=MASK_SIDE, w=MASK_SIDE).mean(2)
    unit = np.diag([1 / INPUT_SIDE] * 3 + [1.0])
    pose = unit @ full @ scene.pose
    return Sample(picture, (points / INPUT_SIDE).astype(np.float32), pose.astype(np.float32), seen, cells, True)


def _ideal_crop(pose: np.ndarray, side: int, centimetres: float, placement: Placement = Placement()) -> np.ndarray:
    """(2, 3) from the picture of `pose` to a crop of `side` pixels that shows `centimetres` around the head."""
    centre = transform(pose, np.array(CROP_CENTRE))[:2]
    scale = placement.scale * side / (centimetres * pose_scale(pose))
    angle = np.radians(placement.roll)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([turn, side * (0.5 + np.array(placement.shift)) - turn @ centre])


@lru_cache(maxsize=4)
def _chances(frames: tuple[int, ...]) -> np.ndarray:
    single = np.array([1.0 if n == 1 else 0.0 for n in frames])
    filmed = np.array([0.0 if n == 1 else np.sqrt(n) for n in frames])
    if single.any() and filmed.any():
        return 0.66 * single / single.sum() + 0.34 * filmed / filmed.sum()
    return (single + filmed) / (single + filmed).sum()


def mirror(scene: Scene) -> Scene:
    """The scene in a mirror; the face's two sides change their names."""
    last = SCENE_SIDE - 1  # a pixel's coordinate is that of its middle
    points = scene.points[mirrored_points()] * (-1, 1, 1) + (last, 0, 0)
    flip = np.diag([-1.0, 1.0, 1.0, 1.0])
    pose = flip @ scene.pose @ flip  # of the mirrored face's own axes
    pose[0, 3] += last
    device, hidden = scene.device[:, ::-1], scene.hidden[:, ::-1]
    return Scene(scene.picture[:, ::-1], points, pose, device, hidden, scene.inside * (-1, 1) + (last, 0))


def framed(scene: Scene, rng: np.random.Generator) -> Scene:
    """The scene in a picture that ends near the head on some sides: people sit close to their cameras. Beyond its edge
    the edge repeats, as in tracking.sighting, and points there are not in sight."""
    x, y = transform(scene.pose, np.zeros(3))[:2]
    scale = pose_scale(scene.pose)
    far = 2.0 * SCENE_CENTIMETRES
    left, right = (rng.uniform(*FRAME_BESIDE) if rng.random() < 0.4 else far for _ in range(2))
    above = rng.uniform(*FRAME_ABOVE) if rng.random() < 0.8 else far
    below = rng.uniform(*FRAME_BELOW) if rng.random() < 0.3 else far
    ends = np.round([x - left * scale, y - above * scale, x + right * scale, y + below * scale]).astype(int)
    x0, y0, x1, y1 = (int(v) for v in np.clip(ends, (0, 0, 8, 8), (SCENE_SIDE - 8, SCENE_SIDE - 8, *2 * (SCENE_SIDE,))))
    borders = (y0, SCENE_SIDE - y1, x0, SCENE_SIDE - x1)
    picture = cv2.copyMakeBorder(np.ascontiguousarray(scene.picture[y0:y1, x0:x1]), *borders, cv2.BORDER_REPLICATE)
    hidden = np.ones_like(scene.hidden)
    hidden[y0:y1, x0:x1] = scene.hidden[y0:y1, x0:x1]
    inside = np.clip(scene.inside, (x0, y0), (x1, y1))
    return replace(scene, picture=picture, hidden=hidden, inside=inside)


def cluttered(scene: Scene, rng: np.random.Generator) -> Scene:
    """The scene, now and then with hair over the device, or with a hand held up near the head."""
    if rng.random() < HAIR:
        picture, hair = hair_over(scene.picture, scene.pose, rng)
        device = scene.device * (1 - hair)
        scene = replace(scene, picture=picture, device=device, hidden=np.maximum(scene.hidden, hair))
    if rng.random() < ARM:
        x, y = np.clip(scene.points[SKIN_POINTS, :2].mean(0), 0, SCENE_SIDE - 1).astype(int)
        picture, arm = arm_before(scene.picture, scene.pose, scene.picture[y, x] / 255, rng)
        device = scene.device * (1 - arm)
        scene = replace(scene, picture=picture, device=device, hidden=np.maximum(scene.hidden, arm))
    return scene


def taken(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture, (H, W, 3) uint8, in some light, near or far, by some camera."""
    if rng.random() < LAMPS:
        image = np.round(255 * np.clip(coloured_lamps(image.astype(np.float32) / 255, rng), 0, 1)).astype(np.uint8)
    if rng.random() < FAR:
        small = rng.uniform(0.18, 0.4)
        low = cv2.resize(image, None, fx=small, fy=small, interpolation=cv2.INTER_AREA)
        image = cv2.resize(low, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return degrade(image, rng)


def _outside(rng: np.random.Generator) -> np.ndarray:
    """The colour of what a picture does not show: black, or any."""
    return np.zeros(3) if rng.random() < 0.5 else rng.uniform(0, 255, 3)


class CoveredSamples(Dataset):
    """Batch k of a training run; the same for the same seed, whatever was drawn before."""

    def __init__(self, maker: SampleMaker, *, batch: int, steps: int, seed: int):
        self._maker, self._batch, self._steps, self._seed = maker, batch, steps, seed

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> dict[str, torch.Tensor]:
        return draw_batch(self._maker, self._batch, np.random.default_rng((self._seed, step)))


def draw_batch(maker: SampleMaker, count: int, rng: np.random.Generator) -> dict[str, torch.Tensor]:
    """`count` samples, VIEWS of them of each scene."""
    scenes = (maker.draw_scene(rng) for _ in range(-(-count // VIEWS)))
    return collate([maker.draw(scene, rng) for scene in scenes for _ in range(VIEWS)][:count])


def collate(samples: list[Sample]) -> dict[str, torch.Tensor]:
    """Samples to a batch: image (B, 3, 128, 128) uint8, the others as in Sample with a leading B."""
    return {
        "image": torch.from_numpy(np.stack([s.image for s in samples])).permute(0, 3, 1, 2),
        "points": torch.from_numpy(np.stack([s.points for s in samples])).float(),
        "pose": torch.from_numpy(np.stack([s.pose for s in samples])).float(),
        "visible": torch.from_numpy(np.stack([s.visible for s in samples])),
        "mask": torch.from_numpy(np.stack([s.mask for s in samples])),
        "present": torch.tensor([s.present for s in samples]),
    }
