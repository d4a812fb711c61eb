"""By what a sighting of the landmarker is told to be a head: the weights of tracking.head_search, fitted and checked.

Scenes of the landmarker's training are pasted into parts of photographs without a head, which are then searched as in
use. A sighting is right where a head was pasted, and wrong elsewhere.
"""

from collections.abc import Iterator

import numpy as np
from tqdm import tqdm

from ...models.covered_landmarks import CROP_CENTRE, CoveredLandmarkNet
from ...models.head_finder import HeadFinder
from ...tracking.crop import Crop
from ...tracking.geometry import transform
from ...tracking.head_search import PROBES, evidence, likely_heads, refined
from ...tracking.sighting import Sighting, head_crop, look
from ..training.covered_samples import SampleMaker, taken
from ..training.head_finder import fading, pasted

SIDE = 480  # pixels of a picture
HEADS = (0.35, 0.5, 0.15)  # chances of none, one and two heads in it
SIZES = (0.35, 2.2)  # of a scene, times its own pixels
NEAR, BESIDE, ALIKE = 0.15, 0.5, 1.33  # crop sides up to which it is that head, or may be a part of it; factor of sizes
A_HEAD = 0.9  # mean presence from which a sighting where none was pasted is taken for somebody in the background


def sightings(
    maker: SampleMaker, net: CoveredLandmarkNet, finder: HeadFinder, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, int]:
    """What is sighted in `count` pictures: (N, 4) `evidence`, (N,) bool whether it is a head; and how many heads were
    not sighted at all. Doubtful cases are left out."""
    rows, right, missed = [], [], 0
    for _ in tqdm(range(count), unit="picture"):
        picture, heads = _picture(maker, rng)
        found = set()
        for looks in _looked_at(net, finder, picture):
            near = [_nearness(looks[0].crop, head) for head in heads]
            if any(distance < NEAR and ratio < ALIKE for distance, ratio in near):
                found.add(int(np.argmin([distance for distance, _ in near])))
                rows.append(evidence(looks)), right.append(True)
            elif all(distance > BESIDE for distance, _ in near):
                if np.mean([seen.presence for seen in looks]) < A_HEAD:
                    rows.append(evidence(looks)), right.append(False)
        missed += len(heads) - len(found)
    return np.array(rows), np.array(right), missed


def fitted(rows: np.ndarray, right: np.ndarray, rounds: int = 30, decay: float = 1e-3) -> tuple[np.ndarray, float]:
    """Weights and bias of a logistic regression, by Newton's method. rows: (N, D); right: (N,) bool."""
    design = np.column_stack([rows, np.ones(len(rows))])
    weights = np.zeros(design.shape[1])
    for _ in range(rounds):
        share = 1 / (1 + np.exp(-design @ weights))
        slope = design.T @ (share - right) / len(design) + decay * weights
        curvature = (design * (share * (1 - share))[:, None]).T @ design / len(design) + decay * np.eye(len(weights))
        weights -= np.linalg.solve(curvature, slope)
    return weights[:-1], float(weights[-1])


def _picture(maker: SampleMaker, rng: np.random.Generator) -> tuple[np.ndarray, list[Crop]]:
    picture, heads = maker.background(SIDE, rng), []
    for _ in range(rng.choice(len(HEADS), p=HEADS)):
        scene = maker.draw_scene(rng)
        scale = float(np.exp(rng.uniform(*np.log(SIZES))))
        middle = scale * transform(scene.pose, np.array(CROP_CENTRE))[:2]
        corner = np.round(rng.uniform(0.1 * SIDE, 0.9 * SIDE, 2) - middle).astype(int)
        there = pasted(picture, scene.picture, fading(rng), scale, corner)
        heads = [head for head in heads if there[int(head.y), int(head.x)] < 0.5]  # one may be behind the next
        full = np.diag([scale, scale, scale, 1.0])
        full[:2, 3] = corner
        heads.append(head_crop(full @ scene.pose))
    return taken(picture, rng), heads


def _looked_at(net: CoveredLandmarkNet, finder: HeadFinder, picture: np.ndarray) -> Iterator[list[Sighting]]:
    for sighting in refined(net, picture, look(net, picture, likely_heads(finder, picture))):
        yield [sighting, *look(net, picture, [sighting.crop.misplaced(*probe) for probe in PROBES])]


def _nearness(crop: Crop, head: Crop) -> tuple[float, float]:
    """How far a crop is from a head's, in its sides, and by what factor the two differ."""
    ratio = crop.side / head.side
    return float(np.hypot(crop.x - head.x, crop.y - head.y)) / head.side, max(ratio, 1 / ratio)
