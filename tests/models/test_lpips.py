"""LPIPS against the numbers of the `lpips` package (0.1.4, net="alex") on pictures of scikit-image."""

import os
from pathlib import Path

import pytest
import torch
from skimage import data, io
from torch.nn import functional as F

from hmd_removal.errors import InputError
from hmd_removal.models.lpips import LPIPS
from hmd_removal.weights import WeightsMissing


@pytest.fixture(scope="module")
def network() -> LPIPS:
    try:
        return LPIPS.pretrained()
    except WeightsMissing as missing:
        pytest.skip(str(missing))


def picture(name: str) -> torch.Tensor:
    return torch.tensor(getattr(data, name)()).permute(2, 0, 1)[None] / 255


def pairs() -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    astronaut, coffee, chelsea = (picture(name) for name in ("astronaut", "coffee", "chelsea"))
    return {
        "mirrored": (astronaut, astronaut.flip(3)),
        "blurred": (astronaut, F.avg_pool2d(astronaut, 5, 1, 2, count_include_pad=False)),
        "darker": (astronaut, astronaut * 0.8),
        "another picture": (astronaut[..., :400, :400], coffee[..., :400, :400]),
        "odd sizes": (chelsea[..., :101, :83], coffee[..., :101, :83]),
    }


# The distance, the mean of the spatial map, and the mean of the map's upper half.
EXPECTED = {
    "mirrored": (0.725727, 0.725730, 0.728502),
    "blurred": (0.241523, 0.241525, 0.226240),
    "darker": (0.023922, 0.023923, 0.036510),
    "another picture": (0.753594, 0.753596, 0.802506),
    "odd sizes": (0.658101, 0.658104, 0.703669),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_distances_are_those_of_the_lpips_package(network, name):
    a, b = pairs()[name]
    distance, mean, upper = EXPECTED[name]
    spatial = network(a, b, spatial=True)
    assert spatial.shape == (1, *a.shape[2:])
    assert network(a, b).tolist() == pytest.approx([distance], abs=1e-4)
    assert spatial.mean().item() == pytest.approx(mean, abs=1e-4)
    assert spatial[:, : a.shape[2] // 2].mean().item() == pytest.approx(upper, abs=1e-4)


# The folder imgs of github.com/richzhang/PerceptualSimilarity, which no public package carries.
PICTURES = os.environ.get("HMD_REMOVAL_LPIPS_PICTURES")


@pytest.mark.skipif(PICTURES is None, reason="needs LPIPS's own pictures: HMD_REMOVAL_LPIPS_PICTURES names no folder")
@pytest.mark.parametrize(("other", "distance"), [("ex_p0", 0.7219), ("ex_p1", 0.1376)])
def test_distances_of_the_pictures_that_lpips_is_shown_with(network, other, distance):
    reference, changed = (
        torch.tensor(io.imread(Path(PICTURES) / f"{name}.png")[..., :3]).permute(2, 0, 1)[None] / 255
        for name in ("ex_ref", other)
    )
    assert network(reference, changed).item() == pytest.approx(distance, abs=1e-3)


def test_a_batch_is_its_pictures_one_by_one_and_order_does_not_matter(network):
    a, b = (torch.cat(side) for side in zip(pairs()["mirrored"], pairs()["darker"], strict=True))
    together = network(a, b)
    assert together.tolist() == pytest.approx([0.725727, 0.023922], abs=1e-4)
    torch.testing.assert_close(network(b, a), together)


def test_identical_pictures_are_at_distance_zero(network):
    a = picture("chelsea")
    assert network(a, a).item() == 0
    assert network(a, a, spatial=True).count_nonzero() == 0


def test_a_change_shows_where_it_is(network):
    a = picture("astronaut")
    b = a.clone()
    b[..., 200:280, 100:180] = 0.5
    spatial = network(a, b, spatial=True)[0]
    # Everything further away than the widest receptive field, 195 pixels, is untouched.
    assert spatial[:, 400:].max() == 0
    assert spatial[200:280, 100:180].mean() > 10 * spatial.mean()


def test_gradients_are_finite_even_on_flat_black(network):
    a = torch.zeros(1, 3, 64, 64, requires_grad=True)
    network(a, torch.full_like(a, 0.5)).sum().backward()
    assert a.grad.isfinite().all()
    assert a.grad.abs().sum() > 0


def test_32_pixels_are_enough_and_31_are_not():
    network = LPIPS()
    assert network(torch.zeros(1, 3, 32, 32), torch.ones(1, 3, 32, 32)).shape == (1,)
    with pytest.raises(InputError, match="at least 32x32 pixels, got 40x31"):
        network(torch.zeros(1, 3, 31, 40), torch.zeros(1, 3, 31, 40))


@pytest.mark.parametrize(
    ("a", "b"),
    [((1, 3, 64, 64), (1, 3, 64, 65)), ((1, 64, 64, 3), (1, 64, 64, 3)), ((3, 64, 64), (3, 64, 64))],
)
def test_shapes_must_be_one_rgb_batch(a, b):
    with pytest.raises(InputError, match="two RGB batches of one shape"):
        LPIPS()(torch.zeros(a), torch.zeros(b))
