"""Distances between sets of videos: what is compared, and of how much."""

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from hmd_removal import weights
from hmd_removal.lab.metrics.frechet import frechet_distance
from hmd_removal.lab.metrics.video_distance import DISTANCES, FRAMES, VideoDistance, VideoFeatures
from hmd_removal.lab.networks.i3d import I3D
from hmd_removal.models.lpips import LPIPS
from hmd_removal.weights import WeightsMissing


@pytest.fixture
def untrained(monkeypatch) -> VideoFeatures:
    """The networks with random weights, which is enough where sets are compared by nothing but how they are fed."""
    torch.manual_seed(0)
    states = {"i3d": I3D().state_dict(), "lpips_alex": LPIPS().state_dict()}
    monkeypatch.setattr(weights, "load_state", states.__getitem__)
    return VideoFeatures()


@pytest.fixture(scope="module")
def clip(talking_head) -> torch.Tensor:
    return torch.from_numpy(talking_head).float() / 255


def test_i3d_sees_32_frames_of_128_pixels_from_0_to_1_in_train_mode_and_from_minus_1_in_eval_mode(untrained, clip):
    found = untrained(clip)
    assert found["alexnet"].shape == (32, 256)
    small = interpolate(clip[:FRAMES].permute(0, 3, 1, 2), (128, 128), mode="bilinear", antialias=True).transpose(0, 1)
    network = I3D.pretrained()
    with torch.inference_mode():
        train, evaluated = network.features(small, own_statistics=True), network.features(small * 2 - 1)
    np.testing.assert_allclose(found["i3d_train"][0], train, atol=1e-5)
    np.testing.assert_allclose(found["i3d_eval"][0], evaluated, atol=1e-5)


def test_i3d_has_a_vector_a_clip_and_alexnet_one_a_frame(untrained, clip):
    shapes = {name: vectors.shape for name, vectors in untrained(clip[:5]).items()}
    assert shapes == {"i3d_train": (1, 1024), "i3d_eval": (1, 1024), "alexnet": (5, 256)}
    assert list(shapes) == list(DISTANCES) and untrained.not_computed == {}


def test_a_distance_is_that_of_all_vectors_and_says_of_how_many():
    rng = np.random.default_rng(0)
    clips = [[{"i3d_eval": rng.random((1, 4)), "alexnet": rng.random((3, 8))} for _ in range(2)] for _ in range(5)]
    distance = VideoDistance()
    for number, (result, truth) in enumerate(clips):
        assert (distance.distances() == {}) == (number < 2)  # a single clip has no variance
        distance.add(result, truth)
    found = distance.distances()
    assert found.keys() == {"i3d_eval", "alexnet"}
    for name, (vectors, dimensions) in {"i3d_eval": (5, 4), "alexnet": (15, 8)}.items():
        results, truths = (np.concatenate([clip[side][name] for clip in clips]) for side in (0, 1))
        assert found[name].value == pytest.approx(frechet_distance(results, truths))
        assert (found[name].videos, found[name].vectors, found[name].dimensions) == (5, vectors, dimensions)
        assert not found[name].biased


def test_fewer_vectors_than_dimensions_are_called_biased():
    distance = VideoDistance()
    for value in (0.0, 1.0):
        distance.add({"i3d_eval": np.full((1, 2), value)}, {"i3d_eval": np.full((1, 2), value)})
    assert distance.distances()["i3d_eval"].biased and distance.distances()["i3d_eval"].value == pytest.approx(0)


def test_missing_weights_are_named_and_the_other_distances_stay(clip, monkeypatch):
    def without_i3d(name: str) -> dict[str, torch.Tensor]:
        if name == "i3d":
            raise WeightsMissing("The weights i3d are not at hand.")
        return LPIPS().state_dict()

    monkeypatch.setattr(weights, "load_state", without_i3d)
    features = VideoFeatures()
    assert features.not_computed == dict.fromkeys(("i3d_train", "i3d_eval"), "The weights i3d are not at hand.")
    assert features(clip[:2]).keys() == {"alexnet"}


def test_worse_results_are_further_off(clip):
    features = VideoFeatures()
    if features.not_computed.keys() == DISTANCES.keys():
        pytest.skip("; ".join(features.not_computed.values()))
    near, far = VideoDistance(), VideoDistance()
    for frames in (clip[:8], clip[8:16].flip(2)):
        truth = features(frames)
        slightly, badly = frames.clone(), frames.clone()
        slightly[:, 40:70, 50:120] *= 0.9
        badly[:, 40:70, 50:120] = 0.5
        near.add(features(slightly), truth)
        far.add(features(badly), truth)
    worse = far.distances()
    for name, distance in near.distances().items():
        assert 0 < distance.value < worse[name].value / 2
