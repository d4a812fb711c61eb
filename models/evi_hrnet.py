"""EVI-HRnet's generator: expression-aware video inpainting with landmarks and one reference frame (CVMP 2023).

Section 4.3 of the paper on the base of LGTSM's code: 17 gated convolutions (LGTSM names 13 of them, and the 4 dilated
ones apart) with a causal temporal shift, and self-attention after the first down-sampling and before the dilations.
"""

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from einops import rearrange
from torch import nn

from ..errors import InputError
from ..weights.header import read_weights
from .gated_shift import CausalShift, GatedConv, TemporalShift
from .self_attention import ChannelAttention, SpatialAttention

CHANNELS = 8  # of the input: masked frame (3), mask (1), contour (1), reference (3)
# The last ones are for ablations.
ATTENTIONS = {"spatial": SpatialAttention, "channel": ChannelAttention, "none": None}
SHIFTS = {"causal": CausalShift, "bidirectional": TemporalShift, "none": None}
ADDED = {"shift": "causal", "landmarks": "True", "frames": "32"}  # what files that do not say yet have

VARIANT = "paper"

State = list[torch.Tensor | None]


@dataclass(frozen=True)
class EVIConfig:
    """What a file of weights has to say of its network.

    width: channels of the first layer, 64 in the paper. attention: "spatial" (SAGAN), "channel" (the paper's words) or
    "none". keys: side of the grid that spatial attention looks at, None for all positions. side: pixels of the crops
    that the network learnt from; larger ones are shrunk for it. shift: of features in time, "causal" as in the paper,
    "bidirectional" as in LGTSM, which needs a clip as a whole, or "none". landmarks: whether the network looks at
    the contour. frames: of the windows that a bidirectional one learnt from, see restore.filler. Raises InputError
    for an unknown name.
    """

    width: int = 64
    attention: str = "spatial"
    keys: int | None = None
    side: int = 128
    shift: str = "causal"
    landmarks: bool = True
    frames: int = 32

    def __post_init__(self) -> None:
        for name, known in (("attention", ATTENTIONS), ("shift", SHIFTS)):
            if (value := getattr(self, name)) not in known:
                raise InputError(f"Expected as {name} one of {', '.join(known)}, got {value!r}.")

    @property
    def looks_ahead(self) -> bool:
        """Whether the network sees frames that are still to come, and so needs a clip as a whole."""
        return self.shift == "bidirectional"

    def metadata(self) -> dict[str, str]:
        """As text, for the header of a safetensors file."""
        return {"variant": VARIANT, **{name: str(value) for name, value in asdict(self).items()}}

    @classmethod
    def from_metadata(cls, metadata: dict[str, str]) -> "EVIConfig":
        """From `metadata`; other entries are left alone. Raises InputError for a file that does not say, or holds
        another network."""
        metadata = ADDED | metadata
        if metadata.get("variant", VARIANT) != VARIANT:
            raise InputError(
                f"Expected weights of EVI-HRnet's own generator, variant {VARIANT!r}, got {metadata['variant']!r} of "
                "an earlier version, which is not read any more; use the file that comes with the pack."
            )
        try:
            keys = metadata["keys"]
            return cls(
                int(metadata["width"]),
                metadata["attention"],
                None if keys == "None" else int(keys),
                int(metadata["side"]),
                metadata["shift"],
                {"True": True, "False": False}[metadata["landmarks"]],
                int(metadata["frames"]),
            )
        except (KeyError, ValueError) as error:
            raise InputError(
                f"Expected weights of EVI-HRnet, whose header names width, attention, keys and side, got {metadata}."
            ) from error


class Inpainted(NamedTuple):
    """picture: (B, T, 3, S, S), not clamped, to be composited; state: what the network keeps of the frames."""

    picture: torch.Tensor
    state: State | None


class EVIHRnet(nn.Module):
    """The generator. At width 64: 12,248,088 parameters, and 46.0 GFLOP for a frame of 128 x 128 pixels (multiplying
    and adding count two). A quarter of the width costs a sixteenth of that."""

    def __init__(self, config: EVIConfig = EVIConfig()) -> None:
        super().__init__()
        self.config = config
        w = config.width

        def attention(channels: int) -> nn.Module:
            kind = ATTENTIONS[config.attention]
            return nn.Identity() if kind is None else kind(channels, config.keys)

        layer = partial(GatedConv, shift=SHIFTS[config.shift])
        self.encoder = nn.ModuleList([GatedConv(CHANNELS, w, 5, shift=None), layer(w, 2 * w, 4, stride=2, padding=2)])
        self.early_attention = attention(2 * w)
        self.middle = nn.ModuleList(
            [
                layer(2 * w, 2 * w),
                layer(2 * w, 4 * w, 4, stride=2),
                layer(4 * w, 4 * w),
                layer(4 * w, 4 * w),
            ]
        )
        self.late_attention = attention(4 * w)
        self.dilated = nn.ModuleList(
            [
                *(layer(4 * w, 4 * w, dilation=d, padding=d) for d in (2, 4, 8, 16)),
                layer(4 * w, 4 * w),
                layer(4 * w, 4 * w),
            ]
        )
        self.decoder = nn.ModuleList(
            [
                layer(4 * w, 2 * w, scale=2),
                layer(2 * w, 2 * w),
                layer(2 * w, w, scale=2),
                layer(w, w // 2),
                layer(w // 2, 3, activate=False),
            ]
        )

    def forward(
        self,
        frames: torch.Tensor,
        mask: torch.Tensor,
        contour: torch.Tensor,
        reference: torch.Tensor,
        state: State | None = None,
    ) -> Inpainted:
        """Fill the hole in consecutive frames.

        frames, reference: (B, T, 3, S, S) in [0, 1], S a multiple of 4; mask: (B, T, 1, S, S), 1 = hole; contour: (B,
        T, 1, S, S), see restore.network_inputs. What the hole shows in `frames` is not looked at, nor the reference
        outside it. state: what the call before returned, None at a clip's start.

        The picture's state is for the frames that follow: a clip given piece by piece equals the clip given at once.
        """
        contour = contour * self.config.landmarks
        masked = torch.cat([frames * (1 - mask), mask, contour, reference * mask], 2)
        return Inpainted(*self._run(masked, state))

    def _run(self, inputs: torch.Tensor, state: State | None) -> tuple[torch.Tensor, State]:
        """The picture and the state."""
        length = inputs.shape[1]
        x = rearrange(inputs, "b t c h w -> (b t) c h w")
        x = x.contiguous(memory_format=torch.channels_last)
        pasts = iter(state or [None] * self._layers())
        kept: State = []

        def through(layers: nn.ModuleList, x: torch.Tensor) -> torch.Tensor:
            for layer in layers:
                x, past = layer(x, length, next(pasts))
                kept.append(past)
            return x

        x = self.early_attention(through(self.encoder, x))
        x = self.late_attention(through(self.middle, x))
        x = through(self.decoder, through(self.dilated, x))
        return rearrange(x, "(b t) c h w -> b t c h w", t=length), kept

    def _layers(self) -> int:
        return sum(len(stage) for stage in (self.encoder, self.middle, self.dilated, self.decoder))


def load(path: Path) -> EVIHRnet:
    """The network of a safetensors file that `hmd-removal train evi-hrnet` wrote, in evaluation mode.

    Raises InputError when there is no such file, or it holds another network.
    """
    metadata, state = read_weights(path, "weights of EVI-HRnet")
    net = EVIHRnet(EVIConfig.from_metadata(metadata))
    net.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    return net.eval().requires_grad_(False).to(memory_format=torch.channels_last)
