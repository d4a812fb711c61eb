"""Fidelity of a result to its truth, frame by frame: MSE, PSNR and SSIM, over the frame and over the hole."""

from __future__ import annotations

import cv2
import torch
from torch import Tensor

# Wang, Bovik, Sheikh, Simoncelli: Image Quality Assessment: From Error Visibility to Structural
# Similarity (2004).
WINDOW = 11
SIGMA = 1.5
C1 = 0.01**2
C2 = 0.03**2


def hole_mean(values: Tensor, hole: Tensor) -> Tensor:
    """Mean of `values` (T,H,W) over `hole` (T,H,W bool), per frame (T,); NaN without a pixel."""
    total = torch.where(hole, values, 0.0).sum((1, 2))
    return total / hole.sum((1, 2))


def squared_error(result: Tensor, truth: Tensor) -> Tensor:
    """Squared error of (T,H,W,3) frames, averaged over the colour channels: (T,H,W)."""
    return (result - truth).square().mean(-1)


def mse(result: Tensor, truth: Tensor, hole: Tensor | None = None) -> Tensor:
    """Mean squared error per frame (T,) of (T,H,W,3) frames, over every pixel or over `hole` (T,H,W bool)."""
    errors = squared_error(result, truth)
    return errors.mean((1, 2)) if hole is None else hole_mean(errors, hole)


def psnr_from_mse(errors: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, 10 log10(1 / MSE), for values in [0, 1]; infinite without error."""
    return -10.0 * torch.log10(errors)


def psnr(result: Tensor, truth: Tensor, hole: Tensor | None = None) -> Tensor:
    """PSNR in dB per frame (T,) of (T,H,W,3) frames in [0, 1], over all pixels or `hole` (T,H,W bool)."""
    return psnr_from_mse(mse(result, truth, hole))


def ssim_map(result: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity around every pixel of (T,H,W,3) CPU frames in [0, 1], averaged over the
    channels: (T,H,W).

    The standard definition: an 11x11 Gaussian window of sigma 1.5, K1 0.01, K2 0.03, each colour channel by
    itself. Windows that cross the border see the frame mirrored, as in SciPy and scikit-image.
    """
    return torch.stack([_ssim_of_frame(x, y) for x, y in zip(result, truth, strict=True)])


def ssim(result: Tensor, truth: Tensor, hole: Tensor | None = None) -> Tensor:
    """SSIM per frame (T,) of (T,H,W,3) frames of at least 11x11 pixels in [0, 1].

    Without a hole: the mean over the windows that lie wholly inside the frame, which is the value that is
    published and that scikit-image gives. With `hole` (T,H,W bool): the mean of the map over the hole's
    pixels, NaN where the hole is empty.
    """
    similarity = ssim_map(result, truth)
    return ssim_from_map(similarity) if hole is None else hole_mean(similarity, hole)


def ssim_from_map(similarity: Tensor) -> Tensor:
    """Mean (T,) of an SSIM map (T,H,W) over the windows that lie wholly inside the frame."""
    border = WINDOW // 2
    return similarity[:, border:-border, border:-border].mean((1, 2))


def _ssim_of_frame(x: Tensor, y: Tensor) -> Tensor:
    # Variances do not change with a shift, and values around zero leave float32 four times the precision.
    x, y = x - 0.5, y - 0.5
    mean_x, mean_y = _blur(x), _blur(y)
    # SSIM needs the two variances only as their sum, so one blur serves both.
    variances = _blur(x.square() + y.square()) - mean_x.square() - mean_y.square()
    covariance = _blur(x * y) - mean_x * mean_y
    mean_x, mean_y = mean_x + 0.5, mean_y + 0.5
    luminance = (2 * mean_x * mean_y + C1) / (mean_x.square() + mean_y.square() + C1)
    return (luminance * (2 * covariance + C2) / (variances + C2)).mean(-1)


def _blur(image: Tensor) -> Tensor:
    # OpenCV's separable filter takes a quarter of the time of a depthwise convolution in PyTorch on a CPU.
    blurred = cv2.GaussianBlur(image.numpy(), (WINDOW, WINDOW), SIGMA, borderType=cv2.BORDER_REFLECT)
    return torch.from_numpy(blurred)
