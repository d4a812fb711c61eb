"""MSE, PSNR and SSIM against numbers worked out by hand and against scikit-image."""

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from hmd_removal.metrics.image import mse, psnr, ssim, ssim_map


def textured_pair(height: int = 90, width: int = 121) -> tuple[torch.Tensor, torch.Tensor]:
    """Two frames (1,H,W,3) with structure, a saturated corner and different errors in each channel."""
    noise = np.random.default_rng(0).random((height, width, 3), dtype=np.float32)
    y, x = np.mgrid[:height, :width]
    truth = 0.5 + 0.3 * np.sin(x / 7) * np.cos(y / 5)
    truth = truth[..., None].astype(np.float32) * np.float32([1, 0.8, 0.5]) + 0.1 * noise
    truth[:20, :20] = 1
    result = truth + np.float32([0.02, 0.1, 0.2]) * (noise[::-1] - 0.5)
    return torch.from_numpy(result.clip(0, 1))[None], torch.from_numpy(truth.clip(0, 1))[None]


def scikit_ssim(result: torch.Tensor, truth: torch.Tensor) -> tuple[float, np.ndarray]:
    return structural_similarity(
        result[0].double().numpy(),
        truth[0].double().numpy(),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=-1,
        data_range=1,
        full=True,
    )


def test_mse_and_psnr_by_hand():
    truth = torch.zeros(2, 2, 2, 3)
    result = truth.clone()
    result[0, 0, 0, 0] = 0.6  # one of twelve values of frame 0: 0.36 / 12
    result[1] = 0.1
    assert mse(result, truth).tolist() == pytest.approx([0.03, 0.01])
    assert psnr(result, truth).tolist() == pytest.approx([-10 * math.log10(0.03), 20.0])


def test_mse_and_psnr_in_the_hole_by_hand():
    truth = torch.zeros(1, 4, 4, 3)
    result = truth.clone()
    result[0, :2, :2] = 0.1  # inside the hole
    result[0, 3, 3] = 1.0  # outside: not seen
    hole = torch.zeros(1, 4, 4, dtype=torch.bool)
    hole[0, :2] = True  # eight pixels, four of them wrong by 0.1
    assert mse(result, truth, hole).item() == pytest.approx(0.005)
    assert psnr(result, truth, hole).item() == pytest.approx(-10 * math.log10(0.005))


def test_identical_frames_have_infinite_psnr_and_ssim_of_exactly_one():
    frames, _ = textured_pair()
    assert psnr(frames, frames).tolist() == [math.inf]
    assert ssim(frames, frames).tolist() == [1.0]


def test_an_empty_hole_has_no_value():
    result, truth = textured_pair()
    empty = torch.zeros(truth.shape[:3], dtype=torch.bool)
    assert all(metric(result, truth, empty).isnan().all() for metric in (mse, psnr, ssim))


def test_psnr_equals_scikit_image():
    result, truth = textured_pair()
    assert psnr(result, truth).item() == pytest.approx(
        peak_signal_noise_ratio(truth.numpy(), result.numpy(), data_range=1), abs=1e-4
    )


def test_ssim_equals_scikit_image_as_a_mean_and_pixel_by_pixel():
    result, truth = textured_pair()
    mean, by_channel = scikit_ssim(result, truth)
    assert ssim(result, truth).item() == pytest.approx(mean, abs=1e-5)
    np.testing.assert_allclose(ssim_map(result, truth)[0], by_channel.mean(-1), atol=1e-4)


def test_ssim_in_the_hole_is_the_mean_of_the_map_there_even_at_the_border():
    result, truth = textured_pair()
    hole = torch.zeros(truth.shape[:3], dtype=torch.bool)
    hole[0, :30, 50:] = True
    _, by_channel = scikit_ssim(result, truth)
    assert ssim(result, truth, hole).item() == pytest.approx(by_channel.mean(-1)[:30, 50:].mean(), abs=1e-5)


def test_ssim_of_two_flat_frames_is_the_luminance_term():
    truth, result = torch.full((1, 16, 16, 3), 0.4), torch.full((1, 16, 16, 3), 0.6)
    c1 = 0.01**2
    by_hand = (2 * 0.4 * 0.6 + c1) / (0.4**2 + 0.6**2 + c1)
    assert ssim(result, truth).item() == pytest.approx(by_hand, abs=1e-4)


def test_channels_are_scored_apart():
    """A blur across the colour axis, as in some published code, would score a channel swap differently."""
    result, truth = textured_pair()
    swapped = [2, 0, 1]
    assert ssim(result[..., swapped], truth[..., swapped]).item() == pytest.approx(ssim(result, truth).item())


def test_frames_are_scored_apart():
    result, truth = textured_pair()
    clip = ssim(torch.cat([truth, result]), torch.cat([truth, truth]))
    assert clip.tolist() == [1.0, ssim(result, truth).item()]
