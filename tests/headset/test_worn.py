"""A headset that is put on, taken off or pushed up in mid-clip."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from clips import write_clip

from hmd_removal.errors import InputError
from hmd_removal.headset.draw import HeadsetArtist, draw_headset, preset
from hmd_removal.headset.sources import DetectedHeadset
from hmd_removal.headset.worn import AHEAD, while_worn
from hmd_removal.restore.video import deocclude_video
from hmd_removal.tracking.enrol import own_reference, reference_from_frames
from hmd_removal.tracking.follow import Wearer
from hmd_removal.tracking.track import DevicePatch, FaceTrack
from hmd_removal.video import VideoReader


def decided(shares: list[float], scenes: list[int] | None = None, ahead: int = AHEAD) -> str:
    """For each frame whether the headset is worn, where so much of the eyes is covered."""

    def face(share: float, scene: int) -> SimpleNamespace:
        device = None if np.isnan(share) else SimpleNamespace(over_eyes=lambda points: share)
        return SimpleNamespace(device=device, points=None, scene=scene)

    faces = (face(*one) for one in zip(shares, scenes or [0] * len(shares), strict=True))
    return "".join("01"[worn] for _, _, worn in while_worn(((t, face) for t, face in enumerate(faces)), ahead))


@pytest.mark.parametrize("count", range(1, 8))
def test_every_frame_comes_once_and_in_order(count: int) -> None:
    face = SimpleNamespace(device=None, points=None, scene=0)
    assert [frame for frame, _, _ in while_worn((t, face) for t in range(count))] == list(range(count))


def test_a_change_is_seen_in_its_very_frame_and_a_single_frame_does_not_count() -> None:
    assert decided([0, 0, 0, 1, 1, 1, 0, 0, 0]) == "000111000"
    assert decided([1, 1, 1, 0, 1, 1, 1]) == "1111111", "a hand passes"
    assert decided([0, 0, 0, 1, 0, 0, 0]) == "0000000", "a blurred frame"
    assert decided([1, 1, 0, 0, 0], scenes=[0, 0, 1, 1, 1]) == "11000", "nothing is carried over a cut"


def test_live_a_change_is_seen_a_frame_late_and_a_single_frame_does_not_count() -> None:
    assert decided([0, 0, 0, 1, 1, 1, 0, 0, 0], ahead=0) == "000011100"
    assert decided([1, 1, 1, 0, 1, 1, 1], ahead=0) == "1111111"


def test_where_nothing_is_known_it_stays_as_it_is_around() -> None:
    unknown = float("nan")
    assert decided([0, 0, unknown, 0, 0]) == "00000" and decided([1, 1, unknown, 1, 1]) == "11111"
    assert decided([unknown] * 4) == "1111", "a face under a mask, of which no device was looked for"


@pytest.mark.parametrize("ahead", (0, AHEAD))
def test_no_more_frames_are_taken_than_are_needed(ahead: int) -> None:
    taken = []
    face = SimpleNamespace(device=None, points=None, scene=0)
    worn = while_worn(((taken.append(t) or t, face) for t in range(100)), ahead)
    for done in range(1, 20):
        next(worn)
        assert len(taken) <= done + ahead


@pytest.fixture(scope="module")
def on_and_off(talking_head: np.ndarray, wearer: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Put on in frame 10, taken off in frame 20."""
    return np.concatenate([talking_head[:10], wearer[0][10:20], talking_head[20:30]])


def test_the_mask_comes_and_goes_with_the_headset(
    on_and_off: np.ndarray, wearer: tuple[np.ndarray, np.ndarray]
) -> None:
    covers = list(DetectedHeadset().cover(iter(on_and_off), Wearer()))
    assert [bool(cover.mask.any()) for cover in covers] == [False] * 10 + [True] * 10 + [False] * 10
    for t in range(10, 20):
        found, exact = covers[t].mask, wearer[1][t]
        assert (found & exact).sum() > 0.7 * (found | exact).sum(), f"at once as good as later: frame {t}"


