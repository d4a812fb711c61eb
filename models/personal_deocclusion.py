"""Person-specific de-occlusion: an autoencoder of one face, with attention that keeps what is in sight.

arXiv 2112.01098, section III-B, on the networks of 3FabRec (Browatzki and Wallraven 2020), which it builds on. Pictures
of 256 x 256 pixels; each frame alone.
"""

from dataclasses import asdict, dataclass

import torch
from torch import nn
from torch.nn import functional as F

from ..errors import InputError

VARIANT = "paper"  # what the header of a file calls it
CODE = 99  # numbers that the encoder leaves of a face
SIDE = 256  # pixels
MEAN = (0.518, 0.418, 0.361)  # colour of the mean face, which the networks see as 0
FUSED = 64  # channels, and pixels of a side, of the features that attention mixes
# Channels of the three inner layers of the attention module, in units of FUSED. Inside, the paper spends four fifths of
# all calculations of the network.
ATTENTIONS = {"none": (), "slim": (2, 2, 2), "paper": (4, 4, 8)}


@dataclass(frozen=True)
class PersonalConfig:
    """attention: "paper"; "slim", two ninths of its parameters; or "none", which is the paper's baseline (3FabRec).
    mask: whether the encoder sees the mask as a fourth channel, and black in the hole. Raises InputError for an unknown
    name."""

    attention: str = "paper"
    mask: bool = False

    def __post_init__(self) -> None:
        if self.attention not in ATTENTIONS:
            raise InputError(f"Expected an attention out of {', '.join(ATTENTIONS)}, got {self.attention!r}.")

    def metadata(self) -> dict[str, str]:
        """As text, for the header of a safetensors file."""
        return {"variant": VARIANT, **{name: str(value) for name, value in asdict(self).items()}}

    @classmethod
    def from_metadata(cls, metadata: dict[str, str]) -> "PersonalConfig":
        """From `metadata`; other entries are left alone. Raises InputError for a file that does not say."""
        try:
            mask = {"True": True, "False": False}[metadata["mask"]]
            return {VARIANT: cls}[metadata["variant"]](metadata["attention"], mask)
        except KeyError as error:
            raise InputError(
                f"Expected a personal model of the variant {VARIANT!r}, whose header names attention and mask, got "
                f"{metadata}."
            ) from error


class ResidualBlock(nn.Module):
    """ResNet's basic block; at stride 2 its shortcut is a 1 x 1 convolution."""

    def __init__(self, channels_in: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.layers(x) + self.shortcut(x))


class InvertedBlock(nn.Module):
    """A residual block that doubles the size: its first convolution is a 4 x 4 deconvolution, and so is its
    shortcut."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(channels_in, channels, 4, 2, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.shortcut = nn.Sequential(
            nn.ConvTranspose2d(channels_in, channels, 4, 2, 1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.layers(x) + self.shortcut(x))


class Encoder(nn.Module):
    """A ResNet-18 with one more stage, since pictures are 256 pixels wide: 11,379,491 parameters without a mask."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(channels, FUSED, 7, 2, 3, bias=False),
            nn.BatchNorm2d(FUSED),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        )
        self.early = nn.Sequential(ResidualBlock(FUSED, FUSED), ResidualBlock(FUSED, FUSED))
        widths = (FUSED, 64, 128, 256, 512)
        self.late = nn.Sequential(
            *(
                nn.Sequential(ResidualBlock(before, width, 2), ResidualBlock(width, width))
                for before, width in zip(widths, widths[1:], strict=False)
            )
        )
        self.code = nn.Linear(512, CODE)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, C, 256, 256) to the code (N, 99) and F_enc, (N, 64, 64, 64)."""
        early = self.early(self.stem(x))
        return self.code(self.late(early).mean((2, 3))), early


class Decoder(nn.Module):
    """The encoder backwards: 10,868,096 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.code = nn.Linear(CODE, 512)
        self.start = nn.Sequential(
            nn.ConvTranspose2d(512, 512, 4, bias=False), nn.BatchNorm2d(512), nn.ReLU(inplace=True)
        )
        widths = (512, 256, 128, 64, FUSED)
        self.early = nn.Sequential(
            *(InvertedBlock(before, width) for before, width in zip(widths, widths[1:], strict=False))
        )
        self.late = nn.Sequential(InvertedBlock(FUSED, 64), nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False), nn.Tanh())

    def features(self, code: torch.Tensor) -> torch.Tensor:
        """(N, 99) to F_dec, (N, 64, 64, 64)."""
        return self.early(self.start(self.code(code)[:, :, None, None]))


class FusingAttention(nn.Module):
    """Equation 1: F_enc * A_enc + F_dec * A_dec.

    The paper does not say what bounds the attention maps. Here both add up to one in every place and channel: a mixture
    of the two, which cannot make anything brighter than either.
    """

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        sizes = [2 * FUSED, *(width * FUSED for width in widths), 2 * FUSED]
        layers: list[nn.Module] = []
        for before, after in zip(sizes, sizes[1:], strict=False):
            layers += [nn.Conv2d(before, after, 3, 1, 1), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, seen: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
        """F_enc and F_dec to what goes on, (N, 64, 64, 64) all three."""
        for_seen, for_made = self.layers(torch.cat([seen, made], 1)).chunk(2, 1)
        return torch.lerp(made, seen, torch.sigmoid(for_seen - for_made))


class PersonalDeocclusion(nn.Module):
    """The whole generator: 24,902,947 parameters with the paper's attention, 22,837,923 with the slim one."""

    mean: torch.Tensor

    def __init__(self, config: PersonalConfig = PersonalConfig()) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(4 if config.mask else 3)
        self.decoder = Decoder()
        widths = ATTENTIONS[config.attention]
        self.attention = FusingAttention(widths) if widths else None
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)

    def forward(self, frames: torch.Tensor, mask: torch.Tensor | None = None, *, attend: bool = True) -> torch.Tensor:
        """The frames without what covers the face, drawn anew as a whole.

        frames: (N, 3, 256, 256) in [0, 1]; mask: (N, 1, 256, 256), 1 = hole, for a network that asks for it. attend:
        False leaves attention out, as the first step of the training does. Returns (N, 3, 256, 256), not clamped: the
        tanh spans from MEAN - 1 to MEAN + 1.
        """
        code, seen = self.encode(frames, mask)
        features = self.decoder.features(code)
        if self.attention is not None and attend:
            features = self.attention(seen, features)
        return self.decoder.late(features) + self.mean

    def encode(self, frames: torch.Tensor, mask: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """The code (N, 99) and F_enc, (N, 64, 64, 64)."""
        x = frames - self.mean
        if self.config.mask:
            x = torch.cat([x * (1 - mask), mask], 1)
        return self.encoder(x)


class PictureDiscriminator(nn.Module):
    """DCGAN's discriminator for 256 pixels: 1,743,744 parameters."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        widths = (3, 32, 64, 128, 256, 256)
        for i, (before, after) in enumerate(zip(widths, widths[1:], strict=False)):
            layers.append(nn.Conv2d(before, after, 4, 2, 1, bias=False))
            if i:
                layers.append(nn.BatchNorm2d(after))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        self.layers = nn.Sequential(*layers, nn.Conv2d(256, 1, 4, bias=False))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(N, 3, 256, 256) to (N,): over 0 the more it is taken for real. The logit of the mean over places."""
        return self.layers(pictures).mean((1, 2, 3))
