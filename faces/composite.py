"""Putting the filled crop back: only the hole and a narrow feather change, everything else stays bit for bit."""

import cv2
import numpy as np

from .crop import Crop

FEATHER = 0.02  # width of the feather outside the hole, by crop side


def feather_width(crop: Crop) -> int:
    """Feather of a crop in frame pixels, at least 1."""
    scale = np.sqrt(abs(np.linalg.det(crop.matrix[:, :2])))
    return max(round(FEATHER * crop.side / scale), 1)


def blend_weights(mask: np.ndarray, feather: int) -> np.ndarray:
    """(H, W) float32: 1 in the hole, falling to 0 over `feather` pixels outside it. mask: (H, W), over 0.5 = hole."""
    outside = (mask <= 0.5).astype(np.uint8)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.clip(1 - distance / (feather + 1), 0, 1).astype(np.float32)


def crop_area(crop: Crop, size: tuple[int, int]) -> np.ndarray:
    """(H, W) uint8: 1 where the crop shows the frame, of `size` (height, width), less the feather at its rim."""
    rim = max(round(FEATHER * crop.side), 1) + 1
    inner = np.zeros((crop.side, crop.side), np.uint8)
    inner[rim:-rim, rim:-rim] = 1
    return cv2.warpAffine(inner, crop.matrix, size[::-1], flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)


def paste(frame: np.ndarray, mask: np.ndarray, filling: np.ndarray, crop: Crop) -> np.ndarray:
    """The frame with its hole filled from the crop.

    frame: (H, W, 3) uint8, or float32 in [0, 1]. mask: (H, W), over 0.5 = hole. filling: (S, S, 3) float32 in [0, 1].
    Returns a new frame of the same type. Where the crop does not reach, the frame stays as it is.
    """
    out = frame.copy()
    height, width = mask.shape
    feather = feather_width(crop)
    rows, columns = np.flatnonzero((mask > 0.5).any(1)), np.flatnonzero((mask > 0.5).any(0))
    if not len(rows):
        return out
    y0, y1 = max(rows[0] - feather - 1, 0), min(rows[-1] + feather + 2, height)
    x0, x1 = max(columns[0] - feather - 1, 0), min(columns[-1] + feather + 2, width)
    weights = blend_weights(mask[y0:y1, x0:x1], feather)
    # warpAffine wants the map from the output, here a window of the frame, to the crop
    to_crop = crop.matrix.copy()
    to_crop[:, 2] += to_crop[:, :2] @ (x0, y0)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (int(x1 - x0), int(y1 - y0))
    pixels = cv2.warpAffine(filling, to_crop, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(
        np.ones(filling.shape[:2], np.uint8), to_crop, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    )
    weights = (weights * inside)[..., None]
    window = out[y0:y1, x0:x1]
    if frame.dtype == np.uint8:
        mixed = np.round(window * (1 - weights) + pixels * 255 * weights).astype(np.uint8)
    else:
        mixed = window * (1 - weights) + pixels * weights
    out[y0:y1, x0:x1] = np.where(weights > 0, mixed, window)
    return out
