"""The engine on a real clip: exact outside the hole, independent of how the clip is cut, better than the baselines."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hmd_removal.errors import InputError
from hmd_removal.headset.draw import HeadsetArtist, draw_headset, preset
from hmd_removal.restore.engine import Deoccluder, deocclude_clip
from hmd_removal.restore.paste import blend_weights, feather_width
from hmd_removal.restore.registry import make_filler
from hmd_removal.tracking.crop import CropTrack
from hmd_removal.tracking.follow import track_clip
from hmd_removal.tracking.reference import Reference, make_reference, pick_reference
from hmd_removal.tracking.track import FaceTrack, FrameStatus

ENROLMENT = 12  # frames; the reference is one of them, and they are not scored


@pytest.fixture(scope="module")
def reference(talking_head, talking_head_track) -> Reference:
    track = FaceTrack.stack((talking_head_track[t] for t in range(ENROLMENT)), talking_head_track.size)
    return pick_reference(talking_head[:ENROLMENT], track)[0]


@pytest.fixture(scope="module", params=["band", "quest"])
def covered(request, talking_head, talking_head_track) -> tuple[np.ndarray, np.ndarray]:
    return draw_headset(talking_head, talking_head_track, HeadsetArtist(preset(request.param)))


@pytest.fixture(scope="module")
def seen_track(covered, reference) -> FaceTrack:
    frames, masks = covered
    return track_clip(frames, frames.shape[1:3], masks=masks, reference=reference)


def tensors(covered) -> tuple[torch.Tensor, torch.Tensor]:
    frames, masks = covered
    return torch.from_numpy(frames).float() / 255, torch.from_numpy(masks).float()


def hole_psnr(result: torch.Tensor, truth: np.ndarray, masks: np.ndarray) -> float:
    error = (result.numpy() - truth.astype(np.float32) / 255) ** 2
    frames = [10 * np.log10(1 / error[t][masks[t] > 0].mean()) for t in range(ENROLMENT, len(truth))]
    return float(np.mean(frames))


@pytest.mark.parametrize("landmarks", ["oracle", "visible"])
def test_warp_beats_telea_and_static(landmarks, covered, talking_head, talking_head_track, seen_track, reference):
    frames, masks = tensors(covered)
    track = talking_head_track if landmarks == "oracle" else seen_track
    score = {
        method: hole_psnr(
            deocclude_clip(frames, masks, track, reference, method=method, landmarks=landmarks),
            talking_head,
            covered[1],
        )
        for method in ("telea", "static", "warp")
    }
    assert score["warp"] > score["telea"] + (2 if landmarks == "oracle" else 0), score
    if landmarks == "oracle":
        assert score["warp"] > score["static"] + 1.5, score


@pytest.mark.parametrize("method", ["warp", "static", "telea"])
def test_outside_hole_and_feather_every_pixel_is_exact(method, covered, talking_head_track, reference):
    frames, masks = tensors(covered)
    result = deocclude_clip(frames, masks, talking_head_track, reference, method=method, landmarks="oracle")
    crops = CropTrack()
    for t in range(len(frames)):
        feather = feather_width(crops.push(talking_head_track[t]))
        outside = blend_weights(covered[1][t].astype(np.uint8), feather) == 0
        assert torch.equal(result[t][outside], frames[t][outside])
        assert not torch.equal(result[t][~outside], frames[t][~outside])


@pytest.mark.parametrize("method", ["warp", "static", "telea"])
@pytest.mark.parametrize("cuts", [(1,) * 48, (7, 20, 21)])
def test_windows_give_what_the_whole_clip_gives(method, cuts, covered, seen_track, reference):
    frames, masks = covered
    faces = [seen_track[t].covered_by(masks[t]) for t in range(len(frames))]
    whole = Deoccluder(make_filler(method, reference), reference).process(frames, masks, faces)
    engine, parts, start = Deoccluder(make_filler(method, reference), reference), [], 0
    for length in cuts:
        window = slice(start, start + length)
        parts += engine.process(frames[window], masks[window], faces[window])
        start += length
    assert np.array_equal(parts, whole)


@pytest.mark.parametrize("method", ["warp", "evi-hrnet"])
def test_nothing_outlives_a_scene(method, covered, seen_track, talking_head, talking_head_track):
    """After a cut all is as at a clip's start: the crop, the choice of pictures, registration, memory and state."""
    frames, masks = covered
    pictures = [talking_head[t][:-2] for t in (0, 9)]  # smaller than the frames: nothing is remembered of them
    reference = make_reference(pictures, talking_head_track.points[[0, 9]])
    faces = [replace(seen_track[t].covered_by(masks[t]), scene=int(t >= 8)) for t in range(16)]
    spliced, alone = (Deoccluder(make_filler(method, reference), reference) for _ in range(2))
    both = []
    for start in range(0, 16, 5):  # the cut is within a window
        part = slice(start, min(start + 5, 16))
        both += spliced.process(frames[part], masks[part], faces[part])
    assert np.array_equal(both[8:], alone.process(frames[8:16], masks[8:16], faces[8:]))


