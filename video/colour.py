"""Between a codec's pixels and 8-bit RGB, by the video's own colour tags."""

from __future__ import annotations

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from .hdr import ToneMapper

# libswscale's flags, as numbers: PyAV before 17 does not name the last three. Without them FFmpeg's fast
# paths darken every generation by more than one level.
_BILINEAR, _AREA = 0x2, 0x20
_FULL_CHROMA_OUT, _FULL_CHROMA_IN, _ACCURATE = 0x2000, 0x4000, 0x40000

_FORMATS = {"rgb": "rgb24", "rgba": "rgba"}
_BT709, _BT601 = 1, 5  # AVColorSpace
_LIMITED, _FULL = 1, 2  # AVColorRange
_MATRICES = {1: 1, 4: 4, 5: _BT601, 6: _BT601, 7: 7, 9: 9, 10: 9}  # AVColorSpace -> libswscale's matrix
# Leave the RGB side of a conversion alone: it has neither a matrix nor a limited range.
_RGB_MATRIX, _RGB_RANGE = 0, 0


class RgbDecoder:
    """Turns decoded frames into pixels of one size, "rgb" or "rgba".

    Matrix and range come from the frame's tags; where a matrix is not tagged, pictures wider than 1279 or
    higher than 576 pixels are taken as BT.709 and smaller ones as BT.601, as players do. HDR is tone-mapped
    (see video.hdr). Transparency is dropped, unless it is asked for; colours stay as stored (straight, not composited).
    hdr: the transfer of an HDR video, out of hdr.TRANSFERS.
    """

    def __init__(
        self, width: int, height: int, *, shrinking: bool = False, channels: str = "rgb", hdr: str | None = None
    ) -> None:
        self._width, self._height = width, height
        self._to_sdr = None if hdr is None else ToneMapper(hdr)
        self._format = "rgb48le" if hdr is not None else _FORMATS[channels]
        # With full chroma libswscale mixes up the colours of rgb48.
        exact = _FULL_CHROMA_OUT | _ACCURATE if hdr is None else _ACCURATE
        self._flags = (_AREA if shrinking else _BILINEAR) | exact
        self._reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> np.ndarray:
        """(H,W,3) uint8 RGB, or (H,W,4) with transparency, not yet upright; the rows may be padded."""
        rgb = self._reformatter.reformat(
            frame,
            width=self._width,
            height=self._height,
            format=self._format,
            interpolation=self._flags,
            **({} if frame.format.is_rgb else _source_colours(frame)),
        )
        pixels = rgb.to_ndarray()
        if self._to_sdr is not None:
            return self._to_sdr(pixels)
        # A frame that is RGB already may be the decoder's own, which it still needs for the next one.
        return pixels.copy() if rgb is frame else pixels


def _source_colours(frame: VideoFrame) -> dict[str, int]:
    hd = frame.width >= 1280 or frame.height > 576
    name = frame.format.name
    # FFmpeg writes and reads grey and the yuvj formats as full range unless they are tagged otherwise.
    untagged_range = _FULL if name.startswith(("gray", "ya", "yuvj")) else _LIMITED
    return {
        "src_colorspace": _MATRICES.get(int(frame.colorspace), _BT709 if hd else _BT601),
        "src_color_range": int(frame.color_range) or untagged_range,
        "dst_colorspace": _RGB_MATRIX,
        "dst_color_range": _RGB_RANGE,
    }


class Bt709Encoder:
    """Turns (H,W,3) uint8 RGB into limited-range BT.709 frames of one pixel format."""

    def __init__(self, pix_fmt: str) -> None:
        self._pix_fmt = pix_fmt
        self._reformatter = VideoReformatter()

    def __call__(self, pixels: np.ndarray) -> VideoFrame:
        rgb = VideoFrame.from_numpy_buffer(np.ascontiguousarray(pixels), format="rgb24")
        frame = self._reformatter.reformat(
            rgb,
            format=self._pix_fmt,
            interpolation=_BILINEAR | _FULL_CHROMA_IN | _ACCURATE,
            src_colorspace=_RGB_MATRIX,
            src_color_range=_RGB_RANGE,
            dst_colorspace=_BT709,
            dst_color_range=_LIMITED,
        )
        frame.colorspace, frame.color_range = _BT709, _LIMITED
        return frame
