"""Masks as other tools make them: the hole is the same, or one sentence says what was seen."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import write_clip

from hmd_removal.errors import InputError
from hmd_removal.headset.given import beside, fitted

HOLE = np.zeros((96, 128), bool)
HOLE[30:60, 40:100] = True
TIMES = np.arange(10) / 25


def picture(tmp_path: Path, pixels: np.ndarray) -> Path:
    """pixels: (H, W), (H, W, 3) RGB or (H, W, 4) RGBA."""
    path = tmp_path / "mask.png"
    order = {2: ..., 3: (..., slice(None, None, -1))}.get(pixels.ndim if pixels.shape[2:] != (4,) else 2)
    cv2.imwrite(str(path), pixels[order] if pixels.shape[2:] != (4,) else cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA))
    return path


def coloured(*rgb: int) -> np.ndarray:
    return np.uint8(HOLE[..., None] * np.array(rgb))


def cut_out(photograph: np.ndarray) -> np.ndarray:
    """As ComfyUI's mask editor stores a mask: the picture itself, transparent in the hole."""
    return np.dstack([photograph, np.uint8(255 * ~HOLE)])


SOFT = cv2.GaussianBlur(np.float32(HOLE), (0, 0), 3)
NOISE = np.random.default_rng(0).integers(0, 256, (96, 128, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("pixels", "remark"),
    [
        (np.uint8(255 * HOLE), ""),
        (np.uint16(65535 * HOLE), ""),
        (coloured(255, 255, 255), ""),
        (coloured(255, 0, 0), r"not white but \(255, 0, 0\)"),
        (coloured(128, 0, 0), r"not white but \(128, 0, 0\)"),
        (np.uint8(84 * HOLE), "grey, 84 of 255"),
        (np.uint8(HOLE), "the one label 1"),
        (np.uint8(7 * HOLE), "the one label 7"),
        (np.uint8(255 * SOFT), ""),
        (cut_out(NOISE), "what is transparent is the hole"),
    ],
)
def test_pictures(tmp_path: Path, pixels: np.ndarray, remark: str) -> None:
    frames = beside(picture(tmp_path, pixels), TIMES)
    masks = list(frames)
    assert len(masks) == 10 and all(np.array_equal(mask, masks[0]) for mask in masks)
    assert masks[0].dtype == np.uint8 and (masks[0] > 0)[HOLE].mean() > 0.97 and (masks[0] > 0)[~HOLE].mean() < 0.02
    if remark:
        assert len(frames.remarks) == 1 and re.search(remark, frames.remarks[0])
    else:
        assert frames.remarks == ()


@pytest.mark.parametrize("scale", [1.0, 0.33, 1 / 255])
def test_arrays(scale: float) -> None:
    (mask, *_) = beside(np.float32(HOLE)[None] * scale, TIMES)
    assert np.array_equal(mask > 0, HOLE)


def two_objects() -> np.ndarray:
    pixels = coloured(255, 0, 0)
    pixels[70:90, 10:60] = (0, 255, 0)
    return pixels


def labels() -> np.ndarray:
    pixels = np.uint8(HOLE)
    pixels[70:90, 10:60], pixels[5:20, 5:20] = 2, 3
    return pixels


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (NOISE, "as a photograph"),
        (two_objects(), "several colours"),
        (labels(), "3 labels, 1 to 3"),
        (np.dstack([NOISE, np.uint8(255 * HOLE)]), "transparent in 85% of the picture"),
    ],
)
def test_what_is_not_clear_is_refused_in_one_sentence(tmp_path: Path, pixels: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        beside(picture(tmp_path, pixels), TIMES)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def clip(path: Path, count: int, rate: int, colour: tuple[int, int, int] = (255, 255, 255)) -> Path:
    """A hole that moves to the right by the second: its left edge is at 10 + 50 t."""
    frames = np.zeros((count, 96, 128, 3), np.uint8)
    for k in range(count):
        x = round(10 + 50 * k / rate)
        frames[k, 30:60, x : x + 40] = colour
    return write_clip(path, frames, fps=Fraction(rate), options={"crf": "1"})


def edges(frames) -> list[int]:
    return [int(np.nonzero(mask.any(0))[0][0]) for mask in frames]


def test_a_mask_of_another_frame_rate_is_paired_by_time(tmp_path: Path) -> None:
    frames = beside(clip(tmp_path / "m.mp4", 30, 30), np.arange(20) / 20)
    assert np.abs(np.array(edges(frames)) - (10 + 50 * np.arange(20) / 20)).max() <= 2
    assert "paired by time" in frames.remarks[0]


def test_dark_noise_is_no_map_of_labels(tmp_path: Path) -> None:
    """No sample happens to show the headset; elsewhere the black is not quite black."""
    masks = np.random.default_rng(0).integers(0, 3, (300, 96, 128)) / 255
    masks[150:164, 30:60, 40:100] = 1
    found = np.stack(list(beside(masks.astype(np.float32), np.arange(300) / 25)))
    assert found[:150].sum() == found[164:].sum() == 0 and np.array_equal(found[155] > 0, HOLE)


def test_a_long_mask_must_last_as_long_as_its_video() -> None:
    with pytest.raises(InputError, match="The mask has 14702 frames, but the video has 15000"):
        beside(np.zeros((14702, 2, 2), np.float32), np.arange(15000) / 25)


@pytest.mark.parametrize("count", [24, 26])
def test_one_frame_too_many_or_too_few_is_forgiven(tmp_path: Path, count: int) -> None:
    frames = beside(clip(tmp_path / "m.mp4", count, 25), np.arange(25) / 25)
    found = edges(frames)
    assert len(found) == 25 and np.abs(np.array(found)[:24] - (10 + 2 * np.arange(24))).max() <= 1
    assert f"The mask has {count} frames, the video 25" in frames.remarks[0]


def test_a_red_video_is_read_as_a_white_one(tmp_path: Path) -> None:
    white = list(beside(clip(tmp_path / "w.mp4", 10, 25), TIMES))
    red = list(beside(clip(tmp_path / "r.mp4", 10, 25, (255, 0, 0)), TIMES))
    assert np.mean(np.stack(white) != np.stack(red)) < 0.02


def test_another_length_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"The mask has 4 frames over 0.1 s, but the video has 10 over 0.4 s"):
        beside(clip(tmp_path / "m.mp4", 4, 25), TIMES)
    with pytest.raises(InputError, match="The mask has 4 frames, but the video has 10"):
        beside(np.zeros((4, 96, 128), np.float32), TIMES)


@pytest.mark.parametrize("factor", [0.25, 0.5, 1.5])
def test_a_mask_of_the_same_shape_is_resized(factor: float) -> None:
    small = cv2.resize(np.uint8(HOLE), None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
    assert np.mean(fitted(small, HOLE.shape) != HOLE) < 0.015  # a quarter of a pixel of the small one


def test_a_mask_of_another_shape_stays_as_it_is() -> None:
    assert fitted(np.uint8(HOLE[:, :96]), HOLE.shape).shape == (96, 96)
