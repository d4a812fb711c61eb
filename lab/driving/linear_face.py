"""Learning the linear face from filmed people: ridge regression of their landmarks on what eyes and brows do."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ...driving.upper_face import PARTS, LinearFace, apertures, gazes, mirrored
from ...errors import InputError
from ...files import written_whole
from ...tracking.geometry import (
    MESH_POINT_COUNT,
    canonical_points,
    fit_similarity,
    pose_angles,
    rigidity,
    transform,
)
from ...video import VideoReader
from ..data.face_store import list_footage
from .blendshapes import BlendshapeLandmarker

CLIPS = 4  # of a person, at most
LOOKED_AT = 400  # frames of a clip, at most
EYES, BROWS = -3.8, 1.5  # y of the canonical face, centimetres: nothing between moves with brows and lips
LOOSE = 0.05  # weight of what is not between, in the head's pose: else raised brows would tip the head
OPEN = 0.7  # of the usual aperture, from which an eye shows where it looks
USUAL = 60  # percentile of a person's apertures
TURNED = 25.0  # degrees of the head from which landmarks of the far side are guesses
RIDGE = 0.01  # of each value's variance
LOWEST = 2.0  # centimetres above the middle of the head, over which the upper face's motion fades in
# What else moves a face, by MediaPipe's names; of sides that are mirrored both are here.
MIDDLE = ("jawOpen", "mouthPucker", "mouthFunnel")
SIDES = ("mouthSmile", "mouthStretch", "noseSneer", "cheekSquint")
ANGLE = 20.0  # degrees of the head that count as one of the weights


@dataclass(frozen=True)
class Seen:
    """N frames. points: (N, 478, 3) pixels; weights: (N,) each by MediaPipe's name; person: (N,) whose face it is."""

    points: np.ndarray
    weights: dict[str, np.ndarray]
    person: np.ndarray


def train(data: Path, out: Path, frames: int) -> LinearFace:
    """Learn from the clips of split `train` and write the file. frames: of each person, about."""
    face = learnt(look(data, "train", frames))
    from safetensors.torch import save_file

    with written_whole(out) as unfinished:
        save_file({"right": torch.from_numpy(face.right).half().contiguous()}, unfinished)
    return face


def look(data: Path, split: str, frames: int) -> Seen:
    """Landmarks and weights of the people who are filmed in a split, so many frames of each, about. Raises InputError
    when there are none; clips that cannot be read are left out."""
    people: dict[str, list[Path]] = {}
    for footage in list_footage(data, split):
        if footage.is_video:
            people.setdefault(footage.person, []).append(footage.path)
    points, weights, person = [], [], []
    for name, clips in tqdm(people.items(), desc="look", unit="person"):
        clips = clips[:: max(len(clips) // CLIPS, 1)][:CLIPS]
        for clip in clips:
            try:
                with VideoReader(clip) as reader:
                    pictures = [frame.pixels for frame in reader.frames(length=LOOKED_AT)]
            except InputError:
                continue
            with closing(BlendshapeLandmarker()) as landmarker:
                for found in landmarker.faces_of_clip(pictures[:: max(len(pictures) * len(clips) // frames, 1)]):
                    if found is not None:
                        points.append(found[0].points)
                        weights.append(found[1])
                        person.append(name)
    if not points:
        raise InputError(f"No face is seen in the clips of split {split!r} in {data}.")
    by_name = {name: np.array([row[name] for row in weights]) for name in weights[0]}
    return Seen(np.stack(points), by_name, np.array(person))


def learnt(seen: Seen) -> LinearFace:
    """The linear face of what was seen.

    Each person's own usual look is taken off. Lids and gaze are measured on the landmarks, brows are MediaPipe's
    weights; the head's turn, lips, cheeks and nose take part in the regression and are left out of the result. Every
    frame counts in the mirror, too, so that both sides do the same.
    """
    canonical = canonical_points()
    between = (canonical[:, 1] > EYES) & (canonical[:, 1] < BROWS)
    steady = rigidity() * np.where(between, 1.0, LOOSE)
    points = seen.points.astype(np.float64)
    poses = np.stack([fit_similarity(canonical, face[:MESH_POINT_COUNT], steady) for face in points])
    faces = np.stack([transform(np.linalg.inv(pose), face) for pose, face in zip(poses, points, strict=True)])
    angles = pose_angles(poses)
    aperture = apertures(faces)
    usual = _by_person(aperture, seen.person, lambda values: np.percentile(values, USUAL, axis=0))
    openness = aperture / usual

    def own(values: np.ndarray) -> np.ndarray:
        return values - _by_person(values, seen.person, lambda some: np.median(some, axis=0))

    gaze = own(gazes(faces)) * (openness > OPEN)[..., None]
    eyes = []
    for eye, side in enumerate(("Right", "Left")):
        brows = [seen.weights[name] for name in ("browInnerUp", f"browOuterUp{side}", f"browDown{side}")]
        closing_ = np.clip(1 - openness[:, eye], -0.5, 1)[:, None]
        eyes.append(np.concatenate([closing_, gaze[:, eye], own(np.stack(brows, 1))], 1))
    right, left = eyes[0], eyes[1] * (1, -1, 1, 1, 1, 1)  # yaw is the other way round in the mirror
    middle = own(np.stack([seen.weights[name] for name in MIDDLE], 1))
    sides = [own(np.stack([seen.weights[name + side] for name in SIDES], 1)) for side in ("Right", "Left")]
    turn = own(angles) / ANGLE
    rest = np.concatenate([middle, *sides, turn, turn[:, :2] ** 2], 1)
    rest_mirrored = np.concatenate([middle, *sides[::-1], turn * (-1, 1, -1), turn[:, :2] ** 2], 1)
    frontal = (np.abs(angles[:, :2]) < TURNED).all(1)
    moved = own(faces[:, :MESH_POINT_COUNT])
    known = np.concatenate(
        [np.concatenate([right, left, rest], 1)[frontal], np.concatenate([left, right, rest_mirrored], 1)[frontal]]
    )
    wanted = np.concatenate([moved[frontal], mirrored(moved[frontal])]).reshape(len(known), -1)
    products = known.T @ known
    ridge = RIDGE * np.diag(np.diag(products)) + 1e-6 * np.eye(len(products))  # some weights are always 0
    found = np.linalg.solve(products + ridge, known.T @ wanted)[:PARTS]
    upper = np.clip(-canonical[:, 1] / LOWEST, 0, 1)
    return LinearFace(found.reshape(PARTS, MESH_POINT_COUNT, 3) * upper[:, None])


def _by_person(values: np.ndarray, person: np.ndarray, of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """(N, ...): what `of` makes of all values of each one's person."""
    out = np.empty(values.shape)
    for name in np.unique(person):
        out[person == name] = of(values[person == name])
    return out
