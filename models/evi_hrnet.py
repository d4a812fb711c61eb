"""EVI-HRnet's generator: expression-aware video inpainting with landmarks and one reference frame (CVMP 2023).

Section 4.3 of the paper on the base of LGTSM's code: 17 gated convolutions (LGTSM names 13 of them, and the 4 dilated
ones apart) with a causal temporal shift, and self-attention after the first down-sampling and before the dilations.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from einops import rearrange
from torch import nn

from ..errors import InputError
from .gated_shift import GatedConv
from .self_attention import ChannelAttention, SpatialAttention

CHANNELS = 8  # of the input: masked frame (3), mask (1), contour (1), reference (3)
VARIANTS = ("paper", "aligned")
ATTENTIONS = {"spatial": SpatialAttention, "channel": ChannelAttention}

State = list[torch.Tensor | None]


@dataclass(frozen=True)
class EVIConfig:
    """What a file of weights has to say of its network.

    variant: "paper", whose reference is another frame as it is, zeroed outside the hole; or "aligned", whose reference
    is the person's re-posed and colour-matched face (faces.align, faces.blend), to which it gives a correction: what
    the alignment gets right need not be learnt. width: channels of the first layer, 64 in the paper. attention:
    "spatial" (SAGAN) or "channel" (the paper's words). keys: side of the grid that spatial attention looks at, None
    for all positions. Raises InputError for an unknown name.
    """

    variant: str = "aligned"
    width: int = 64
    attention: str = "spatial"
    keys: int | None = None

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise InputError(f"Expected a variant out of {', '.join(VARIANTS)}, got {self.variant!r}.")
        if self.attention not in ATTENTIONS:
            raise InputError(f"Expected an attention out of {', '.join(ATTENTIONS)}, got {self.attention!r}.")

    def metadata(self) -> dict[str, str]:
        """As text, for the header of a safetensors file."""
        return {name: str(value) for name, value in asdict(self).items()}

    @classmethod
    def from_metadata(cls, metadata: dict[str, str]) -> "EVIConfig":
        """From `metadata`; other entries are left alone. Raises InputError for a file that does not say."""
        try:
            keys = metadata["keys"]
            return cls(
                metadata["variant"],
                int(metadata["width"]),
                metadata["attention"],
                None if keys == "None" else int(keys),
            )
        except (KeyError, ValueError) as error:
            raise InputError(
                f"Expected weights of EVI-HRnet, whose header names variant, width, attention and keys, got {metadata}."
            ) from error


class EVIHRnet(nn.Module):
    """The generator. At width 64: 12,248,088 parameters, and 46.0 GFLOP for a frame of 128 x 128 pixels (multiplying
    and adding count two). A quarter of the width costs a sixteenth of that."""

    def __init__(self, config: EVIConfig = EVIConfig()) -> None:
        super().__init__()
        self.config = config
        w = config.width
        attention = ATTENTIONS[config.attention]
        self.encoder = nn.ModuleList(
            [GatedConv(CHANNELS, w, 5, shift=False), GatedConv(w, 2 * w, 4, stride=2, padding=2)]
        )
        self.early_attention = attention(2 * w, config.keys)
        self.middle = nn.ModuleList(
            [
                GatedConv(2 * w, 2 * w),
                GatedConv(2 * w, 4 * w, 4, stride=2),
                GatedConv(4 * w, 4 * w),
                GatedConv(4 * w, 4 * w),
            ]
        )
        self.late_attention = attention(4 * w, config.keys)
        self.decoder = nn.ModuleList(
            [
                *(GatedConv(4 * w, 4 * w, dilation=d, padding=d) for d in (2, 4, 8, 16)),
                GatedConv(4 * w, 4 * w),
                GatedConv(4 * w, 4 * w),
                GatedConv(4 * w, 2 * w, scale=2),
                GatedConv(2 * w, 2 * w),
                GatedConv(2 * w, w, scale=2),
                GatedConv(w, w // 2),
                GatedConv(w // 2, 3, activate=False),
            ]
        )

    def forward(
        self,
        frames: torch.Tensor,
        mask: torch.Tensor,
        contour: torch.Tensor,
        reference: torch.Tensor,
        state: State | None = None,
    ) -> tuple[torch.Tensor, State]:
        """Fill the hole in consecutive frames.

        frames, reference: (B, T, 3, S, S) in [0, 1], S a multiple of 4; mask: (B, T, 1, S, S), 1 = hole; contour:
        (B, T, 1, S, S), see faces.contour. What the hole shows in `frames` is not looked at, nor, in the variant
        "paper", the reference outside it. state: what the call before returned, None at a clip's start.

        Returns (B, T, 3, S, S), not clamped, to be composited with the frames; and the state for the frames that
        follow, with which a clip given piece by piece equals the clip given at once.
        """
        length = frames.shape[1]
        seen = reference * mask if self.config.variant == "paper" else reference
        x = rearrange(torch.cat([frames * (1 - mask), mask, contour, seen], 2), "b t c h w -> (b t) c h w")
        pasts = iter(state or [None] * self._layers())
        kept: State = []
        for stage in (self.encoder, self.early_attention, self.middle, self.late_attention, self.decoder):
            if not isinstance(stage, nn.ModuleList):
                x = stage(x)
                continue
            for layer in stage:
                x, past = layer(x, length, next(pasts))
                kept.append(past)
        x = rearrange(x, "(b t) c h w -> b t c h w", t=length)
        return (x if self.config.variant == "paper" else reference + x), kept

    def _layers(self) -> int:
        return len(self.encoder) + len(self.middle) + len(self.decoder)


def load(path: Path) -> EVIHRnet:
    """The network of a safetensors file that `hmd-removal train evi-hrnet` wrote, in evaluation mode.

    Raises InputError when there is no such file, or it holds another network.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            config = EVIConfig.from_metadata(file.metadata() or {})
            state = {name: file.get_tensor(name).float() for name in file.keys()}
    except (OSError, SafetensorError) as error:
        raise InputError(f"Expected weights of EVI-HRnet in {path}, which cannot be read: {error}.") from error
    net = EVIHRnet(config)
    net.load_state_dict(state)
    return net.eval().requires_grad_(False).to(memory_format=torch.channels_last)
