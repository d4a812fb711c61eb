"""How well a covered face is found: photographs and frames with known landmarks, turned, with a drawn headset.

The labels are MediaPipe's on the uncovered picture, as in training; the people are not those of the training.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from ...headset.draw import HeadsetArtist, Look, preset
from ...models import head_finder
from ...models.covered_landmarks import CoveredLandmarkNet
from ...restore.align import complete_points
from ...tracking.geometry import canonical_points, eye_distance, head_pose, pose_scale, transform
from ...tracking.head_search import find_heads, likely_heads
from ...tracking.sighting import Sighting
from ...tracking.uncovered import UncoveredLandmarker
from ..data.face_store import FaceStore
from ..training.covered_samples import SampleMaker, Scene
from .masks import mask_iou

YAW_BINS = ((0, 15), (15, 30), (30, 45), (45, 60))  # degrees to either side
MOST_PITCH = 25.0  # degrees
ZOOM = 2  # the scenes' pixels, so that a detector of uncovered faces has enough of them
LOST = 0.5  # eye distances of mean error from which a face counts as not found
CHI_SQUARED_90 = 4.605  # of two degrees of freedom: the ellipse that holds 90 %
SCORES = ("found", "visible_nme", "hole_nme", "pose", "inside_90", "mask_iou")


@dataclass(frozen=True)
class Truth:
    """One picture of the test. picture: (S, S, 3) uint8; points: (478, 3) and pose (4, 4) in its pixels; hidden:
    (478,) bool; device: (S, S) uint8; reference: (478, 3) the same person's uncovered mesh, of another frame where
    there is one, and before it was turned and changed."""

    picture: np.ndarray
    points: np.ndarray
    pose: np.ndarray
    hidden: np.ndarray
    device: np.ndarray
    reference: np.ndarray


def evaluate_landmarks(
    store: FaceStore,
    net: CoveredLandmarkNet,
    mediapipe: UncoveredLandmarker,
    presets: Sequence[str],
    *,
    limit: int = 0,
    looked_at: Callable[[str, Truth, np.ndarray | None], None] | None = None,
) -> list[dict[str, Any]]:
    """Means of SCORES for every method, preset and bin of yaw; lengths in % of the eye distance, angles in degrees.

    store: people not trained on; each of `limit` faces (0: all) is turned into every bin once. Errors are
    means over the faces that a method found. Methods: "covered", this project's; "mediapipe"; and both with the hidden
    points replaced by the person's own mesh posed by the visible ones ("... + reference"). looked_at: is given every
    picture with its preset and the points found in it.
    """
    maker = SampleMaker(store)
    chosen = spread_over_people(store.person, limit)
    rows = []
    for name in presets:
        for low, high in YAW_BINS:
            scores: dict[str, list[dict[str, float]]] = {}
            for index in tqdm(chosen, desc=f"{name} {low}-{high}", unit="face"):
                rng = np.random.default_rng((int(index), low))
                truth = _truth(maker, store, int(index), name, (low, high), rng)
                found = _found(truth, net, mediapipe)
                if looked_at is not None:
                    looked_at(name, truth, found["covered"][0])
                for method, (points, sighting) in found.items():
                    scores.setdefault(method, []).append(_scores(truth, points, sighting))
            for method, values in scores.items():
                mean = {key: _mean([v[key] for v in values if key in v]) for key in SCORES}
                rows.append({"method": method, "preset": name, "yaw": f"{low}-{high}", "faces": len(values)} | mean)
    return rows


def spread_over_people(person: np.ndarray, limit: int) -> np.ndarray:
    """Indices of `limit` faces (0: all), of as many people as can be. person: (N,) whose face each one is."""
    _, first, inverse, counts = np.unique(person, return_index=True, return_inverse=True, return_counts=True)
    rank = np.zeros(len(person), int)
    for k in range(len(first)):
        rank[inverse == k] = np.arange(counts[k])
    order = np.lexsort((person, rank))  # everybody's first face, then everybody's second
    if 0 < limit < len(first):
        return order[np.linspace(0, len(first) - 1, limit).astype(int)]
    return order[: limit or None]


def over_all_yaws(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of every preset and method with their bins of yaw taken together, each face counting the same."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["preset"], row["method"]), []).append(row)
    together = []
    for (name, method), parts in groups.items():
        faces = sum(row["faces"] for row in parts)
        mean: dict[str, Any] = {"found": sum(row["found"] * row["faces"] for row in parts) / faces}
        for key in SCORES[1:]:
            known = [(row[key], row["found"] * row["faces"]) for row in parts if row[key] is not None]
            count = sum(weight for _, weight in known)
            mean[key] = sum(value * weight for value, weight in known) / count if count else None
        together.append({"method": method, "preset": name, "yaw": "all", "faces": faces} | mean)
    return together


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown; "-" where a method does not tell."""
    lines = ["| preset | yaw | method | " + " | ".join(SCORES) + " |", "|---" * (3 + len(SCORES)) + "|"]
    for row in rows:
        digits = {"found": 3, "inside_90": 3, "mask_iou": 3}
        cells = ["-" if row[key] is None else f"{row[key]:.{digits.get(key, 1)}f}" for key in SCORES]
        lines.append(f"| {row['preset']} | {row['yaw']} | {row['method']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _truth(
    maker: SampleMaker, store: FaceStore, index: int, name: str, yaw_bin: tuple[int, int], rng: np.random.Generator
) -> Truth:
    yaw = rng.uniform(*yaw_bin) * rng.choice([-1, 1])
    angles = (yaw, rng.uniform(-MOST_PITCH, MOST_PITCH), rng.normal(0, 8))
    artist = HeadsetArtist(preset(name), seed=index, look=Look.random(rng))
    scene = maker.scene(index, angles, artist, maker.deformation(rng))
    own = np.flatnonzero(store.person == store.person[index])
    return _enlarged(scene, store.points[own[(np.searchsorted(own, index) + len(own) // 2) % len(own)]])


def _enlarged(scene: Scene, reference: np.ndarray) -> Truth:
    def large(image: np.ndarray, how: int) -> np.ndarray:
        return cv2.resize(image, None, fx=ZOOM, fy=ZOOM, interpolation=how)

    grow = np.diag([ZOOM, ZOOM, ZOOM, 1.0])
    grow[:2, 3] = (ZOOM - 1) / 2  # the middle of a pixel is now that between two
    cells = np.clip(np.round(scene.points[:, :2]).astype(int), 0, len(scene.picture) - 1)
    return Truth(
        large(scene.picture, cv2.INTER_CUBIC),
        transform(grow, scene.points.astype(np.float64)).astype(np.float32),
        grow @ scene.pose,
        scene.hidden[cells[:, 1], cells[:, 0]] > 0,
        large(scene.device, cv2.INTER_NEAREST),
        reference,
    )


def _found(
    truth: Truth, net: CoveredLandmarkNet, mediapipe: UncoveredLandmarker
) -> dict[str, tuple[np.ndarray | None, Sighting | None]]:
    """Points, and the sighting that they come from, by method; None where there is no face."""
    faces = mediapipe.find(truth.picture)
    places = likely_heads(head_finder.shared(), truth.picture)
    heads = find_heads(net, truth.picture, places, faces=[face.points for face in faces], most=1)
    covered = heads[0].points if heads else None
    plain = max(faces, key=lambda face: face.size).points if faces else None
    return {
        "covered": (covered, heads[0] if heads else None),
        "covered + reference": (_posed(covered, truth), None),
        "mediapipe": (plain, None),
        "mediapipe + reference": (_posed(plain, truth), None),
    }


def _posed(points: np.ndarray | None, truth: Truth) -> np.ndarray | None:
    """The hidden points from the person's own mesh, posed by the visible ones."""
    if points is None:
        return None
    return complete_points(points, (~truth.hidden).astype(np.float32), truth.reference)


def _scores(truth: Truth, points: np.ndarray | None, sighting: Sighting | None) -> dict[str, float]:
    unit = eye_distance_of(truth.pose)
    if points is None:
        return {"found": 0.0}
    error = np.linalg.norm(points[:, :2] - truth.points[:, :2], axis=1) / unit
    if error.mean() > LOST:
        return {"found": 0.0}
    scores = {"found": 1.0, "visible_nme": 100 * float(error[~truth.hidden].mean())}
    if truth.hidden.any():
        scores["hole_nme"] = 100 * float(error[truth.hidden].mean())
    scores["pose"] = angle_between(head_pose(points), head_pose(truth.points))
    if sighting is not None:
        off = (truth.points - points)[truth.hidden, :2].astype(np.float64)
        inverse = np.linalg.inv(sighting.covariance[truth.hidden].astype(np.float64))
        distance = np.einsum("ni,nij,nj->n", off, inverse, off)
        if len(distance):
            scores["inside_90"] = float((distance < CHI_SQUARED_90).mean())
        scores["mask_iou"] = mask_iou(sighting.device.mask(truth.device.shape), truth.device)
    return scores


def eye_distance_of(pose: np.ndarray) -> float:
    """Pixels between the outer eye corners of the mean face, seen from the front at this pose's scale.

    In the picture the distance shrinks as the head turns, and every error would grow by that.
    """
    return float(eye_distance(canonical_points())) * pose_scale(pose)


def angle_between(first: np.ndarray, second: np.ndarray) -> float:
    """Degrees of the rotation between two (4, 4) poses."""
    rotations = [pose[:3, :3] / np.cbrt(np.linalg.det(pose[:3, :3])) for pose in (first, second)]
    cosine = (np.trace(rotations[0] @ rotations[1].T) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None
