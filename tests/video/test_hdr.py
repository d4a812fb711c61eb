"""HDR is brought back to the SDR that it was made from, and interlaced video to whole frames."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import write_clip

from hmd_removal.video import VideoReader
from hmd_removal.video.hdr import PRIMARIES, WHITE, ToneMapper

COLOURS = np.array([[40, 40, 40], [118, 118, 118], [180, 60, 40], [60, 150, 70], [40, 60, 160], [200, 160, 130]])


def as_hdr(sdr: np.ndarray, transfer: str) -> np.ndarray:
    """(..., 3) of 255 to the (..., 3) uint16 signal of HDR that shows the same light, SDR's white at 203 nits."""
    nits = WHITE * ((sdr / 255) ** 2.4 @ np.linalg.inv(PRIMARIES.astype(np.float64)).T)
    if transfer == "PQ":
        power = (np.maximum(nits, 0) / 10_000) ** (2610 / 16384)
        signal = ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)
    else:
        display = np.maximum(nits, 0) / 1000
        luminance = display @ (0.2627, 0.6780, 0.0593)
        scene = display * luminance[..., None] ** (1 / 1.2 - 1)
        low = np.sqrt(3 * scene)
        signal = np.where(
            scene <= 1 / 12, low, 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
        )
    return np.round(65535 * signal).astype(np.uint16)


@pytest.mark.parametrize("transfer", ["HLG", "PQ"])
def test_what_sdr_can_show_comes_back(transfer: str) -> None:
    shown = ToneMapper(transfer)(as_hdr(COLOURS[None], transfer))
    assert np.abs(shown[0].astype(int) - COLOURS).max() <= 3


def test_known_signals_come_out_as_the_standards_say() -> None:
    """ITU-R BT.2408: grey of 18 % and white of 100 % in HLG and PQ; BT.2087: BT.709's red as BT.2020 has it."""
    for transfer, grey, white in (("HLG", 0.38, 0.75), ("PQ", 0.38, 0.58)):
        signal = np.round(65535 * np.array([[[grey] * 3, [white] * 3]])).astype(np.uint16)
        dark, bright = ToneMapper(transfer)(signal)[0, :, 1].astype(float) / 255
        assert dark**2.4 == pytest.approx(0.13, abs=0.03) and 0.88 < bright**2.4 < 0.96
    red = 203 / 10_000 * 0.5 * np.array([0.6274, 0.0691, 0.0164])  # linear, as PQ counts
    power = red ** (2610 / 16384)
    signal = ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)
    shown = ToneMapper("PQ")(np.round(65535 * signal[None, None]).astype(np.uint16))[0, 0]
    assert shown[0] == pytest.approx(255 * 0.5 ** (1 / 2.4), abs=3) and shown[1:].max() < 12


@pytest.mark.parametrize("transfer", ["HLG", "PQ"])
def test_highlights_are_compressed_and_not_cut_off(transfer: str) -> None:
    ramp = np.round(np.linspace(0, 65535, 200))[None, :, None].repeat(3, 2).astype(np.uint16)
    grey = ToneMapper(transfer)(ramp)[0, :, 1].astype(int)
    assert (np.diff(grey) >= 0).all() and grey[0] == 0 and grey[-1] >= 253
    white = ToneMapper(transfer)(as_hdr(np.full((1, 1, 3), 255), transfer))[0, 0, 1]
    assert 235 <= white < 253, "paper white is bright, and what is brighter is brighter still"


@pytest.mark.parametrize("pix_fmt", ["gbrp10le", "yuv420p10le"])
@pytest.mark.parametrize(("transfer", "number"), [("HLG", 18), ("PQ", 16)])
def test_a_file_says_what_it_is(tmp_path: Path, transfer: str, number: int, pix_fmt: str) -> None:
    picture = np.repeat(COLOURS.repeat(16, 0)[None], 32, 0)
    colours = {} if pix_fmt == "gbrp10le" else {"dst_colorspace": 9, "dst_color_range": 1}
    frame = av.VideoFrame.from_ndarray(as_hdr(picture, transfer), format="rgb48le").reformat(format=pix_fmt, **colours)
    tags = {"color_trc": number, "color_primaries": 9} | ({"colorspace": 9} if colours else {})
    path = write_clip(tmp_path / "hdr.mkv", [frame], codec="ffv1", pix_fmt=pix_fmt, tags=tags)
    with VideoReader(path) as reader:
        assert reader.info.hdr == transfer
        (shown,) = (frame.pixels for frame in reader)
    assert np.abs(shown.astype(int) - picture).mean() < 4


def test_interlaced_video_comes_without_combs(tmp_path: Path) -> None:
    """A bar moves by 4 pixels a field: in the stored frames its edges are combs."""
    fields = np.full((24, 64, 160, 3), 40, np.uint8)
    for k in range(24):
        fields[k, :, 20 + 4 * k : 50 + 4 * k] = 220
    woven = fields[::2].copy()
    woven[:, 1::2] = fields[1::2, 1::2]
    how = {"flags": "+ilme+ildct", "x264-params": "tff=1", "crf": "5"}
    path = write_clip(tmp_path / "interlaced.mp4", woven, options=how)
    with VideoReader(path) as reader:
        assert reader.info.interlaced
        frames = list(reader)
        assert reader.info.frame_count == len(frames) == 12
        assert [frame.time for frame in frames] == [Fraction(k, 25) for k in range(12)]
        combs = [
            np.abs(np.diff(rows[..., 1].astype(int), axis=0)).mean() for rows in (*woven, *(f.pixels for f in frames))
        ]
        assert max(combs[13:-1]) < 0.3 * min(combs[:12])
        (again,) = reader.frames(5, 1)
        assert np.abs(again.pixels.astype(int) - frames[5].pixels).mean() < 2
