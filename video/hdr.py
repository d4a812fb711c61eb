"""HDR pictures, HLG or PQ in BT.2020, made to look right as SDR in BT.709."""

from __future__ import annotations

import cv2
import numpy as np

TRANSFERS = {16: "PQ", 18: "HLG"}  # AVColorTransferCharacteristic
WHITE = 203.0  # nits of SDR's white in HDR (ITU-R BT.2408)
HLG_PEAK, HLG_GAMMA = 1000.0, 1.2  # nits of the display that HLG is made for, and its system gamma (ITU-R BT.2100)
SDR_GAMMA = 2.4  # ITU-R BT.1886
KNEE = 0.8  # of white, linear: below nothing changes, above highlights are compressed so that none is cut off
LEVELS = 4096  # of a curve's table; HDR has 1024
# From BT.2020 to BT.709 primaries, both with white D65 (ITU-R BT.2087).
PRIMARIES = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], dtype=np.float32
)
LUMINANCE = np.array([[0.2627, 0.6780, 0.0593]], dtype=np.float32)  # of BT.2020's primaries


class ToneMapper:
    """transfer: "HLG" or "PQ"."""

    def __init__(self, transfer: str) -> None:
        signal = np.linspace(0, 1, LEVELS)
        self._hlg = transfer == "HLG"
        self._to_linear = (_hlg_scene(signal) if self._hlg else _pq_nits(signal) / WHITE).astype(np.float32)
        linear = np.linspace(0, 1, LEVELS) ** 2  # finer where the eye sees more
        self._to_sdr = np.round(255 * linear ** (1 / SDR_GAMMA)).astype(np.uint8)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint16 R'G'B' of HDR to (H, W, 3) uint8 of SDR."""
        light = self._to_linear[pixels >> 4]
        if self._hlg:  # the display's light grows faster than the scene's (BT.2100, OOTF)
            luminance = cv2.transform(light, LUMINANCE)
            light *= (HLG_PEAK / WHITE * np.maximum(luminance, 1e-6) ** (HLG_GAMMA - 1))[..., None]
        light = np.maximum(cv2.transform(light, PRIMARIES), 0)
        over = np.maximum(light - KNEE, 0) / (1 - KNEE)
        light = np.minimum(light, KNEE) + (1 - KNEE) * (1 - np.exp(-over))
        return self._to_sdr[np.round((LEVELS - 1) * np.sqrt(light)).astype(np.uint16)]


def _hlg_scene(signal: np.ndarray) -> np.ndarray:
    """The scene's light, 1 at HLG's peak (BT.2100, inverse OETF)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


def _pq_nits(signal: np.ndarray) -> np.ndarray:
    """The display's light in nits (SMPTE ST 2084, EOTF)."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = signal ** (1 / m2)
    return 10_000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
