"""MTCNN: what it does with boxes, by hand; its networks and its faces, beside facenet-pytorch."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from safetensors.numpy import load
from skimage import data

from hmd_removal.lab.networks.mtcnn import MTCNN, BoxNet, best_of_overlapping, cells, moved, pyramid, squared
from hmd_removal.weights import WeightsMissing
from hmd_removal.weights.convert import convert

BOXES = torch.tensor([[0.0, 0, 10, 10], [2, 0, 12, 10], [20, 20, 40, 40], [25, 25, 35, 35]])


@pytest.fixture(scope="module")
def mtcnn() -> MTCNN:
    try:
        return MTCNN.pretrained()
    except WeightsMissing as missing:
        pytest.skip(str(missing))


def test_scales_take_faces_of_every_size_to_a_cell():
    scales = pyramid((100, 160), 24, 0.5)
    assert scales == [0.5, 0.25, 0.125]  # at half of that the picture would be 6.25 pixels high, a cell has 12
    assert [12 / scale for scale in scales] == [24, 48, 96]
    assert pyramid((20, 500), 24, 0.5) == []


def test_places_of_the_map_are_two_pixels_apart_and_twelve_wide():
    found = cells((2, 3), 0.5)
    expected = [[0, 0], [4, 0], [8, 0], [0, 4], [4, 4], [8, 4]]  # left and top in the picture, row by row
    assert found[:, :2].tolist() == expected
    assert (found[:, 2:] - found[:, :2] == 24).all()


def test_offsets_are_in_widths_and_heights():
    box, offset = torch.tensor([[10.0, 20, 30, 60]]), torch.tensor([[0.1, -0.1, 0.2, 0.5]])
    assert moved(box, offset).tolist() == [[12, 16, 34, 80]]


def test_a_square_has_the_longer_side_and_the_same_centre():
    assert squared(torch.tensor([[10.0, 20, 30, 60], [0, 0, 8, 4]])).tolist() == [[0, 20, 40, 60], [0, -2, 8, 6]]


@pytest.mark.parametrize(
    ("most", "of_smaller", "kept"),
    [
        pytest.param(0.7, False, [3, 1, 0, 2], id="the first two share 80 of 120, the last two 100 of 400"),
        pytest.param(0.6, False, [3, 1, 2], id="which is two thirds"),
        pytest.param(0.2, False, [3, 1], id="and a quarter"),
        pytest.param(0.9, True, [3, 1, 0], id="by the smaller one, 80 of 100, and all"),
    ],
)
def test_of_boxes_that_overlap_the_surest_is_kept(most: float, of_smaller: bool, kept: list[int]):
    scores = torch.tensor([0.6, 0.8, 0.1, 0.9])
    assert best_of_overlapping(BOXES, scores, most, of_smaller=of_smaller).tolist() == kept
    assert best_of_overlapping(BOXES[:0], scores[:0], most).tolist() == []


def test_conversion_puts_the_dense_layer_in_pytorchs_order():
    """What a network that numbers column, row, channel gets from a dense layer is what ours gets after conversion."""
    theirs = {
        "conv1.weight": torch.rand(4, 3, 4, 4),
        "conv1.bias": torch.rand(4),
        "prelu1.weight": torch.rand(4),
        "dense2.weight": torch.rand(5, 36),
        "dense2.bias": torch.rand(5),
        "prelu2.weight": torch.rand(5),
        "dense3_1.weight": torch.rand(2, 5),
        "dense3_1.bias": torch.rand(2),
        "dense3_2.weight": torch.rand(4, 5),
        "dense3_2.bias": torch.rand(4),
        "dense3_3.weight": torch.rand(10, 5),
        "dense3_3.bias": torch.rand(10),
    }
    file = io.BytesIO()
    torch.save(theirs, file)
    ours = load(convert("mtcnn", {"package/data/rnet.pt": file.getvalue()}))
    net = BoxNet([(4, 4, 0)], dense=5)
    net.load_state_dict({name.removeprefix("rnet."): torch.from_numpy(array) for name, array in ours.items()})

    pictures = torch.rand(2, 3, 6, 6)
    with torch.no_grad():
        map_ = net.layers[0][:2](pictures)
        flat = map_.permute(0, 3, 2, 1).flatten(1) @ theirs["dense2.weight"].T + theirs["dense2.bias"]
        features = torch.where(flat > 0, flat, flat * theirs["prelu2.weight"])
        box = features @ theirs["dense3_2.weight"].T + theirs["dense3_2.bias"]
        torch.testing.assert_close(net(pictures)[1], box)


def test_the_networks_are_facenet_pytorchs(mtcnn: MTCNN):
    """Values of facenet-pytorch 2.6.0 for pictures that brighten from left to right."""
    expected = {
        (mtcnn.pnet, 31): (0.00125121, None),
        (mtcnn.rnet, 24): (0.00267395, [0.0500252, -0.1749556, 0.0232338, 0.1604328]),
        (mtcnn.onet, 48): (0.00331238, [0.0464893, -0.2214490, 0.0570778, 0.2008909]),
    }
    for (network, side), (face, box) in expected.items():
        found, offsets = network(torch.linspace(-1, 1, side).expand(1, 3, side, side))
        assert found.flatten()[-1].item() == pytest.approx(face, abs=1e-6)
        assert box is None or offsets[0].tolist() == pytest.approx(box, abs=1e-5)


def test_a_face_is_found_where_facenet_pytorch_finds_it(mtcnn: MTCNN):
    """Nearly: facenet-pytorch counts pixels from 1 in one place and from 0 in another."""
    boxes, scores = mtcnn.detect(data.astronaut())
    assert boxes.shape == (1, 4) and scores[0] > 0.99
    assert boxes[0].tolist() == pytest.approx([181.1, 62.2, 267.7, 172.1], abs=4)


def test_a_face_that_the_pictures_edge_cuts_is_found_whole(mtcnn: MTCNN):
    boxes, _ = mtcnn.detect(data.astronaut()[50:200, 200:320])
    assert boxes[0].tolist() == pytest.approx([181 - 200, 62 - 50, 268 - 200, 172 - 50], abs=6)


def test_a_face_twice_as_large_is_found_alike(mtcnn: MTCNN):
    portrait = data.astronaut()[30:230, 120:320]
    (once,), _ = mtcnn.detect(portrait)
    (twice,), _ = mtcnn.detect(portrait.repeat(2, 0).repeat(2, 1))
    np.testing.assert_allclose(twice / 2, once, atol=6)


def test_a_picture_of_nobody_has_no_face(mtcnn: MTCNN):
    for picture in (np.zeros((64, 64, 3), np.uint8), np.full((8, 8, 3), 200, np.uint8), data.coffee()[:128, :128]):
        boxes, scores = mtcnn.detect(picture)
        assert boxes.shape == (0, 4) and scores.shape == (0,)
