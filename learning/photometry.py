"""What cameras and codecs do to a picture, at random."""

import cv2
import numpy as np


def degrade(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exposure, colour cast, blur, low resolution, noise and compression, each now and then. (H, W, 3) uint8."""
    picture = image.astype(np.float32) / 255
    picture = np.clip(picture, 0, 1) ** np.exp(rng.normal(0, 0.25))
    picture = picture * np.exp(rng.normal(0, 0.15)) * np.exp(rng.normal(0, 0.06, 3)) + rng.normal(0, 0.04)
    if rng.random() < 0.12:  # a lamp of some colour
        picture = picture * np.exp(rng.normal(0, 0.45, 3))
    if rng.random() < 0.1:  # a dim room
        picture = picture * rng.uniform(0.12, 0.5)
    grey = picture.mean(axis=2, keepdims=True)
    picture = grey + (picture - grey) * (0.0 if rng.random() < 0.05 else np.exp(rng.normal(0, 0.25)))
    if rng.random() < 0.3:
        picture = _side_light(picture, rng)
    if rng.random() < 0.3:
        picture = _blur(picture, rng)
    if rng.random() < 0.25:
        small = rng.uniform(0.35, 0.9)
        low = cv2.resize(picture, None, fx=small, fy=small, interpolation=cv2.INTER_AREA)
        picture = cv2.resize(low, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.4:
        picture = picture + rng.uniform(0.005, 0.04) * rng.standard_normal(picture.shape, np.float32)
    out = np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    if rng.random() < 0.3:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(25, 85))]
        out = cv2.imdecode(cv2.imencode(".jpg", out, quality)[1], cv2.IMREAD_COLOR)
    return out


def relight(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The light and the camera of another day: exposure, contrast and colour cast. (H, W, 3) uint8."""
    picture = (image.astype(np.float32) / 255) ** np.exp(rng.normal(0, 0.12))
    picture = picture * np.exp(rng.normal(0, 0.1)) * np.exp(rng.normal(0, 0.04, 3))
    if rng.random() < 0.3:
        picture = _side_light(picture, rng)
    return np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def _side_light(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A light from one side: a linear ramp over the picture."""
    height, width = picture.shape[:2]
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.6)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    ramp = 1 + strength * (np.cos(angle) * x + np.sin(angle) * y)
    return picture * ramp[..., None].astype(np.float32)


def _blur(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Out of focus, or moved while the shutter was open."""
    if rng.random() < 0.5:
        return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.6))
    length = int(rng.integers(3, 8))
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    spin = cv2.getRotationMatrix2D((length / 2 - 0.5, length / 2 - 0.5), rng.uniform(0, 180), 1)
    kernel = cv2.warpAffine(kernel, spin, (length, length))
    return cv2.filter2D(picture, -1, kernel / max(float(kernel.sum()), 1e-6))
