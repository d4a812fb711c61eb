"""Colour matching and compositing, against answers that are known."""

import numpy as np
import pytest
import torch

from hmd_removal.restore.filler import Filling, Source
from hmd_removal.restore.paste import blend_weights, feather_width, pasted
from hmd_removal.restore.rim import matching_tint
from hmd_removal.tracking.crop import Crop

SIDE = 128


def hole() -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[40:80, 30:100] = 1
    return mask


def texture() -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    return np.stack([0.4 + 0.1 * np.sin(9 * x), 0.4 + 0.1 * np.cos(7 * y), 0.5 + 0.05 * np.sin(8 * (x + y))], 2).astype(
        np.float32
    )


ALL_FACE = np.full((SIDE, SIDE), 2, np.uint8)


def matched(picture: np.ndarray, frame: np.ndarray, hole: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """The picture with its colours matched to the frame."""
    pictures, frames = (torch.from_numpy(x).permute(2, 0, 1)[None] for x in (picture, frame))
    tint = matching_tint(pictures, frames, *(torch.from_numpy(x)[None, None] for x in (hole.astype(np.float32), kind)))
    return (pictures + tint)[0].permute(1, 2, 0).numpy()


def paste(frame: np.ndarray, mask: np.ndarray, drawn: np.ndarray, crop: Crop) -> np.ndarray:
    """The frame with what is drawn on a crop's grid in its hole."""
    filling = Filling(torch.from_numpy(drawn).permute(2, 0, 1)[None].float())
    return pasted(Source(frame, mask * np.uint8(255), crop), filling, 0, None)


class TestMatchingTint:
    def test_a_constant_shift_of_light_is_undone(self):
        frame = texture()
        shifted = frame - np.float32((0.08, -0.05, 0.02))
        assert np.abs(matched(shifted, frame, hole(), ALL_FACE) - frame)[hole() > 0].max() < 0.004

    def test_light_from_one_side_is_followed(self):
        frame = texture()
        slope = np.linspace(-0.08, 0.08, SIDE, dtype=np.float32)[None, :, None]
        error = matched(frame + slope, frame, hole(), ALL_FACE) - frame
        assert np.abs(error)[hole() > 0].mean() < 0.25 * np.abs(slope).mean()

    def test_hair_beside_the_hole_does_not_stain_the_skin(self):
        frame = texture()
        frame[:, 104:] = 0.05  # hair that the reference does not have
        filled = matched(texture(), frame, hole(), ALL_FACE)
        assert np.abs(filled - texture())[hole() > 0].mean() < 0.01

    def test_without_a_ring_nothing_changes(self):
        everything = np.ones((SIDE, SIDE), np.uint8)
        assert (matched(texture(), texture() * 0.5, everything, ALL_FACE) == texture()).all()


def identity_crop(side: int = SIDE) -> Crop:
    return Crop(side / 2, side / 2, side)


def test_a_strap_that_ends_just_above_the_crop_is_filled_and_a_far_hole_is_not():
    frame, mask = np.zeros((200, SIDE, 3), np.float32), np.zeros((200, SIDE), np.uint8)
    mask[98:120, 50:80] = 1
    mask[10:20, 50:80] = 1
    out = paste(frame, mask, np.ones((SIDE, SIDE, 3), np.float32), Crop(SIDE / 2, 100 + SIDE / 2, SIDE))
    assert (out[98:120, 50:80] == 1).all()
    assert (out[:90] == 0).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_pasting_changes_only_hole_and_feather(dtype):
    rng = np.random.default_rng(0)
    frame = rng.random((SIDE, SIDE, 3)).astype(np.float32)
    frame = (frame * 255).astype(np.uint8) if dtype == np.uint8 else frame
    filling = np.ones((SIDE, SIDE, 3), np.float32)
    out = paste(frame, hole(), filling, identity_crop())
    feather = feather_width(identity_crop())
    weights = blend_weights(hole(), feather)
    assert out.dtype == frame.dtype
    assert (out[weights == 0] == frame[weights == 0]).all()
    assert (out[hole() > 0] == (255 if dtype == np.uint8 else 1)).all()
    reach = np.zeros_like(hole())
    reach[40 - feather : 80 + feather, 30 - feather : 100 + feather] = 1
    assert (weights[reach == 0] == 0).all() and weights[39, 60] == pytest.approx(feather / (feather + 1), abs=0.05)


def test_an_empty_mask_changes_nothing():
    frame = np.random.default_rng(0).random((SIDE, SIDE, 3)).astype(np.float32)
    assert (paste(frame, np.zeros_like(hole()), np.ones_like(frame), identity_crop()) == frame).all()


def test_beyond_the_crop_the_frame_stays():
    frame = np.zeros((SIDE, SIDE, 3), np.float32)
    out = paste(frame, hole(), np.ones((64, 64, 3), np.float32), identity_crop(64))
    assert (out[hole() > 0].reshape(-1, 3).max() == 1) and (out[:, 66:] == 0).all()


def test_a_turned_crop_goes_back_where_it_came_from():
    frame = np.repeat(texture()[..., :1], 3, 2)
    crop = Crop(64, 64, SIDE, roll=20)
    out = paste(frame, hole(), crop.take(frame, SIDE), crop)
    assert np.abs(out - frame).max() < 0.01


def test_a_wall_of_another_colour_is_matched_and_hair_before_it_is_not_stained():
    kind = np.ones((SIDE, SIDE), np.uint8)
    kind[:, :60] = 2  # the face on the left, wall on the right, hair between them
    wall, hair = np.s_[:, 76:], np.s_[:, 60:76]
    filling, frame = texture(), texture()
    filling[hair] = frame[hair] = 0.1
    filling[wall], frame[wall] = (0.1, 0.5, 0.8), (0.3, 0.6, 0.6)
    filled = matched(filling, frame, hole(), kind)
    inside = hole() > 0
    # near the hair the two mix; a few pixels further the wall is that of the frame
    assert np.abs(filled - frame)[:, 92:][inside[:, 92:]].mean() < 0.05
    assert np.abs(filled - frame)[hair][inside[hair]].mean() < 0.04
    assert np.abs(filled - frame)[:, :56][inside[:, :56]].mean() < 0.01
