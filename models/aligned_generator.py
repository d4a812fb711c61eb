"""Ours beside EVI-HRnet's generator of the paper: it is given the fitted reference, and says what to make of it.

From EVI-HRnet it has gated convolutions, features that look into the past through a causal learnable shift, and
self-attention (papers/evi_hrnet, sections 3.1 and 4.3). Otherwise it is a U-Net (Ronneberger et al. 2015): most of what
it is given is right already, and passes beside the bottleneck. What is smooth, where to take the reference from and how
to tint it, is read off at a quarter of the size, and is applied to pictures of any size; what it draws where the
reference shows what is not there today, hair, glasses or another wall, is as fine as the grid.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from ..errors import InputError
from ..weights.header import read_weights
from .gated_shift import GatedConv
from .self_attention import SpatialAttention

# Masked frame (3), hole (1), reference: ring and face (2), itself (3), its difference from the frame beside the hole
# (3), and what is around the hole spread over it (3).
CHANNELS = 15
STEP = 0.05  # crop sides that a displacement of 1 means
TINT, DRAWN = 0.3, 0.5  # of [0, 1]: what a tint and a drawing of 1 add
UNLIKE = 4.0  # brings differences of colour to the size of the other inputs
DILATIONS = (1, 2, 4, 8)
PARTS = ("attention", "shift", "displacement", "tint", "drawing")
SELDOM = -3.0  # logit of the share of what is drawn, at the start

State = list[torch.Tensor | None]


class Generated(NamedTuple):
    """What the network says of N frames. displacement: (N, 2, S / 4, S / 4) crop sides right and down, from where the
    reference is taken; tint: (N, 3, S / 4, S / 4), what is added to it; drawing: (N, 3, S, S), what is added to what of
    that the grid shows, and share: (N, 1, S, S) in [0, 1], how much of the drawn picture is seen in place of the
    reference."""

    displacement: torch.Tensor
    tint: torch.Tensor
    drawing: torch.Tensor
    share: torch.Tensor


@dataclass(frozen=True)
class GeneratorConfig:
    """widths: channels at the grid's size, a half, a quarter and an eighth of it. attention: whether every place of the
    smallest size looks at all others; shift: whether features look into the past; displacement, tint, drawing: what it
    may do to the reference. Any of these is off in ablations alone."""

    widths: tuple[int, int, int, int] = (16, 40, 80, 128)
    attention: bool = True
    shift: bool = True
    displacement: bool = True
    tint: bool = True
    drawing: bool = True

    def metadata(self) -> dict[str, str]:
        """As text, for the header of a safetensors file."""
        return {"variant": "aligned", **{name: str(value) for name, value in asdict(self).items()}}

    @classmethod
    def from_metadata(cls, metadata: dict[str, str]) -> "GeneratorConfig":
        """From `metadata`; other entries are left alone. Raises InputError for a file that does not say."""
        try:
            widths = tuple(int(part) for part in metadata["widths"].strip("()").split(","))
            parts = {name: {"True": True, "False": False}[metadata[name]] for name in PARTS}
        except (KeyError, ValueError) as error:
            raise InputError(
                f"Expected weights of the aligned generator, whose header names widths, {', '.join(PARTS)}, "
                f"got {metadata}."
            ) from error
        return cls(widths, **parts)


class AlignedGenerator(nn.Module):
    """2.0 M parameters, and 3.5 GFLOP for a frame of 128 x 128 cells (multiplying and adding count two).

    It starts as the fitted reference, and takes frames of any number of clips, clip by clip.
    """

    def __init__(self, config: GeneratorConfig = GeneratorConfig()) -> None:
        super().__init__()
        self.config = config
        a, b, c, d = config.widths

        def layer(before: int, width: int, *, stride: int = 1, dilation: int = 1) -> GatedConv:
            plain = {} if config.shift else {"shift": None}
            return GatedConv(before, width, stride=stride, dilation=dilation, padding=dilation, **plain)

        self.first = GatedConv(CHANNELS, a, shift=None)
        self.at_half = nn.ModuleList([layer(a, b, stride=2), layer(b, b)])
        self.at_quarter = nn.ModuleList([layer(b, c, stride=2), layer(c, c)])
        self.at_eighth = nn.ModuleList([layer(c, d, stride=2), *(layer(d, d, dilation=by) for by in DILATIONS)])
        self.attention = SpatialAttention(d, None) if config.attention else nn.Identity()
        self.to_quarter, self.to_half = layer(d + c, c), layer(c + b, b)
        self.to_whole = GatedConv(b + a, a, shift=None)
        self.displacement, self.tint = nn.Conv2d(c, 2, 3, padding=1), nn.Conv2d(c, 3, 3, padding=1)
        self.last = nn.Conv2d(a, 4, 3, padding=1)
        for out in (self.displacement, self.tint, self.last):
            nn.init.zeros_(out.weight), nn.init.zeros_(out.bias)
        with torch.no_grad():
            self.last.bias[3] = SELDOM

    def forward(self, inputs: torch.Tensor, frames: int, state: State | None = None) -> tuple[Generated, State]:
        """inputs: (B * T, CHANNELS, S, S), T = `frames`, S a multiple of 8. state: what the call for the frames before
        returned, None at a clip's start: a clip given piece by piece equals the clip given at once."""
        pasts = iter(state or [None] * self._layers())
        kept: State = []

        def through(layers: nn.ModuleList | list[nn.Module], x: torch.Tensor) -> torch.Tensor:
            for layer in layers:
                x, past = layer(x, frames, next(pasts))
                kept.append(past)
            return x

        whole = through([self.first], inputs.contiguous(memory_format=torch.channels_last))
        half = through(self.at_half, whole)
        quarter = through(self.at_quarter, half)
        eighth = self.attention(through(self.at_eighth, quarter))
        quarter = through([self.to_quarter], torch.cat([_twice(eighth), quarter], 1))
        half = through([self.to_half], torch.cat([_twice(quarter), half], 1))
        whole = through([self.to_whole], torch.cat([_twice(half), whole], 1))
        drawing, share = self.last(whole).float().split((3, 1), 1)
        displacement, tint = self.displacement(quarter).float(), self.tint(quarter).float()
        found = Generated(STEP * displacement, TINT * tint, DRAWN * drawing, share.sigmoid())
        config = self.config
        allowed = (config.displacement, config.tint, config.drawing, config.drawing)
        return Generated(*(x if on else torch.zeros_like(x) for x, on in zip(found, allowed, strict=True))), kept

    def _layers(self) -> int:
        return len(self.at_half) + len(self.at_quarter) + len(self.at_eighth) + 4


def _twice(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def load(path: Path) -> AlignedGenerator:
    """The network of a safetensors file that `hmd-removal lab train generator` wrote, in evaluation mode.

    Raises InputError when there is no such file, or it holds another network.
    """
    metadata, state = read_weights(path, "weights of the aligned generator")
    net = AlignedGenerator(GeneratorConfig.from_metadata(metadata))
    net.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    return net.eval().requires_grad_(False).to(memory_format=torch.channels_last)
