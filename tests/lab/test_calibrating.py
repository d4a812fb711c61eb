"""Calibration in batches beside the product's own."""

from __future__ import annotations

import numpy as np
import torch

from hmd_removal.headset.draw import HeadsetArtist, preset
from hmd_removal.lab.generator.calibrating import calibrated
from hmd_removal.models import covered_landmarks
from hmd_removal.models.covered_landmarks import INPUT_SIDE
from hmd_removal.tracking.calibration import PersonalCalibration
from hmd_removal.tracking.reference import make_reference
from hmd_removal.tracking.sighting import head_crop, look
from hmd_removal.tracking.track import FaceTrack, FrameStatus, TrackedFace


def test_it_takes_off_what_the_product_takes_off(talking_head: np.ndarray, talking_head_track: FaceTrack) -> None:
    net = covered_landmarks.shared()
    reference = make_reference([talking_head[0]], talking_head_track.points[:1])
    off, taken = [], []
    for t in (20, 45):
        covered, mask = HeadsetArtist(preset("quest")).draw(talking_head[t], talking_head_track[t])
        crop = head_crop(talking_head_track.pose[t])
        (sight,) = look(net, covered, [crop])
        face = TrackedFace(
            sight.points, FrameStatus.FOUND, sight.visibility, sight.pose, sight.deviation, device=sight.device
        )
        expected = PersonalCalibration(reference, net).push(covered, face, mask).points
        crops = torch.from_numpy(crop.shrunk(covered, INPUT_SIDE)).permute(2, 0, 1)[None].float() / 255
        device = torch.from_numpy(crop.take(mask * np.uint8(255), INPUT_SIDE) > 127)[None, None]
        picture = torch.from_numpy(reference.images[0]).permute(2, 0, 1)[None].float() / 255
        side = min(picture.shape[2:])
        found = calibrated(
            net,
            crops,
            torch.from_numpy(crop.to_crop(sight.points, 1).astype(np.float32))[None],
            device,
            picture[..., :side, :side],
            torch.from_numpy(reference.points.astype(np.float32)),
        )
        found = crop.side * found[0, :, :2].numpy()
        wanted, before = (crop.side * crop.to_crop(p, 1)[:, :2] for p in (expected, sight.points))
        off.append(np.linalg.norm(found - wanted, axis=1).mean())
        taken.append(np.linalg.norm(wanted - before, axis=1).mean())
    # Half a pixel is left: the pictures are drawn otherwise, and the network tells such.
    assert np.mean(off) < 0.6 * np.mean(taken), (off, taken)