def test_frames_without_a_face_or_a_hole_come_back_unchanged(covered, talking_head_track, reference):
    frames, masks = tensors(covered)
    masks[3] = 0
    status = talking_head_track.status.copy()
    status[5] = FrameStatus.MISSING
    track = replace(talking_head_track, status=status)
    result = deocclude_clip(frames, masks, track, reference)
    assert torch.equal(result[3], frames[3]) and torch.equal(result[5], frames[5])
    assert not torch.equal(result[4], frames[4])


def test_a_clip_of_one_frame(covered, talking_head_track, reference):
    frames, masks = tensors(covered)
    track = FaceTrack.stack([talking_head_track[0]], talking_head_track.size)
    assert deocclude_clip(frames[:1], masks[:1], track, reference).shape == frames[:1].shape


def test_progress_counts_frames_and_may_stop_the_work(covered, talking_head_track, reference):
    frames, masks = tensors(covered)
    seen = []

    def stop(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deocclude_clip(frames, masks, talking_head_track, reference, progress=stop)
    assert seen == [(n, 48) for n in range(1, 6)]


class TestBadInput:
    @pytest.fixture
    def clip(self, covered, talking_head_track, reference):
        return *tensors(covered), talking_head_track, reference

    def test_mask_of_another_size(self, clip):
        frames, masks, track, reference = clip
        with pytest.raises(InputError, match="frames' size, 176 x 144, or their shape, but is 88 x 144"):
            deocclude_clip(frames, masks[..., ::2], track, reference)

    def test_mask_of_another_length(self, clip):
        frames, masks, track, reference = clip
        with pytest.raises(InputError, match="one for each of the 48, got 10"):
            deocclude_clip(frames, masks[:10], track, reference)

    def test_empty_mask(self, clip):
        frames, masks, track, reference = clip
        with pytest.raises(InputError, match="empty in every frame"):
            deocclude_clip(frames, masks * 0, track, reference)

    def test_mask_over_everything(self, clip):
        frames, masks, track, reference = clip
        with pytest.raises(InputError, match="covers the whole picture"):
            deocclude_clip(frames, torch.ones_like(masks), track, reference)

    def test_track_of_another_clip(self, clip):
        frames, masks, track, reference = clip
        with pytest.raises(InputError, match="belongs to 48 frames of 176 x 144, but there are 4"):
            deocclude_clip(frames[:4], masks[:4], track, reference)

    def test_unknown_names(self, clip):
        frames, masks, track, reference = clip
        with pytest.raises(InputError, match="evi-hrnet, warp, personal, static, telea, got 'magic'"):
            deocclude_clip(frames, masks, track, reference, method="magic")
        with pytest.raises(InputError, match="visible, oracle, got 'guess'"):
            deocclude_clip(frames, masks, track, reference, landmarks="guess")

    def test_no_reference(self, clip):
        frames, masks, track, _ = clip
        with pytest.raises(InputError, match="needs a reference"):
            deocclude_clip(frames, masks, track, None)

    def test_one_mask_serves_all_frames(self, clip):
        frames, masks, track, reference = clip
        assert (
            len(
                deocclude_clip(
                    frames[:3], masks[:1], FaceTrack.stack([track[t] for t in range(3)], track.size), reference
                )
            )
            == 3
        )
