"""Masks of devices, from coarse ones that are blurred, misplaced, holed and noisy, as a network's are."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from faces_of import posed_face

from hmd_removal.errors import InputError
from hmd_removal.headset.draw import HeadsetArtist, preset
from hmd_removal.headset.look import LOOKS
from hmd_removal.headset.mask import GENEROUS, SKIN_POINTS, DeviceMasker
from hmd_removal.headset.models import Headset
from hmd_removal.lab.tracking.masks import flicker, mask_iou
from hmd_removal.tracking.geometry import pose_angles, pose_scale, transform
from hmd_removal.tracking.track import DevicePatch, FrameStatus, TrackedFace

SIZE = (300, 400)  # posed_face stands at (200, 150), 10 pixels a centimetre
EDGE = -GENEROUS  # `grow` for a mask that ends at the edge of the device


class Network:
    """Exact masks made as coarse as the network's: a 34 centimetre crop in 64 x 64 cells.

    blur: of the cells, misplaced by `shift` (x, y) cells; noise: standard deviation in log-odds, in soft blotches.
    hole: (x, y) cells of a place that is never seen.
    """

    def __init__(self, blur=1.0, shift=(0.3, -0.3), noise=0.0, hole=None, seed=0):
        self._blur, self._shift, self._noise, self._hole = blur, shift, noise, hole
        self._rng = np.random.default_rng(seed)

    def __call__(self, mask: np.ndarray, face: TrackedFace) -> DevicePatch:
        middle, cell = transform(face.pose, np.array((0.0, -1.0, 0.0)))[:2], 64 / (34 * pose_scale(face.pose))
        roll = np.radians(pose_angles(face.pose)[2])
        turn = cell * np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
        matrix = np.column_stack([turn, 31.5 - turn @ middle])
        fine = np.column_stack([4 * matrix[:, :2], 4 * (matrix[:, 2] + self._shift) + 1.5])
        share = cv2.resize(cv2.warpAffine(mask.astype(np.float32), fine, (256, 256)), (64, 64), interpolation=3)
        odds = 9 * (cv2.GaussianBlur(share, (0, 0), self._blur) - 0.5)
        blotches = self._rng.normal(size=(8, 8)).astype(np.float32)
        odds += self._noise * cv2.resize(blotches, (64, 64), interpolation=cv2.INTER_CUBIC)
        if self._hole:
            cv2.circle(odds, self._hole, 2, -3.0, -1)
        return DevicePatch((1 / (1 + np.exp(-odds))).astype(np.float32), matrix)


def enlarged(patch: DevicePatch, size: tuple[int, int]) -> np.ndarray:
    """What there is without any of this: the coarse mask at full size, bilinear."""
    back = cv2.invertAffineTransform(patch.matrix)
    return (cv2.warpAffine(patch.probability, back, size[::-1], flags=cv2.INTER_LINEAR) > 0.5).astype(np.uint8)


def bare(**measures) -> Headset:
    """A device without straps."""
    return Headset("quest", **({"width": 18.0, "top": -5.0, "bottom": 4.5, "depth": 6.0, "nose_gap": 1.5} | measures))


def room() -> np.ndarray:
    """A wall with some grain, brighter to one side."""
    shade = np.linspace(120, 180, SIZE[1])[None, :, None] + np.zeros((*SIZE, 1)) + (10, 0, -30)
    return np.clip(shade + np.random.default_rng(5).normal(0, 3, (*SIZE, 3)), 0, 255).astype(np.uint8)


def worn(device: Headset, **angles) -> tuple[np.ndarray, np.ndarray, TrackedFace]:
    """A drawn device before a wall: frame, exact mask, face."""
    face = posed_face(**angles)
    look = replace(LOOKS["index"], blur=0.4)
    return *HeadsetArtist(device, look=look).draw(room(), face), face


def masked(
    device: Headset, network: Network | None = None, frames: int = 6, **options
) -> tuple[np.ndarray, np.ndarray]:
    """The mask after some frames of a still head, and the exact one."""
    network, masker = network or Network(), DeviceMasker(**options)
    frame, exact, face = worn(device)
    for _ in range(frames):
        mask = masker.push(frame, face, network(exact, face))
    return mask, exact


@pytest.mark.parametrize("name", ["quest", "psvr", "visionpro", "glasses"])
def test_on_a_real_clip_the_mask_is_right_and_steady(talking_head, talking_head_track, name):
    artist, network, masker = (
        HeadsetArtist(preset(name)),
        Network(shift=(0.5, -0.5), noise=1.5, hole=(38, 28)),
        DeviceMasker(grow=EDGE),
    )
    found, coarse, exact = [], [], []
    for t in range(24):
        face = talking_head_track[t]
        frame, mask = artist.draw(talking_head[t], face)
        patch = network(mask, face)
        found.append(masker.push(frame, face, patch))
        coarse.append(enlarged(patch, mask.shape))
        exact.append(mask)
    right = [np.mean([mask_iou(a, b) for a, b in zip(masks, exact, strict=True)]) for masks in (found, coarse)]
    poses = talking_head_track.pose[:24]
    steady, unsteady, least = (flicker(np.stack(masks), poses).mean() for masks in (found, coarse, exact))
    assert right[0] > 0.9 and 1 - right[0] < 0.65 * (1 - right[1])
    assert steady < 0.4 * unsteady and steady < 1.6 * least


def test_the_edge_is_that_of_the_picture():
    mask, exact = masked(bare(), Network(shift=(0.6, -0.6)), grow=EDGE)
    assert mask_iou(mask, exact) > 0.97


def test_a_device_larger_than_the_working_size_gets_a_sharp_edge():
    """The frame is enlarged four times; the edge stays within half a millimetre on average."""
    masker, network = DeviceMasker(grow=EDGE), Network()
    frame, exact, face = worn(bare())
    frame, exact = (cv2.resize(x, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR) for x in (frame, exact))
    pose = np.diag([4.0, 4, 4, 1]) @ face.pose
    pose[:2, 3] += 1.5
    mask = masker.push(frame, replace(face, pose=pose), network(exact, replace(face, pose=pose)))
    outline, _ = cv2.findContours(exact, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    assert np.count_nonzero(mask != exact) / len(outline[0]) < 2


def test_holes_are_closed():
    network = Network(hole=(30, 27))
    frame, exact, face = worn(bare())
    assert (enlarged(network(exact, face), SIZE)[exact > 0] == 0).sum() > 100
    mask, exact = masked(bare(), network)
    assert mask[exact > 0].mean() > 0.995


def test_spill_of_a_frame_is_cut():
    masker, network = DeviceMasker(grow=EDGE), Network()
    frame, exact, face = worn(bare())
    for _ in range(6):
        before = masker.push(frame, face, network(exact, face))
    patch = network(exact, face)
    cv2.circle(patch.probability, (32, 50), 5, 1.0, -1)  # over the mouth
    assert enlarged(patch, SIZE).sum() > 1.1 * exact.sum()
    assert mask_iou(masker.push(frame, face, patch), before) > 0.99


def test_a_strap_that_is_clearly_seen_survives():
    mask, exact = masked(bare(top_strap=3.0), grow=EDGE)
    top = np.flatnonzero(exact.any(1))[0]
    device_top = np.flatnonzero(worn(bare())[1].any(1))[0]
    strap = np.s_[top + 5 : device_top - 5]
    assert mask_iou(mask[strap], exact[strap]) > 0.85


@pytest.mark.parametrize("name", ["quest", "index"])
def test_straps_can_be_left_in_the_picture(talking_head, talking_head_track, name):
    """Without them the body stays masked, and of the strap a rim by which the mask is generous."""
    large, face = cv2.resize(talking_head[0], None, fx=2, fy=2), talking_head_track[0]
    to_large = np.diag([2.0, 2.0, 2.0, 1.0])
    face = replace(face, points=2 * face.points, pose=to_large @ face.pose)
    whole, body = preset(name), replace(preset(name), side_strap=0.0, top_strap=0.0)
    picture, mask = HeadsetArtist(whole).draw(large, face)
    box = HeadsetArtist(body).mask(face, large.shape[:2])
    patch = Network(shift=(0, 0))(mask, face)
    with_straps, without = (DeviceMasker(straps=straps).push(picture, face, patch) for straps in (True, False))
    away = cv2.distanceTransform(1 - box, cv2.DIST_L2, 5) > pose_scale(face.pose)
    strap = (mask > box) & away
    assert strap.sum() > 200 and with_straps[strap].mean() > 0.8
    assert without[strap].mean() < 0.1 and without[box > 0].mean() > 0.98


def test_it_is_generous_by_three_millimetres_and_grows_by_centimetres():
    extents = []
    for grow in (EDGE, 0.0, 1.0):
        rows = np.flatnonzero(masked(bare(), grow=grow)[0].any(1))
        extents.append(rows[-1] - rows[0])
    assert extents[1] - extents[0] == pytest.approx(2 * 3, abs=1)
    assert extents[2] - extents[1] == pytest.approx(2 * 10, abs=1)


def test_shift_is_along_the_head():
    middles = []
    for shift in ((0.0, 0.0), (2.0, 0.0), (0.0, -1.0)):
        frame, exact, face = worn(bare(), roll=30)
        mask = DeviceMasker(shift=shift).push(frame, face, Network()(exact, face))
        middles.append(np.argwhere(mask).mean(0)[::-1])
    c, s = np.cos(np.pi / 6), 0.5
    assert middles[1] - middles[0] == pytest.approx([20 * c, 20 * s], abs=0.8)
    assert middles[2] - middles[0] == pytest.approx([10 * s, -10 * c], abs=0.8)


def test_a_known_device_replaces_what_the_network_does_not_see():
    """Of a Vision Pro's half the network is never sure; its colour is that of the wall."""
    device = replace(preset("visionpro"), side_strap=0.0)
    frame, exact, face = worn(device)
    frame = room()
    patch = Network()(exact, face)
    patch.probability[:, 34:] *= 0.3
    overlap = []
    for name in (None, "visionpro"):
        masker = DeviceMasker(preset=name, grow=EDGE)
        for _ in range(4):
            mask = masker.push(frame, face, patch)
        overlap.append(mask_iou(mask, exact))
    assert overlap[1] > 0.8 and overlap[1] > overlap[0] + 0.15