def test_uncovered_frames_stay_as_they_are_and_the_report_says_which(
    tmp_path: Path, on_and_off: np.ndarray, talking_head: np.ndarray
) -> None:
    source = write_clip(tmp_path / "on.mkv", on_and_off, codec="ffv1", pix_fmt="bgr0")
    reference, *_ = reference_from_frames(list(talking_head[30:40]))
    target = tmp_path / "off.mkv"
    report = deocclude_video(source, target, mask=DetectedHeadset(), reference=reference, quality="lossless")
    assert "A headset was removed in frames 10-19; the others are as they came." in report.summary
    with VideoReader(source) as before, VideoReader(target) as after:
        same = [np.array_equal(a.pixels, b.pixels) for a, b in zip(before, after, strict=True)]
    assert same == [True] * 10 + [False] * 10 + [True] * 10


def test_a_headset_on_the_forehead_is_left_alone(talking_head: np.ndarray, talking_head_track: FaceTrack) -> None:
    pushed_up = HeadsetArtist(replace(preset("quest"), shift=(0.0, -8.0)))
    frames, _ = draw_headset(
        talking_head[:8], FaceTrack.stack([talking_head_track[t] for t in range(8)], talking_head_track.size), pushed_up
    )
    with pytest.raises(InputError, match="No headset was found"):
        list(DetectedHeadset().cover(iter(frames), Wearer()))


def test_what_lies_over_the_eyes() -> None:
    device = DevicePatch(np.ones((64, 64), np.float32), np.eye(3)[:2])
    points = np.zeros((478, 3), np.float32)
    points[:, :2] = 32
    assert device.over_eyes(points) == 1
    assert replace(device, probability=np.zeros((64, 64), np.float32)).over_eyes(points) == 0


def test_footage_that_begins_uncovered_is_its_own_reference(tmp_path: Path, on_and_off: np.ndarray) -> None:
    source = write_clip(tmp_path / "on.mp4", on_and_off, options={"crf": "5"})
    reference, frames = own_reference(source)
    assert frames and not set(frames) & set(range(10, 20))
    shown = np.stack([frame.pixels for frame in VideoReader(source)]).astype(int)
    for image in reference.images:
        nearest = int(np.abs(shown - image).mean((1, 2, 3)).argmin())
        assert not 10 <= nearest < 20, "no picture with the headset on"


def test_of_a_stereo_picture_one_view_is_the_reference(tmp_path: Path, on_and_off: np.ndarray) -> None:
    both = np.concatenate([on_and_off, np.roll(on_and_off, -6, axis=2)], axis=2)
    source = write_clip(tmp_path / "sbs.mp4", both, options={"crf": "5"})
    reference, _ = own_reference(source, stereo="side-by-side")
    assert all(image.shape == on_and_off.shape[1:] for image in reference.images)
    with pytest.raises(InputError, match="shows several people"):
        own_reference(source)


def test_footage_that_is_covered_all_the_time_is_not(tmp_path: Path, wearer: tuple[np.ndarray, np.ndarray]) -> None:
    source = write_clip(tmp_path / "on.mp4", wearer[0][:10], options={"crf": "5"})
    with pytest.raises(InputError, match="a headset is before the eyes in all 10 pictures"):
        own_reference(source)


def test_a_picture_without_the_headset_on_the_forehead_is_preferred(
    talking_head: np.ndarray, talking_head_track: FaceTrack
) -> None:
    part = FaceTrack.stack([talking_head_track[t] for t in range(6)], talking_head_track.size)
    pushed_up, _ = draw_headset(talking_head[:6], part, HeadsetArtist(replace(preset("quest"), shift=(0.0, -8.0))))
    _, scores, chosen = reference_from_frames([*pushed_up[:5], talking_head[5]], still=True, count=1)
    assert chosen == [5]
    assert not any(score.covered for score in scores)
