"""Fields on the small grid over a crop: where their cells lie, and what is done to them, against exact answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hmd_removal.restore.grid import blurred, cells, grown, membrane, moved, on_grid, sampled
from hmd_removal.tracking.crop import Crop

SIDE = 32


def noise(channels: int = 2) -> torch.Tensor:
    """(1, C, SIDE, SIDE) in [0, 1]."""
    return torch.rand(1, channels, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def one_cell(row: int, column: int) -> torch.Tensor:
    field = torch.zeros(1, 1, SIDE, SIDE)
    field[..., row, column] = 1
    return field


class TestOnGrid:
    @pytest.mark.parametrize("side", [40.0, 100.0, 230.0])  # enlarged, about as it is, shrunk
    @pytest.mark.parametrize("roll", [0.0, 25.0])
    def test_a_cell_shows_the_place_that_the_matrix_of_the_crop_takes_there(self, side, roll):
        rows, columns = np.indices((400, 500), np.float32)
        ramps = np.stack([columns / 500, rows / 400, columns * 0 + 0.5], 2)
        crop = Crop(250, 200, side, roll)
        found = on_grid(ramps, crop, SIDE)
        to_frame = np.linalg.inv(np.vstack([crop.matrix(SIDE), (0, 0, 1)]))
        y, x = np.indices((SIDE, SIDE))
        places = np.einsum("ij,jhw->ihw", to_frame[:2], np.stack([x, y, np.ones_like(x)]))
        # At the edge of the picture of means the last one repeats; OpenCV knows places by 1/32 of a pixel.
        inner = np.s_[1:-1, 1:-1]
        off = [np.abs(found[i].numpy() * (500, 400)[i] - places[i])[inner].max() for i in (0, 1)]
        assert max(off) < 0.05 * max(side / SIDE, 1)
        assert found[2].numpy() == pytest.approx(0.5, abs=1e-5)

    def test_codes_become_shares_and_a_mask_one_channel(self):
        crop = Crop(50, 50, 60)
        assert torch.equal(on_grid(np.full((100, 100), 255, np.uint8), crop, SIDE), torch.ones(1, SIDE, SIDE))
        assert torch.equal(on_grid(np.full((100, 100, 3), 51, np.uint8), crop, SIDE), torch.full((3, SIDE, SIDE), 0.2))

    def test_no_part_of_a_hole_is_lost_where_it_shrinks(self):
        hole = np.zeros((512, 512), np.uint8)
        hole[::16, ::16] = 255  # specks of one pixel in every cell
        assert (on_grid(hole, Crop(256, 256, 512), SIDE) > 0).all()


class TestMoved:
    def test_steps_of_whole_cells_are_exact_and_edges_go_on(self):
        fields, steps = noise(), torch.zeros(1, 2, SIDE, SIDE)
        steps[:, 0], steps[:, 1] = 3 / SIDE, -2 / SIDE  # what lies three cells right of here and two above
        columns, rows = (torch.arange(SIDE) + 3).clamp(max=SIDE - 1), (torch.arange(SIDE) - 2).clamp(min=0)
        assert torch.allclose(moved(fields, steps), fields[:, :, rows][..., columns], atol=1e-5)

    def test_half_a_cell_is_the_mean_of_two(self):
        fields, steps = noise(), torch.zeros(1, 2, SIDE, SIDE)
        steps[:, 0] = 0.5 / SIDE
        between = (fields[..., :-1] + fields[..., 1:]) / 2
        assert torch.allclose(moved(fields, steps)[..., :-1], between, atol=1e-5)

    def test_cells_are_sampled_as_they_are(self):
        fields = noise()
        assert torch.allclose(sampled(fields, cells(SIDE, fields.device)), fields, atol=1e-5)


class TestBlurred:
    def test_what_is_constant_stays_up_to_the_edge(self):
        assert torch.allclose(blurred(torch.full((1, 2, SIDE, SIDE), 0.3), 2.0), torch.tensor(0.3), atol=1e-6)

    def test_one_cell_becomes_a_gaussian(self):
        found = blurred(one_cell(16, 12), 1.5)[0, 0]
        assert found.sum() == pytest.approx(1, abs=1e-5)
        assert found[16, 12] / found[16, 15] == pytest.approx(np.exp(2), rel=1e-4)  # two deviations away
        assert found[16, 15] == pytest.approx(float(found[19, 12]), rel=1e-4)


class TestGrown:
    def test_a_cell_becomes_the_square_around_it(self):
        expected = torch.zeros(1, 1, SIDE, SIDE, dtype=torch.bool)
        expected[..., 7:14, 17:24] = True
        assert torch.equal(grown(one_cell(10, 20), 3), expected)

    def test_the_smallest_share_of_a_cell_counts_and_the_edge_cuts(self):
        found = grown(one_cell(0, SIDE - 1) * 1e-4, 2)
        assert found[..., :3, -3:].all() and found.sum() == 9

    def test_nothing_grows_from_nothing_and_nothing_by_zero(self):
        assert not grown(torch.zeros(1, 1, SIDE, SIDE), 4).any()
        holes = (noise(1) > 0.7).float()
        assert torch.equal(grown(holes, 0), holes > 0)


class TestMembrane:
    def test_one_known_value_is_spread_everywhere(self):
        values = torch.tensor((0.2, -0.1, 0.4))[None, :, None, None].expand(1, 3, SIDE, SIDE)
        known = torch.zeros(1, 1, SIDE, SIDE)
        known[..., 5:8, 20:24] = 1
        elsewhere = values + 9 * (1 - known)  # what has no weight does not count
        assert torch.allclose(membrane(elsewhere, known), values, atol=1e-4)

    def test_without_any_weight_it_is_zero(self):
        assert not membrane(noise(), torch.zeros(1, 1, SIDE, SIDE)).any()

    def test_between_two_values_it_lies_between_and_keeps_to_what_is_near(self):
        known = torch.zeros(1, 1, SIDE, SIDE)
        known[..., :4] = known[..., -4:] = 1
        values = torch.zeros(1, 1, SIDE, SIDE)
        values[..., -4:] = 1
        found = membrane(values, known)[0, 0]
        assert found.min() >= 0 and found.max() <= 1
        assert found[:, :4].max() < 0.1 and found[:, -4:].min() > 0.9
        assert (found.diff(dim=1) > -1e-5).all()  # one way from left to right

    def test_frames_do_not_touch_each_other(self):
        values, weights = noise(3).expand(2, -1, -1, -1).clone(), (noise(1) > 0.8).float().repeat(2, 1, 1, 1)
        values[1] = 0
        assert torch.allclose(membrane(values, weights)[:1], membrane(values[:1], weights[:1]), atol=1e-6)
