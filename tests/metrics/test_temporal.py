"""Change over time in the hole and the visibility of its edge, on frames small enough to work out by hand."""

import numpy as np
import pytest
import torch

from hmd_removal.metrics.temporal import mask_ring, seam_ratio, temporal_error


def clip(*values: float) -> torch.Tensor:
    """Flat frames (T,4,4,3), one of each grey value."""
    return torch.tensor(values)[:, None, None, None].expand(-1, 4, 4, 3).clone()


def hole_at(frames: int, rows: slice, size: int = 4) -> torch.Tensor:
    hole = torch.zeros(frames, size, size, dtype=torch.bool)
    hole[:, rows] = True
    return hole


def test_flicker_costs_its_step_and_a_constant_error_nothing():
    truth = clip(0.2, 0.3, 0.4, 0.5)
    result = truth + clip(0.1, 0.1, -0.1, -0.1)
    errors = temporal_error(result, truth, hole_at(4, slice(0, 2)))
    assert errors[0].isnan()
    assert errors[1:].tolist() == pytest.approx([0.0, 0.2, 0.0], abs=1e-6)


def test_a_result_that_stands_still_costs_the_motion_of_the_truth():
    truth = clip(0.2, 0.5)
    errors = temporal_error(clip(0.2, 0.2), truth, hole_at(2, slice(0, 4)))
    assert errors[1].item() == pytest.approx(0.3)


def test_pixels_that_enter_or_leave_the_hole_count():
    truth = clip(0.0, 0.0)
    result = truth.clone()
    result[0, 0] = 0.4  # row 0 is filled in frame 0 only, row 1 in both, row 2 in frame 1 only
    hole = hole_at(2, slice(0, 0))
    hole[0, 0:2], hole[1, 1:3] = True, True
    assert temporal_error(result, truth, hole)[1].item() == pytest.approx(0.4 / 3)


def test_temporal_error_is_undefined_without_a_hole():
    assert temporal_error(clip(0.0, 1.0), clip(0.0, 0.0), hole_at(2, slice(0, 0))).isnan().all()


def test_the_ring_is_two_pixels_wide_on_both_sides_of_the_contour():
    hole = hole_at(1, slice(10, 20), size=30)[0].numpy()
    rows = np.flatnonzero(mask_ring(hole).all(axis=1))
    assert rows.tolist() == [8, 9, 10, 11, 18, 19, 20, 21]
    assert mask_ring(hole).sum() == len(rows) * 30


def test_the_border_of_the_frame_is_no_contour():
    assert not mask_ring(np.ones((9, 9), bool)).any()
    reaches_the_top = hole_at(1, slice(0, 5), size=12)[0].numpy()
    assert np.flatnonzero(mask_ring(reaches_the_top).any(axis=1)).tolist() == [3, 4, 5, 6]


def test_seam_ratio_by_hand():
    """A ramp of slope 0.01 a row; the fill is 0.06 too bright from row 6 on. The ring is rows 4 to 7.

    Central differences there: rows 5 and 6 see the step, (0.02 + 0.06) / 2 = 0.04; rows 4 and 7 do not, 0.01.
    """
    truth = (0.01 * torch.arange(12.0))[None, :, None, None].expand(1, 12, 12, 3)
    result = truth.clone()
    result[:, 6:] += 0.06
    assert seam_ratio(result, truth, hole_at(1, slice(6, 12), size=12)).item() == pytest.approx(0.025 / 0.01)


def test_seam_ratio_equals_numpy_gradient_over_the_ring():
    result, truth = torch.rand(2, 1, 24, 31, 3, generator=torch.Generator().manual_seed(0))
    hole = torch.zeros(1, 24, 31, dtype=torch.bool)
    hole[0, 5:17, 20:] = True  # reaches the right border, where the differences are one-sided
    ring = mask_ring(hole[0].numpy())
    slopes = [np.hypot(*np.gradient(x[0].numpy(), axis=(0, 1)))[ring].mean() for x in (result, truth)]
    assert seam_ratio(result, truth, hole).item() == pytest.approx(slopes[0] / slopes[1], rel=1e-5)


def test_seam_ratio_is_undefined_where_nothing_can_be_compared():
    textured = torch.rand(1, 12, 12, 3, generator=torch.Generator().manual_seed(0))
    flat = torch.full((1, 12, 12, 3), 0.5)
    half, none, whole = (hole_at(1, slice(0, rows), size=12) for rows in (6, 0, 12))
    assert seam_ratio(textured, flat, half).isnan().all()
    assert seam_ratio(textured, textured, none).isnan().all()
    assert seam_ratio(textured, textured, whole).isnan().all()
    assert seam_ratio(textured, textured, half).item() == 1
