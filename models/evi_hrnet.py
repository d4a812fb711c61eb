"""EVI-HRnet's generator: expression-aware video inpainting with landmarks and one reference frame (CVMP 2023).

Section 4.3 of the paper on the base of LGTSM's code: 17 gated convolutions (LGTSM names 13 of them, and the 4 dilated
ones apart) with a causal temporal shift, and self-attention after the first down-sampling and before the dilations.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from einops import rearrange
from torch import nn
from torch.nn import functional as F

from ..errors import InputError
from .gated_shift import GatedConv
from .self_attention import ChannelAttention, SpatialAttention

CHANNELS = 8  # of the input: masked frame (3), mask (1), contour (1), reference (3)
VARIANTS = ("paper", "aligned")
ATTENTIONS = {"spatial": SpatialAttention, "channel": ChannelAttention}
STEP = 0.02  # what a displacement of 1 moves the reference by, in half sides of the picture

State = list[torch.Tensor | None]


@dataclass(frozen=True)
class EVIConfig:
    """What a file of weights has to say of its network.

    variant: "paper", whose reference is another frame as it is, zeroed outside the hole; or "aligned", whose reference
    is the person's re-posed and colour-matched face (faces.align, faces.blend), which it corrects: what the alignment
    gets right need not be learnt. width: channels of the first layer, 64 in the paper. attention:
    "spatial" (SAGAN) or "channel" (the paper's words). keys: side of the grid that spatial attention looks at, None
    for all positions. side: pixels of the crops that the network learnt from; larger ones are shrunk for it. Raises
    InputError for an unknown name.
    """

    variant: str = "aligned"
    width: int = 64
    attention: str = "spatial"
    keys: int | None = None
    side: int = 128

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
                int(metadata["side"]),
            )
        except (KeyError, ValueError) as error:
            raise InputError(
                "Expected weights of EVI-HRnet, whose header names variant, width, attention, keys and side, "
                f"got {metadata}."
            ) from error


@dataclass(frozen=True)
class Correction:
    """What the variant "aligned" does to the reference. displacement: (B, T, 2, h, w), in units of STEP, x and y of
    where each pixel is to be taken from; addition: (B, T, 3, H, W) what is then added to it."""

    displacement: torch.Tensor
    addition: torch.Tensor

    def of(self, reference: torch.Tensor) -> torch.Tensor:
        """The corrected reference, float32, not clamped. reference: (B, T, 3, S, S), of any size: a large one keeps its
        details, since they are moved and not drawn anew. Beyond its edge the picture repeats."""
        length, size = reference.shape[1], reference.shape[-2:]
        flat, steps, added = (
            rearrange(x.float(), "b t c h w -> (b t) c h w") for x in (reference, self.displacement, self.addition)
        )
        steps = F.interpolate(STEP * steps, size=size, mode="bilinear", align_corners=False)
        # Middles of pixels in [-1, 1]. Not by affine_grid: under autocast it rounds them to a quarter of a pixel.
        down, across = ((2 * torch.arange(n, device=flat.device) + 1) / n - 1 for n in size)
        still = torch.stack(torch.meshgrid(across, down, indexing="xy"), -1)
        grid = still + rearrange(steps, "n c h w -> n h w c")
        # Bilinear interpolation would blur once more what the warp has interpolated already.
        moved = F.grid_sample(flat, grid, mode="bicubic", padding_mode="border", align_corners=False)
        if added.shape[-2:] != size:
            added = F.interpolate(added, size=size, mode="bilinear", align_corners=False)
        return rearrange(moved + added, "(b t) c h w -> b t c h w", t=length)


class EVIHRnet(nn.Module):
    """The generator. At width 64: 12,248,088 parameters, and 46.0 GFLOP for a frame of 128 x 128 pixels (multiplying
    and adding count two). A quarter of the width costs a sixteenth of that.

    The variant "aligned", which is not the paper's, starts as the warped reference itself and learns two corrections: a
    displacement, read off the features at a quarter of the size, by which the reference is moved, since what is left of
    errors in alignment is best undone by shifting what is sharp; and an addition, the last layer's output.
    """

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
        self.dilated = nn.ModuleList(
            [
                *(GatedConv(4 * w, 4 * w, dilation=d, padding=d) for d in (2, 4, 8, 16)),
                GatedConv(4 * w, 4 * w),
                GatedConv(4 * w, 4 * w),
            ]
        )
        self.decoder = nn.ModuleList(
            [
                GatedConv(4 * w, 2 * w, scale=2),
                GatedConv(2 * w, 2 * w),
                GatedConv(2 * w, w, scale=2),
                GatedConv(w, w // 2),
                GatedConv(w // 2, 3, activate=False),
            ]
        )
        if config.variant == "aligned":
            self.displacement = nn.Conv2d(4 * w, 2, 3, padding=1)
            for layer in (self.displacement, self.decoder[-1].feature):
                nn.init.zeros_(layer.weight), nn.init.zeros_(layer.bias)

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
        if self.config.variant == "paper":
            _, picture, kept = self._run(frames, mask, contour, reference * mask, state)
            return picture, kept
        correction, kept = self.correct(frames, mask, contour, reference, state)
        return correction.of(reference), kept

    def correct(
        self,
        frames: torch.Tensor,
        mask: torch.Tensor,
        contour: torch.Tensor,
        reference: torch.Tensor,
        state: State | None = None,
    ) -> tuple[Correction, State]:
        """`forward` of the variant "aligned" up to what it does to the reference, which may have another size."""
        features, addition, kept = self._run(frames, mask, contour, reference, state)
        displacement = rearrange(self.displacement(features), "(b t) c h w -> b t c h w", t=frames.shape[1])
        return Correction(displacement, addition), kept

    def _run(
        self,
        frames: torch.Tensor,
        mask: torch.Tensor,
        contour: torch.Tensor,
        reference: torch.Tensor,
        state: State | None,
    ) -> tuple[torch.Tensor, torch.Tensor, State]:
        """Features at a quarter of the size, what the last layer says, and the state."""
        length = frames.shape[1]
        x = rearrange(torch.cat([frames * (1 - mask), mask, contour, reference], 2), "b t c h w -> (b t) c h w")
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
        features = through(self.dilated, x)
        return features, rearrange(through(self.decoder, features), "(b t) c h w -> b t c h w", t=length), kept

    def _layers(self) -> int:
        return sum(len(stage) for stage in (self.encoder, self.middle, self.dilated, self.decoder))


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
