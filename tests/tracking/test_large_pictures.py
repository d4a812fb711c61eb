"""Faces in pictures of 1920 x 1080, small and large ones: a real clip enlarged, whose landmarks are known."""

import numpy as np
import pytest

from hmd_removal.headset.draw import HeadsetArtist, preset
from hmd_removal.headset.sources import SimulatedHeadset
from hmd_removal.lab.tracking.enlarged import SHARES, SIZE, enlarged
from hmd_removal.tracking.enrol import reference_from_frames
from hmd_removal.tracking.follow import Wearer, track_clip
from hmd_removal.tracking.geometry import MESH_POINT_COUNT, eye_distance
from hmd_removal.tracking.track import FrameStatus


@pytest.mark.parametrize("share", SHARES)
def test_an_uncovered_face_is_found_and_is_as_exact_as_a_large_one(share, talking_head, talking_head_track):
    frames, truth = enlarged(talking_head[:4], talking_head_track.points[:4], np.ones(4, bool), share)
    track = track_clip(frames, SIZE, Wearer(detector="uncovered"))
    assert (track.status == FrameStatus.FOUND).all()
    error = np.linalg.norm((track.points - truth)[:, :MESH_POINT_COUNT, :2], axis=2).mean(1) / eye_distance(truth)
    assert error.max() < 0.015
    for still in (True, False):
        reference, *_ = reference_from_frames(frames[:2], still=still)
        assert len(reference) == 1


@pytest.mark.parametrize("share", SHARES)
def test_a_headset_is_drawn_on_it_and_found_again(share, talking_head, talking_head_track):
    frames, truth = enlarged(talking_head[:3], talking_head_track.points[:3], np.ones(3, bool), share)
    covered = list(SimulatedHeadset(HeadsetArtist(preset("quest"))).cover(iter(frames), Wearer()))
    for cover, points in zip(covered, truth, strict=True):
        assert cover.face.status == FrameStatus.FOUND and cover.mask.any()
        error = np.linalg.norm((cover.face.points - points)[:MESH_POINT_COUNT, :2], axis=1).mean()
        assert error < 0.12 * eye_distance(points)
