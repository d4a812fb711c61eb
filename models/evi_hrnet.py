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
from .correction import Correction
from .gated_shift import CausalShift, GatedConv, TemporalShift
from .recall import prior_share
from .self_attention import ChannelAttention, SpatialAttention

# Of the input: masked frame (3), mask (1), contour (1), reference (3); and memory (4), how unlike the frame the
# reference and what is remembered are around the hole (2).
CHANNELS = {"paper": 8, "aligned": 14}
VARIANTS = tuple(CHANNELS)
UNLIKE = 8.0  # brings differences of colour, which matter by hundredths, to the size of the other inputs
# The last ones are for ablations.
ATTENTIONS = {"spatial": SpatialAttention, "channel": ChannelAttention, "none": None}
SHIFTS = {"causal": CausalShift, "bidirectional": TemporalShift, "none": None}
ADDED = {"shift": "causal", "landmarks": "True", "frames": "32"}  # what files that do not say yet have

# What the network adds to the logit of the share of memory by an output of 1.
DECISION = 10.0

State = list[torch.Tensor | None]


@dataclass(frozen=True)
class EVIConfig:
    """What a file of weights has to say of its network.

    variant: "paper", whose reference is another frame as it is, zeroed outside the hole; or "aligned", whose reference
    is the person's re-posed and colour-matched face (restore.align, restore.rim), which it corrects: what the
    alignment
    gets right need not be learnt; and which is also told what each place showed before (restore.memory). width:
    channels of the first layer, 64 in the paper. attention: "spatial" (SAGAN), "channel" (the paper's words) or "none".
    keys: side of the grid that spatial attention looks at, None for all positions. side: pixels of the crops that the
    network learnt from; larger ones are shrunk for it. shift: of features in time, "causal" as in the paper,
    "bidirectional" as in LGTSM, which needs a clip as a whole, or "none". landmarks: whether the network looks at
    the contour. frames: of the windows that a bidirectional one learnt from, see restore.filler. Raises InputError
    for an unknown name.
    """

    variant: str = "aligned"
    width: int = 64
    attention: str = "spatial"
    keys: int | None = None
    side: int = 128
    shift: str = "causal"
    landmarks: bool = True
    frames: int = 32

    def __post_init__(self) -> None:
        for name, known in (("variant", VARIANTS), ("attention", ATTENTIONS), ("shift", SHIFTS)):
            if (value := getattr(self, name)) not in known:
                raise InputError(f"Expected as {name} one of {', '.join(known)}, got {value!r}.")

    @property
    def looks_ahead(self) -> bool:
        """Whether the network sees frames that are still to come, and so needs a clip as a whole."""
        return self.shift == "bidirectional"

    def metadata(self) -> dict[str, str]:
        """As text, for the header of a safetensors file."""
        return {name: str(value) for name, value in asdict(self).items()}

    @classmethod
    def from_metadata(cls, metadata: dict[str, str]) -> "EVIConfig":
        """From `metadata`; other entries are left alone. Raises InputError for a file that does not say."""
        metadata = ADDED | metadata
        try:
            keys = metadata["keys"]
            return cls(
                metadata["variant"],
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
                "Expected weights of EVI-HRnet, whose header names variant, width, attention, keys and side, "
                f"got {metadata}."
            ) from error


class Inpainted(NamedTuple):
    """picture: (B, T, 3, S, S), not clamped, to be composited with the frames; state: what the network keeps of them;
    correction: how the variant "aligned" came to it."""

    picture: torch.Tensor
    state: State | None
    correction: Correction | None = None


