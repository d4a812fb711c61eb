"""Small, differently encoded clips made from given frames: real files of the kinds that people drop in."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def moving_frames(count: int, width: int = 96, height: int = 64) -> np.ndarray:
    """(T,H,W,3) uint8: a smooth colour ramp on which a brighter square moves 3 pixels a frame."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    ramp = np.stack([40 + 120 * x / width, 60 + 100 * y / height, 160 - 80 * x / width], axis=-1)
    frames = np.repeat(ramp[None], count, axis=0)
    for t in range(count):
        left = 3 * t % (width - 16)
        frames[t, height // 4 : height // 4 + 16, left : left + 16] += 50
    return frames.astype(np.uint8)


def tone(seconds: float, rate: int = 48000, channels: int = 2) -> np.ndarray:
    """(C,N) float32: another pitch in every channel, and quiet noise so that every sample counts."""
    t = np.arange(round(seconds * rate)) / rate
    pitches = np.array([[220.0 * (c + 1)] for c in range(channels)])
    noise = np.random.default_rng(0).normal(scale=0.02, size=(channels, t.size))
    return (0.4 * np.sin(2 * np.pi * pitches * t) + noise).astype(np.float32)


def write_clip(
    path: Path,
    frames: np.ndarray | Sequence[av.VideoFrame],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    fps: Fraction = Fraction(25),
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    tags: dict[str, int] | None = None,
    sound: np.ndarray | None = None,
    sound_codec: str = "aac",
    sound_rate: int = 48000,
    sound_delay: float = 0.0,
) -> Path:
    """Encode RGB frames (T,H,W,3) or ready-made AV frames, with sound (C,N) if given; the file's suffix
    picks the container.

    `pts` count `time_base` (default 1/fps); `tags` are set on the codec context (colorspace, color_range,
    ...).
    """
    time_base = time_base or 1 / fps
    layouts = {1: "mono", 2: "stereo", 6: "5.1", 16: "hexadecagonal"}
    with av.open(str(path), "w") as output:
        height, width = frames[0].shape[:2] if isinstance(frames, np.ndarray) else (frames[0].height, frames[0].width)
        video = output.add_stream(
            codec,
            rate=fps,
            options=options or {},
            width=width,
            height=height,
            pix_fmt=pix_fmt,
            time_base=time_base,
        )
        for name, value in (tags or {}).items():
            setattr(video.codec_context, name, value)
        packets = []
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24") if isinstance(pixels, np.ndarray) else pixels
            frame.pts, frame.time_base = (number if pts is None else pts[number]), time_base
            packets += video.encode(frame)
        packets += video.encode(None)
        if sound is not None:
            audio = output.add_stream(sound_codec, rate=sound_rate, layout=layouts[len(sound)])
            audio.codec_context.options = {"strict": "-2"}  # for FFmpeg's own Vorbis
            for first in range(0, sound.shape[1], 1024):
                packed = sound[:, first : first + 1024].T.reshape(1, -1)
                frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layouts[len(sound)])
                frame.sample_rate, frame.time_base = sound_rate, Fraction(1, sound_rate)
                frame.pts = first + round(sound_delay * sound_rate)
                packets += audio.encode(frame)
            packets += audio.encode(None)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            output.mux(packet)
    return path


def rotate(path: Path, degrees: int) -> Path:
    """Mark an MP4 or MOV as filmed with the camera turned: players turn it clockwise by 90, 180 or 270
    degrees."""
    matrix = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    data = bytearray(path.read_bytes())
    # The display matrix a b u / c d v / x y w lies 44 bytes behind the name of the track header box, version
    # 0.
    position = data.index(b"tkhd") + 44
    a, b, c, d = (sign << 16 for sign in matrix)
    struct.pack_into(">9i", data, position, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))
    return path


def damage(path: Path, number: int) -> Path:
    """Overwrite everything in the n-th video packet, so that no decoder can make sense of it."""
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][number]
        position, size = packet.pos, packet.size
    data = bytearray(path.read_bytes())
    data[position : position + size] = b"\xff" * size
    path.write_bytes(bytes(data))
    return path


def order(frames: np.ndarray, expected: np.ndarray) -> list[int]:
    """For each frame the number of the expected frame it is most like: 0, 1, 2, ... if all are in place."""
    expected = expected.astype(int)
    return [int(np.abs(expected - frame).mean(axis=(1, 2, 3)).argmin()) for frame in frames]


_TIMES_OF_A_PHONE = (0, 20, 41, 60, 100, 120, 139, 160, 200, 220, 280, 300)  # in 1/600 s

# Every kind is a function of the file to make without its suffix; it returns the file.
CLIPS: dict[str, Callable[[Path], Path]] = {
    "h264_aac_mp4": lambda p: write_clip(
        p.with_suffix(".mp4"),
        moving_frames(15),
        options={"bf": "0"},
        fps=Fraction(30000, 1001),
        sound=tone(0.5),
    ),
    "h264_b_frames_mp4": lambda p: write_clip(
        p.with_suffix(".mp4"),
        moving_frames(20),
        options={"bf": "3", "b-adapt": "0"},
        sound=tone(0.8, 44100),
        sound_rate=44100,
    ),
    "variable_frame_rate_mp4": lambda p: write_clip(
        p.with_suffix(".mp4"),
        moving_frames(len(_TIMES_OF_A_PHONE)),
        options={"bf": "0"},
        pts=_TIMES_OF_A_PHONE,
        time_base=Fraction(1, 600),
        sound=tone(0.5, channels=1),
    ),
    "rotated_mp4": lambda p: rotate(write_clip(p.with_suffix(".mp4"), moving_frames(8), sound=tone(0.3)), 90),
    "odd_size_mp4": lambda p: write_clip(p.with_suffix(".mp4"), moving_frames(8, 97, 65), pix_fmt="yuv444p"),
    "hevc_10_bit_mp4": lambda p: write_clip(
        p.with_suffix(".mp4"),
        moving_frames(10),
        codec="libx265",
        pix_fmt="yuv420p10le",
        options={"x265-params": "log-level=none"},
    ),
    "alpha_mov": lambda p: write_clip(
        p.with_suffix(".mov"),
        moving_frames(8),
        codec="qtrle",
        pix_fmt="argb",
        sound=tone(0.3),
        sound_codec="pcm_s24le",
    ),
    "mpeg4_mp3_avi": lambda p: write_clip(
        p.with_suffix(".avi"),
        moving_frames(12),
        codec="mpeg4",
        sound=tone(0.5, 44100),
        sound_codec="libmp3lame",
        sound_rate=44100,
    ),
    "vp9_opus_webm": lambda p: write_clip(
        p.with_suffix(".webm"),
        moving_frames(10),
        codec="libvpx-vp9",
        fps=Fraction(30),
        sound=tone(0.4),
        sound_codec="libopus",
    ),
    "ffv1_flac_mkv": lambda p: write_clip(
        p.with_suffix(".mkv"),
        moving_frames(8),
        codec="ffv1",
        pix_fmt="yuv444p",
        sound=tone(0.3),
        sound_codec="flac",
    ),
    "h264_pcm_surround_mkv": lambda p: write_clip(
        p.with_suffix(".mkv"),
        moving_frames(8),
        sound=tone(0.3, channels=6),
        sound_codec="pcm_s16le",
        sound_delay=0.1,
    ),
    "h264_aac_ts": lambda p: write_clip(p.with_suffix(".ts"), moving_frames(12), sound=tone(0.5)),
}