def test_without_a_face_or_a_device_the_mask_is_empty():
    masker, network = DeviceMasker(), Network()
    frame, exact, face = worn(bare())
    nothing = network(np.zeros(SIZE, np.uint8), face)
    assert not masker.push(frame, face, None).any()
    assert not masker.push(frame, face, nothing).any()
    assert not masker.push(frame, replace(face, status=FrameStatus.MISSING), network(exact, face)).any()
    assert masker.push(frame, face, network(exact, face)).any()
    assert not masker.push(frame, replace(face, status=FrameStatus.MISSING), None).any()
    assert not masker.push(frame, face, None).any()  # what was seen before the face was lost is out of date


def test_a_frame_without_a_coarse_mask_keeps_the_device_on_the_head():
    masker, network = DeviceMasker(grow=EDGE), Network()
    frame, exact, face = worn(bare())
    masker.push(frame, face, network(exact, face))
    frame, exact, face = worn(bare(), roll=8)
    assert mask_iou(masker.push(frame, face, None), exact) > 0.95


def test_a_scene_cut_starts_anew():
    masker, network = DeviceMasker(grow=EDGE), Network()
    frame, exact, face = worn(bare())
    for _ in range(10):
        masker.push(frame, face, network(exact, face))
    small = bare(width=15.0, top=-2.5, bottom=3.0)
    frame, exact, face = worn(small)
    face = replace(face, scene=1)
    assert mask_iou(masker.push(255 - frame, face, network(exact, face)), exact) > 0.95


