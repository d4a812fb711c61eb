"""Colours of device and surroundings."""

import numpy as np
import pytest

from hmd_removal.headset.evidence import FEWEST, MOST, ColourModel, colour_bins


def test_bins_by_hand():
    assert colour_bins(np.array([[[0, 0, 0], [255, 255, 255], [16, 32, 48]]], np.uint8)).tolist() == [
        [0, 4095, (1 << 8) + (2 << 4) + 3]
    ]


def picture() -> tuple[np.ndarray, np.ndarray]:
    """A dark device on skin, half of it bright, and where it is: (20, 40, 3) uint8, (20, 40) bool."""
    pixels = np.full((20, 40, 3), (200, 150, 130), np.uint8)
    device = np.zeros((20, 40), bool)
    device[:, :20] = True
    pixels[:, :10], pixels[:, 10:20] = (24, 24, 24), (232, 232, 232)
    return pixels, device


def test_every_colour_of_the_device_counts_for_it_and_those_around_against():
    pixels, device = picture()
    model, bins = ColourModel(), colour_bins(pixels)
    model.learn(bins, device, ~device)
    odds = model.log_odds(bins)
    assert (odds[device] == pytest.approx(MOST)) and (odds[~device] == pytest.approx(-MOST))


def test_a_colour_of_both_says_as_much_as_its_shares():
    pixels, device = picture()
    pixels[:10, 20:] = (24, 24, 24)  # dark hair: half of the device, and half of what surrounds it
    model, bins = ColourModel(), colour_bins(pixels)
    model.learn(bins, device, ~device)
    assert model.log_odds(bins)[0, [0, 30]] == pytest.approx(0, abs=1e-6)


def test_few_pixels_teach_nothing():
    pixels, device = picture()
    model, bins = ColourModel(), colour_bins(pixels)
    few = np.zeros_like(device)
    few.flat[: FEWEST - 1] = True
    model.learn(bins, few, ~device)
    assert not model.log_odds(bins).any()


@pytest.mark.parametrize("fps", [8, 240])
def test_new_light_is_learnt_in_as_many_seconds_whatever_the_frame_rate(fps):
    pixels, device = picture()
    brighter = colour_bins(np.where(pixels < 100, 70, pixels).astype(np.uint8))

    def learnt(rate: float) -> float:
        """How likely the new colour is on the device after a second."""
        model = ColourModel(rate)
        model.learn(colour_bins(pixels), device, ~device)
        for _ in range(round(rate)):
            model.learn(brighter, device, ~device)
        return model._device[brighter[0, 0]]

    assert learnt(fps) == pytest.approx(learnt(25), rel=0.02)


def test_new_light_is_learnt_over_some_frames():
    pixels, device = picture()
    model = ColourModel()
    model.learn(colour_bins(pixels), device, ~device)
    brighter = colour_bins(np.where(pixels < 100, 70, pixels).astype(np.uint8))
    before = model.log_odds(brighter)[0, 0]
    for _ in range(10):
        model.learn(brighter, device, ~device)
    assert before == pytest.approx(0, abs=1e-6) and model.log_odds(brighter)[0, 0] == pytest.approx(MOST)
