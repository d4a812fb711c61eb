"""Fitting a headset's silhouette to where one is seen."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from faces_of import posed_face

from hmd_removal.headset.draw import HeadsetArtist, preset
from hmd_removal.headset.fit import SilhouetteFit, silhouette
from hmd_removal.headset.models import Headset
from hmd_removal.lab.tracking.masks import mask_iou

SIZE = (300, 400)


def bare(**measures) -> Headset:
    """A device without straps and nose gap."""
    return Headset("quest", **({"width": 18.0, "top": -5.0, "bottom": 4.5, "depth": 6.0, "dome": 0.0} | measures))


def filled(headset: Headset, pose: np.ndarray) -> np.ndarray:
    mask = np.zeros(SIZE, np.uint8)
    return cv2.fillConvexPoly(mask, np.round(silhouette(headset, pose) * 16).astype(np.int32), 1, cv2.LINE_8, 4)


@pytest.mark.parametrize("angles", [{}, {"yaw": 30}, {"yaw": -20, "pitch": 15, "roll": 10}])
@pytest.mark.parametrize("measures", [{}, {"width": 16.0, "depth": 9.0, "roundness": 3.0}, {"tilt": (5.0, 3.0)}])
def test_the_silhouette_is_that_of_the_drawn_device(angles, measures):
    face = posed_face(**angles)
    assert mask_iou(filled(bare(**measures), face.pose), HeadsetArtist(bare(**measures)).mask(face, SIZE)) > 0.95


def fitted(fit: SilhouetteFit, device: Headset, frames: int = 1, noise: float = 0.0, **angles) -> list[float]:
    """Overlap with the true silhouette after every frame."""
    rng, pose, ious = np.random.default_rng(0), posed_face(**angles).pose, []
    for _ in range(frames):
        seen = cv2.GaussianBlur(filled(device, pose).astype(np.float32), (0, 0), 4)
        seen = np.clip(seen + rng.normal(0, noise, SIZE), 0, 1).astype(np.float32)
        ious.append(mask_iou(filled(fit.update(seen, pose), pose), filled(device, pose)))
    return ious


@pytest.mark.parametrize("angles", [{}, {"yaw": 25, "pitch": -10}])
@pytest.mark.parametrize("device", [bare(width=16.5), bare(top=-6.5, bottom=3.0), bare(shift=(1.2, 0.0), depth=9.0)])
def test_an_unknown_device_is_found_in_the_first_frame(device, angles):
    assert fitted(SilhouetteFit(), device, **angles)[0] > 0.95


def test_it_is_followed_when_it_slips():
    fit = SilhouetteFit()
    fitted(fit, bare())
    ious = fitted(fit, bare(shift=(0.0, 0.8)), frames=25, noise=0.2)
    assert ious[0] < 0.9 and ious[-1] > 0.95
    assert np.abs(np.diff(ious)).max() < 0.02  # slowly


@pytest.mark.parametrize("fps", [8, 240])
def test_it_is_followed_as_fast_whatever_the_frame_rate(fps):
    def after_a_quarter_of_a_second(rate: float) -> float:
        fit = SilhouetteFit(fps=rate)
        fitted(fit, bare())
        return fitted(fit, bare(shift=(0.0, 0.8)), frames=max(round(0.25 * rate), 1))[-1]

    assert after_a_quarter_of_a_second(fps) == pytest.approx(after_a_quarter_of_a_second(25), abs=0.02)


def test_a_known_device_keeps_its_measures_and_finds_its_seat():
    known, pose = preset("visionpro"), posed_face().pose
    fit = SilhouetteFit(known)
    worn = filled(replace(known, shift=(0.9, -0.6)), pose).astype(np.float32)
    headset = fit.update(worn, pose)
    assert headset.shift == pytest.approx((0.9, -0.6), abs=0.2)
    assert replace(headset, shift=(0.0, 0.0)) == known


def test_no_fit_leaves_what_a_device_can_be():
    everything = np.ones(SIZE, np.float32)
    fit, pose = SilhouetteFit(), posed_face().pose
    for _ in range(20):
        headset = fit.update(everything, pose)
    assert headset.width <= 22 and headset.height <= 15 and abs(headset.shift[0]) <= 2.5
