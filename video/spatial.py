"""Whether a video is Apple's spatial video, MV-HEVC, of which FFmpeg decodes one view."""

import struct
from collections.abc import Iterator
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from .source import Source

LARGEST = 1 << 26  # bytes of an index that are looked through
# What holds what, in MP4 and MOV (ISO/IEC 14496-12), and how many bytes come before what a box holds.
PATH = ((b"moov", 0), (b"trak", 0), (b"mdia", 0), (b"minf", 0), (b"stbl", 0), (b"stsd", 8), (b"hvc1", 78))
LAYERS = b"lhvC"  # the configuration of the further views (ISO/IEC 14496-15)


def is_spatial(source: Source) -> bool:
    """Whether a track of an MP4 or MOV is HEVC with further views; False for other files."""
    opened = nullcontext(BytesIO(source.getbuffer())) if isinstance(source, BytesIO) else Path(source).open("rb")
    with opened as file:
        index = _index(file)
    return _has_layers(index, PATH[1:])


def _index(file: BinaryIO) -> bytes:
    """What the box `moov` holds; nothing where there is none."""
    if file.read(8)[4:] != b"ftyp":
        return b""
    file.seek(0)
    while len(head := file.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        used = 8
        if size == 1:
            size, used = int.from_bytes(file.read(8), "big"), 16
        if kind == PATH[0][0]:
            return file.read(min(size - used, LARGEST)) if size > used else b""
        if size < used:  # to the end of the file, or damaged
            break
        file.seek(size - used, 1)
    return b""


def _has_layers(content: bytes, path: tuple[tuple[bytes, int], ...]) -> bool:
    """Whether the boxes along a path hold LAYERS."""
    if not path:
        return any(kind == LAYERS for kind, _ in _boxes(content))
    (wanted, skipped), *rest = path
    return any(_has_layers(held[skipped:], tuple(rest)) for kind, held in _boxes(content) if kind == wanted)


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The boxes side by side in some bytes: what they are, and what they hold."""
    place = 0
    while place + 8 <= len(content):
        size, kind = struct.unpack(">I4s", content[place : place + 8])
        if size < 8:
            return
        yield kind, content[place + 8 : place + size]
        place += size