def test_a_head_at_the_edge_of_the_picture():
    frame, exact, face = worn(bare())
    frame, exact = np.ascontiguousarray(frame[:, 210:]), np.ascontiguousarray(exact[:, 210:])
    moved = face.pose.copy()
    moved[0, 3] -= 210
    face = replace(face, pose=moved)
    assert mask_iou(DeviceMasker(grow=EDGE).push(frame, face, Network()(exact, face)), exact) > 0.93
    moved = moved.copy()
    moved[0, 3] -= 4000
    face = replace(face, pose=moved)
    full = DevicePatch(np.ones((64, 64), np.float32), Network()(exact, face).matrix)
    assert not DeviceMasker().push(frame, face, full).any()


def test_an_unknown_preset_is_refused():
    with pytest.raises(InputError, match="got 'monocle'"):
        DeviceMasker(preset="monocle")


def hand_points(face: TrackedFace) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the cheeks and the chin."""
    x, y = np.round(face.points[list(SKIN_POINTS), :2]).astype(int).T
    return y, x


@pytest.fixture(scope="module")
def passing(talking_head, talking_head_track):
    """30 frames of a real face, 352 x 288 pixels, with a device, before which a hand of the face's colour passes: each
    with the face, the network's patch, and the masks of hand and device."""
    artist, network = HeadsetArtist(preset("quest")), Network(shift=(0, 0))
    shown = []
    for t in range(30):
        face = talking_head_track[t]
        large = cv2.resize(talking_head[t], None, fx=2, fy=2)
        face = replace(face, points=2 * face.points, pose=np.diag([2.0, 2.0, 2.0, 1.0]) @ face.pose)
        picture, device = artist.draw(large, face)
        hand = np.zeros_like(device)
        if t >= 12:  # an arm from below, its hand on the device
            x, y = np.round(face.points[168, :2]).astype(int) + (12 * (t - 20), 0)
            cv2.ellipse(hand, (int(x), int(y)), (22, 26), 0, 0, 360, 1, -1)
            cv2.line(hand, (int(x), int(y) + 10), (int(x) - 10, 400), 1, 22)
        skin = np.median(large[hand_points(face)], axis=0)
        picture[hand > 0] = (0.85 * skin).astype(np.uint8)
        shown.append((picture, face, network(device, face), hand, device))
    return shown


class TestHands:
    """That pass before the device."""

    def test_it_is_told_from_the_device_and_the_mask_goes_on_under_it(self, passing):
        masker, kept, wrong, covered = DeviceMasker(), [], [], []
        for t, (picture, face, patch, hand, device) in enumerate(passing):
            mask = masker.push(picture, face, patch)
            both = (hand > 0) & (device > 0)
            if t >= 12 and both.sum() > 500:
                kept.append(masker.front[both].mean())
                covered.append(mask[device > 0].mean())
            wrong.append(masker.front[(device > 0) & (hand == 0)].mean())
        assert len(kept) > 8 and np.median(kept) > 0.9 and min(covered) > 0.95
        assert max(wrong) < 0.05 and not any(wrong[:12])

    def test_before_a_device_is_known_there_is_none(self, passing):
        masker = DeviceMasker()
        picture, face, patch, *_ = passing[20]
        masker.push(picture, face, patch)
        assert not masker.front.any()
