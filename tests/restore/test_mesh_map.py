"""Where the cells of a grid lie in the picture of a mesh: OpenCV and trying every triangle say the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from faces_of import posed_face

from hmd_removal.restore.grid import GRID, mesh_maps, mesh_maps_by_trying
from hmd_removal.tracking.mesh import extend_points

Maps = tuple[torch.Tensor, torch.Tensor]
WIDTH, HEIGHT = 400, 300  # of the pictures that faces_of poses faces in
METHODS = (mesh_maps, mesh_maps_by_trying)


def shape(**angles: float) -> np.ndarray:
    """(M, 3): an extended mesh in pixels."""
    face = posed_face(**angles)
    return extend_points(face.points.astype(np.float64), face.pose)


def in_cells(mesh: np.ndarray) -> np.ndarray:
    return (mesh - (WIDTH / 2, HEIGHT / 2, 0)) * (GRID / WIDTH) + (GRID / 2, GRID / 2, 0)


SOURCE = torch.from_numpy(shape()[None, :, :2] / WIDTH).float()  # looks ahead
TARGET = in_cells(shape(yaw=30))[None]
EVERYWHERE = torch.ones(1, 1, GRID, GRID, dtype=torch.bool)


@pytest.fixture(scope="module")
def both() -> tuple[Maps, Maps]:
    """One face turned by 30 degrees, in both ways."""
    return mesh_maps(SOURCE, TARGET, EVERYWHERE, [0]), mesh_maps_by_trying(SOURCE, TARGET, EVERYWHERE, [0])


def test_both_show_the_same_kind_in_nearly_all_cells(both: tuple[Maps, Maps]) -> None:
    kinds = [kind for _, kind in both]
    assert kinds[0].dtype == kinds[1].dtype == torch.uint8 and kinds[0].shape == kinds[1].shape == EVERYWHERE.shape
    assert set(kinds[0].unique().tolist()) == set(kinds[1].unique().tolist()) == {0, 1, 2}
    assert (kinds[0] == kinds[1]).float().mean() > 0.99


def test_places_agree_where_both_show_the_same_kind(both: tuple[Maps, Maps]) -> None:
    (places, kind), (tried, tried_kind) = both
    same = ((kind == tried_kind) & (kind > 0))[:, 0]
    off = (places - tried).abs().amax(1)[same]
    # Where the far cheek is folded over, a cell on an edge may go to the triangle in front or to the one behind.
    assert (off < 1e-3).float().mean() > 0.99 and off.median() < 1e-6


def test_a_triangle_seen_nearly_from_its_edge_covers_nothing_far_away(both: tuple[Maps, Maps]) -> None:
    low, high = TARGET[0, :468, :2].min(0), TARGET[0, :468, :2].max(0)
    for _, kind in both:
        rows, columns = (kind[0, 0] == 2).nonzero(as_tuple=True)
        for axis, cells in enumerate((columns, rows)):
            assert cells.min() > low[axis] - 1 and cells.max() < high[axis] + 1


@pytest.mark.parametrize("method", METHODS)
def test_a_mesh_drawn_where_it_is_shows_every_cell_in_its_own_place(method) -> None:
    target = np.concatenate([SOURCE[0].numpy() * GRID, np.zeros((SOURCE.shape[1], 1))], 1)[None]
    places, kind = method(SOURCE, target, EVERYWHERE, [0])
    y, x = torch.meshgrid(torch.arange(GRID) / GRID, torch.arange(GRID) / GRID, indexing="ij")
    shown = (kind > 0)[0, 0]
    assert shown.any() and (places[0] - torch.stack([x, y]))[:, shown].abs().max() < 1e-4
    assert not places[0][:, ~shown].any()


@pytest.mark.parametrize("method", METHODS)
def test_only_the_region_of_each_frame_is_drawn_and_several_pictures_at_one_shape(method) -> None:
    targets = np.concatenate([TARGET, in_cells(shape(yaw=-15))[None]])
    region = torch.zeros(2, 1, GRID, GRID, dtype=torch.bool)
    region[0, :, 50:70, 40:90] = region[1, :, 40:50, 50:80] = True
    places, kind = method(SOURCE.expand(3, -1, -1), targets, region, [0, 1, 1])
    assert places.shape == (3, 2, GRID, GRID) and kind.shape == (3, 1, GRID, GRID)
    assert not kind[~region[[0, 1, 1]]].any() and all(one.any() for one in kind)
    assert torch.equal(kind[1], kind[2]) and torch.equal(places[1], places[2])
    alone, kind_alone = method(SOURCE, targets[1:], region[1:], [0])
    assert torch.equal(kind[1:2], kind_alone) and torch.allclose(places[1:2], alone, atol=1e-6)