class EVIHRnet(nn.Module):
    """The generator. At width 64: 12,248,088 parameters, and 46.0 GFLOP for a frame of 128 x 128 pixels (multiplying
    and adding count two). A quarter of the width costs a sixteenth of that.

    The variant "aligned", which is not the paper's, starts as the warped reference, or as what is remembered of a place
    where that fits better (models.recall). It learns three corrections: a displacement, read off the features at a
    quarter of the size, by which the reference is moved, since what is left of errors in alignment is best undone by
    shifting what is sharp; and, from the last layer, how much more or less memory is to be believed, and an addition.
    """

    def __init__(self, config: EVIConfig = EVIConfig()) -> None:
        super().__init__()
        self.config = config
        w = config.width

        def attention(channels: int) -> nn.Module:
            kind = ATTENTIONS[config.attention]
            return nn.Identity() if kind is None else kind(channels, config.keys)

        layer = partial(GatedConv, shift=SHIFTS[config.shift])
        self.encoder = nn.ModuleList(
            [GatedConv(CHANNELS[config.variant], w, 5, shift=None), layer(w, 2 * w, 4, stride=2, padding=2)]
        )
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
                layer(w // 2, 3 if config.variant == "paper" else 4, activate=False),
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
        memory: torch.Tensor | None = None,
        state: State | None = None,
    ) -> Inpainted:
        """Fill the hole in consecutive frames.

        frames, reference: (B, T, 3, S, S) in [0, 1], S a multiple of 4; mask: (B, T, 1, S, S), 1 = hole; contour: (B,
        T, 1, S, S), see restore.network_inputs. What the hole shows in `frames` is not looked at, nor, in the variant
        "paper", the reference outside it. memory: (B, T, 5, S, S), what each place showed when it was last in sight,
        black where it never was; 1 where it was; and how far the face has moved since, in sides, which only the rule
        looks at. None where nothing is remembered; "paper" does not look at it. state: what the call before returned,
        None at a clip's start.

        The picture's state is for the frames that follow: a clip given piece by piece equals the clip given at once.
        """
        if self.config.variant == "paper":
            contour = contour * self.config.landmarks
            masked = torch.cat([frames * (1 - mask), mask, contour, reference * mask], 2)
            _, picture, kept = self._run(masked, state)
            return Inpainted(picture, kept)
        correction, kept = self.correct(frames, mask, contour, reference, memory, state)
        return Inpainted(correction.of(reference, memory), kept, correction)

    def correct(
        self,
        frames: torch.Tensor,
        mask: torch.Tensor,
        contour: torch.Tensor,
        reference: torch.Tensor,
        memory: torch.Tensor | None = None,
        state: State | None = None,
    ) -> tuple[Correction, State | None]:
        """`forward` of the variant "aligned" up to what it does to the reference, which may have another size."""
        if memory is None:
            memory = torch.cat([torch.zeros_like(reference), torch.zeros_like(mask), torch.zeros_like(mask)], 2)
        prior = prior_share(frames, mask, contour, reference, memory)
        if not self.training and self.silent():  # what it would say need not be calculated
            batch, length, _, height, width = frames.shape
            still = frames.new_zeros(batch, length, 2, height // 4, width // 4)
            return Correction(still, torch.zeros_like(frames), prior), None
        shown = 1 - mask
        unlike = [
            UNLIKE * (frames - picture).abs().mean(2, keepdim=True) * seen
            for picture, seen in ((reference, shown), (memory[:, :, :3], shown * memory[:, :, 3:4]))
        ]
        lines = contour * self.config.landmarks
        inputs = torch.cat([frames * shown, mask, lines, reference, memory[:, :, :4], *unlike], 2)
        features, last, kept = self._run(inputs, state)
        displacement = rearrange(self.displacement(features), "(b t) c h w -> b t c h w", t=frames.shape[1])
        addition, recall = last.split((3, 1), 2)
        return Correction(displacement, addition, prior + DECISION * recall.float()), kept

    def silent(self) -> bool:
        """Whether the last layers of the variant "aligned" are zero, as at the start and in the shipped weights."""
        last = (*self.displacement.parameters(), *self.decoder[-1].feature.parameters())
        return not any(parameter.any() for parameter in last)

    def _run(self, inputs: torch.Tensor, state: State | None) -> tuple[torch.Tensor, torch.Tensor, State]:
        """Features at a quarter of the size, what the last layer says, and the state."""
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
        features = through(self.dilated, x)
        return features, rearrange(through(self.decoder, features), "(b t) c h w -> b t c h w", t=length), kept

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
