"""Eyes that are moved by tracking data, in whatever fills the hole."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hmd_removal.driving.eye_tracking import EyeTracking
from hmd_removal.driving.natural import natural
from hmd_removal.errors import InputError
from hmd_removal.restore.engine import Deoccluder, check_eyes, deocclude_clip
from hmd_removal.restore.registry import make_filler
from hmd_removal.tracking.geometry import EYES_AND_BROWS
from hmd_removal.tracking.reference import Reference, make_reference

COUNT = 6


@pytest.fixture(scope="module")
def clip(wearer, talking_head_track):
    """Six covered frames, their masks and their faces, whose points under the headset are known."""
    frames, masks = wearer
    return list(frames[:COUNT]), list(masks[:COUNT]), [talking_head_track[t] for t in range(COUNT)]


@pytest.fixture(scope="module")
def reference(talking_head, talking_head_track) -> Reference:
    return make_reference([talking_head[12]], talking_head_track.points[12:13])


def tracking(openness: float = np.nan, yaw: float = np.nan, brows: float = np.nan) -> EyeTracking:
    """The same in all frames."""
    rows = EyeTracking.unknown(np.arange(COUNT) / 25)
    rows.openness[:] = openness
    rows.gaze[..., 0] = rows.gaze[..., 1] = np.nan
    rows.gaze[:] = (yaw, 0.0 if np.isfinite(yaw) else np.nan)
    rows.brows[:] = (brows, brows, 0.0) if np.isfinite(brows) else np.nan
    return rows


def filled(clip, reference, rows: EyeTracking | None, method: str = "warp", parts: int = 1) -> np.ndarray:
    engine = Deoccluder(make_filler(method, reference), reference, torch.device("cpu"), tracking=rows)
    done, size = [], COUNT // parts
    for start in range(0, COUNT, size):
        done += engine.process(*(part[start : start + size] for part in clip))
    return np.stack(done).astype(int)


@pytest.mark.parametrize("method", ["warp", "evi-hrnet"])
def test_data_that_know_nothing_change_nothing(method, clip, reference):
    without, unknown = (filled(clip, reference, rows, method) for rows in (None, tracking()))
    difference = np.abs(without - unknown)
    # Lids' edges are drawn anew, and eyes are 15 pixels wide. A network's drawing and the memory of a place, which do
    # not know how eyes are wanted, give way to the eyes.
    assert difference.max() <= (20 if method == "warp" else 60) and difference.mean() < 0.3


@pytest.mark.parametrize("method", ["warp", "evi-hrnet"])
def test_shut_eyes_are_seen_in_the_eyes_alone(method, clip, reference):
    opened, shut = (filled(clip, reference, tracking(openness=o), method) for o in (1.0, 0.0))
    difference = np.abs(opened - shut).max(-1)
    for t, (mask, face) in enumerate(zip(*clip[1:], strict=True)):
        assert difference[t][mask == 0].max() < 40  # the feather at most
        x, y = face.points[list(EYES_AND_BROWS), :2].T
        inside = np.zeros(mask.shape, bool)
        inside[int(y.min()) - 4 : int(y.max()) + 8, int(x.min()) - 6 : int(x.max()) + 6] = True
        assert difference[t][inside].max() > 40 and difference[t][~inside].max() < 20


def test_how_a_clip_is_cut_changes_nothing(clip, reference):
    rows = natural(np.arange(COUNT) / 2)  # seconds in which somebody blinks
    assert np.array_equal(filled(clip, reference, rows), filled(clip, reference, rows, parts=3))


def test_each_frame_gets_its_own_row(clip, reference):
    rows = tracking(openness=1.0)
    rows.openness[3] = 0.0
    opened, blinking = (filled(clip, reference, r) for r in (tracking(openness=1.0), rows))
    changed = [bool((a != b).any()) for a, b in zip(opened, blinking, strict=True)]
    assert changed == [t == 3 for t in range(COUNT)]


def test_eyes_look_and_brows_rise(clip, reference):
    still, looking, raised = (filled(clip, reference, r) for r in (tracking(), tracking(yaw=0.4), tracking(brows=0.8)))
    assert np.abs(still - looking).max() > 30
    assert np.abs(still - raised).mean() > np.abs(still - looking).mean()  # more skin moves


def test_a_whole_clip_takes_them_too(clip, reference, talking_head_track):
    from hmd_removal.tracking.track import FaceTrack

    frames, masks = (torch.from_numpy(np.stack(part)) for part in clip[:2])
    track = FaceTrack.stack(clip[2], talking_head_track.size)
    still, shut = (
        deocclude_clip(frames.float() / 255, masks.float(), track, reference, landmarks="oracle", tracking=rows)
        for rows in (None, tracking(openness=0.0))
    )
    assert (still - shut).abs().max() > 0.15


def test_unknown_eyes_are_refused():
    with pytest.raises(InputError, match="Expected eyes out of reference, natural, got 'glass'"):
        check_eyes("glass")
