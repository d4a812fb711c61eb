"""What networks are given, and what is made of their answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hmd_removal.models.aligned_generator import CHANNELS, Generated
from hmd_removal.models.recall import GUESSED
from hmd_removal.restore.filler import Filling, Remembered, Window
from hmd_removal.restore.grid import cells
from hmd_removal.restore.network_inputs import (
    DLIB_68,
    KEPT_FACE,
    LINES,
    WIDTH,
    contour_image,
    contours,
    generated,
    generator_inputs,
    memory_of,
    recalled,
    restrained,
)
from hmd_removal.restore.paste import composed
from hmd_removal.restore.warp import Fitted
from hmd_removal.tracking.geometry import canonical_points
from hmd_removal.tracking.track import FaceTrack


@pytest.fixture
def face() -> np.ndarray:
    """The mean face in a picture of 128 pixels, with irises somewhere."""
    points = canonical_points()[:, :2] * 6 + 64
    return np.concatenate([points, np.full((10, 2), 64.0)])


def test_the_table_has_every_point_of_dlib_once_and_is_symmetric() -> None:
    assert len(DLIB_68) == len(set(DLIB_68)) == 68
    assert [last - first + 1 for first, last, _ in LINES] == [17, 5, 5, 4, 5, 6, 6, 12, 8]
    points = canonical_points()[list(DLIB_68)]
    mirrored = points * (-1, 1, 1)
    jaw = np.arange(17)
    assert np.allclose(points[jaw], mirrored[jaw[::-1]], atol=0.3)  # centimetres
    assert np.allclose(points[17:22], mirrored[26:21:-1], atol=0.3)
    assert np.allclose(points[27:31, 0], 0, atol=0.1)  # the nose's bridge is in the middle


def test_lines_join_the_points_with_the_value_one(face: np.ndarray) -> None:
    picture = contour_image(face, 128)
    assert picture.shape == (128, 128) and picture.dtype == np.float32
    assert picture.max() == pytest.approx(1, abs=0.01) and picture.min() == 0
    on_line = np.round(face[list(DLIB_68)]).astype(int)
    assert picture[on_line[:, 1], on_line[:, 0]].mean() > 0.7
    assert 0.01 < (picture > 0).mean() < 0.12


def test_lines_are_smooth_at_their_edges_and_follow_parts_of_a_pixel(face: np.ndarray) -> None:
    picture, moved = contour_image(face, 128), contour_image(face + 0.5, 128)
    assert ((picture > 0) & (picture < 1)).any()
    assert not np.array_equal(picture, moved)


def test_a_line_is_as_wide_in_a_larger_picture(face: np.ndarray) -> None:
    small, large = contour_image(face, 128), contour_image(face * 4, 512)
    assert WIDTH * 128 == 1
    assert (small > 0.5).mean() == pytest.approx((large > 0.5).mean(), rel=0.35)


def test_lines_of_guessed_points_are_half_as_bright(face: np.ndarray) -> None:
    known = np.ones(478)
    known[list(DLIB_68[36:42])] = 0  # one eye
    picture = contour_image(face, 128, known)
    left, top = np.floor(face[list(DLIB_68[36:42])].min(0)).astype(int)
    right, bottom = np.ceil(face[list(DLIB_68[36:42])].max(0)).astype(int)
    assert picture[top : bottom + 1, left : right + 1].max() == pytest.approx(GUESSED, abs=0.03)
    assert picture.max() > 0.95


def test_a_shut_eye_is_a_thinner_loop(talking_head_track: FaceTrack) -> None:
    points = talking_head_track.points[0][:, :2].astype(np.float64)
    points = (points - points.mean(0)) * 2 + 128
    shut = points.copy()
    for upper, lower in ((160, 144), (158, 153), (385, 380), (387, 373)):
        shut[upper] = shut[lower]
    assert contour_image(shut, 256).sum() < contour_image(points, 256).sum()


def window_of(face: np.ndarray, side: int, remembered: Remembered | None = None) -> Window:
    points = np.column_stack([face, np.zeros(len(face))])[None]
    return Window(
        torch.zeros(1, 3, side, side), torch.ones(1, 1, side, side), points, np.ones((1, 478)), remembered=remembered
    )


def test_a_windows_lines_may_be_wanted_in_another_size(face: np.ndarray) -> None:
    window = window_of(face, 128)
    assert np.array_equal(contours(window)[0, 0], contour_image(face, 128))
    assert np.array_equal(contours(window, 256)[0, 0], contour_image(face * 2, 256))


def test_cells_of_which_only_a_part_is_remembered_do_not_count(face: np.ndarray) -> None:
    known = torch.tensor([[1.0, 0.99], [0.5, 0.0]])[None, None]
    remembered = Remembered(torch.full((1, 3, 2, 2), 0.6), known, torch.full((1, 1, 2, 2), 0.25))
    whole, *others = memory_of(window_of(face, 2, remembered))[0].flatten(1).T
    assert torch.allclose(whole, torch.tensor([0.6, 0.6, 0.6, 1, 0.25]))
    assert not torch.stack(others).any()


def answer(side: int = 64, **values: float) -> Generated:
    """What a generator says of two frames, the same everywhere."""
    sizes = {"displacement": (2, side // 4), "tint": (3, side // 4), "drawing": (3, side), "share": (1, side)}
    return Generated(**{name: torch.full((2, c, n, n), values.get(name, 0.0)) for name, (c, n) in sizes.items()})


def a_reference(side: int = 64) -> Fitted:
    """A ramp, shown where it is but for the lowest quarter, where nothing is known and 0.25 is seen."""
    y, x = torch.meshgrid(torch.arange(side) / side, torch.arange(side) / side, indexing="ij")
    known = torch.ones(2, 1, side, side)
    known[..., 3 * side // 4 :, :] = 0
    seen = torch.where(known > 0, x, 0.25).expand(2, 3, -1, -1).contiguous()
    places = torch.stack([x, y]).expand(2, -1, -1, -1).contiguous()
    return Fitted(Filling(seen, (0, 0), places, known, torch.zeros(2, 3, side, side)), seen)


def test_an_answer_of_nothing_leaves_the_reference_and_a_displacement_moves_it() -> None:
    fitted = a_reference()
    picture = fitted.pictures[:, :, :1].expand(-1, -1, 64, -1)  # of which the ramp is taken
    where = cells(64, torch.device("cpu"))
    still = composed(generated(fitted, answer()), where, picture)
    assert torch.allclose(still[..., :47, :], fitted.pictures[..., :47, :], atol=1e-3)
    moved = composed(generated(fitted, answer(displacement=0.05)), where, picture)
    inner = (..., slice(4, 40), slice(4, 56))
    assert torch.allclose(moved[inner], still[inner] + 0.05, atol=2e-3)
    tinted = composed(generated(fitted, answer(tint=0.1)), where, picture)
    assert torch.allclose(tinted[inner], still[inner] + 0.1, atol=2e-3)


def test_a_drawing_is_seen_by_its_share_and_where_the_reference_shows_nothing() -> None:
    fitted = a_reference()
    where, picture = cells(64, torch.device("cpu")), fitted.pictures[:, :, :1].expand(-1, -1, 64, -1)
    drawn = composed(generated(fitted, answer(drawing=0.2, share=0.5)), where, picture)
    assert torch.allclose(drawn[..., 10:40, 10:50], fitted.pictures[..., 10:40, 10:50] + 0.1, atol=2e-3)
    assert torch.allclose(drawn[..., 52:, 10:50], torch.tensor(0.45), atol=2e-3)


def test_less_is_drawn_on_the_face_and_no_more_done_than_is_needed() -> None:
    kind = torch.ones(2, 1, 64, 64)
    kind[..., :32] = 2
    found = restrained(answer(displacement=0.04, tint=0.2, drawing=0.3, share=0.8), kind, torch.tensor([1.0, 0.25]))
    assert torch.allclose(found.displacement, torch.tensor([0.04, 0.01])[:, None, None, None])
    assert torch.allclose(found.tint, torch.tensor([0.2, 0.05])[:, None, None, None])
    assert (found.drawing == 0.3).all()
    assert torch.allclose(found.share[:, 0, 5, 5], 0.8 * (1 - KEPT_FACE) * torch.tensor([1.0, 0.25]))
    assert torch.allclose(found.share[:, 0, 5, -5], 0.8 * torch.tensor([1.0, 0.25]))
    assert found.share[0, 0, 0].diff().max() < 0.2, "no seam along the face"


def test_what_is_remembered_differs_from_what_is_shown() -> None:
    fitted, found = a_reference(), answer(drawing=0.2, share=0.5)
    memory = torch.cat([torch.full((2, 3, 64, 64), 0.9), torch.ones(2, 2, 64, 64)], 1)
    filling = recalled(generated(fitted, found), found.drawing, memory, torch.zeros(2, 1, 64, 64))
    shown = fitted.pictures + torch.where(fitted.filling.known > 0, 0.1, 0.2)
    inner = (..., slice(8, 40), slice(8, 56))  # where the ramp is as coarse as itself
    assert torch.allclose(filling.coarse[inner], (0.9 - shown)[inner], atol=5e-3)


def test_a_network_is_not_shown_the_device() -> None:
    fitted = a_reference()
    frames, holes = torch.rand(2, 3, 64, 64), torch.zeros(2, 1, 64, 64)
    holes[..., 20:40, 20:44] = 1
    kind = torch.ones(2, 1, 64, 64)
    plastic = torch.where(holes > 0, 0.0, frames)
    first, second = (generator_inputs(x, holes, kind, fitted) for x in (frames, plastic))
    assert first.shape == (2, CHANNELS, 64, 64) and torch.equal(first, second)
    plastic[..., 19, 20:44] = 0.0  # the device's edge shines through beside the hole
    assert torch.equal(first, generator_inputs(plastic, holes, kind, fitted))


@pytest.mark.parametrize(("logit", "kept"), [(-1.0, 0.0), (1.0, 1.0)])
def test_what_is_coarse_is_mixed_with_the_memory_and_what_is_fine_comes_from_one_of_them(
    logit: float, kept: float
) -> None:
    """The mean of two that do not quite meet is nearer to the truth than a wrong choice, but blurred."""
    stripes = (torch.arange(64) % 2).float().expand(2, 3, 64, 64)  # a cell wide, without a coarse part
    black = torch.zeros(2, 3, 64, 64)
    fitted = a_reference()
    fitted = Fitted(replace(fitted.filling, drawn=black), black)
    remembered, known = 0.5 + 0.2 * stripes, torch.ones(2, 1, 64, 64)
    memory, share = torch.cat([remembered, known, known], 1), torch.full((2, 1, 64, 64), logit)
    filling = recalled(generated(fitted, answer()), answer().drawing, memory, share)
    found = composed(filling, cells(64, torch.device("cpu")), black, (remembered, known))
    inner = found[..., 8:40, 8:-8]
    assert inner.amax() - inner.amin() == pytest.approx(0.2 * kept, abs=0.02)
    assert inner.mean() == pytest.approx(0.6 / (1 + np.exp(-logit)), abs=0.01)
    nothing = composed(filling, cells(64, torch.device("cpu")), black, (remembered, 0 * known))
    assert (nothing[..., 8:40, 8:-8].amax() - nothing[..., 8:40, 8:-8].amin()) < 0.02, "nothing fine is remembered"
