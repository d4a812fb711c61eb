"""The appearance of a drawn headset: colours, light, mirrored room, cameras and lamps, the picture's grain, a hand."""

from dataclasses import dataclass

import numpy as np

from .mesh import Part

Colour = tuple[float, float, float]  # RGB in [0, 1]

CAMERA_DISTANCE = 70.0  # centimetres; how far reflections spread over a flat front


@dataclass(frozen=True)
class Mark:
    """A camera, lamp or ornament on the front: a pill, round where it is as long as thick.

    x, y: its middle, from -1 to 1 across and down the front. length, thickness: centimetres. angle: degrees.
    """

    x: float
    y: float
    length: float
    thickness: float
    colour: Colour
    angle: float = 0.0
    glossy: bool = False


@dataclass(frozen=True)
class Window:
    """Something bright that the front mirrors. Directions are components of the unit vector towards it."""

    x: float
    y: float
    width: float
    height: float
    brightness: float


@dataclass(frozen=True)
class Room:
    """What surrounds the wearer, as far as a glossy front shows it."""

    above: Colour = (0.62, 0.64, 0.68)
    below: Colour = (0.16, 0.14, 0.13)
    horizon: float = 0.05  # y of the unit vector where below begins
    windows: tuple[Window, ...] = (Window(-0.35, -0.25, 0.22, 0.28, 0.9), Window(0.08, 0.34, 0.34, 0.16, 0.55))


@dataclass(frozen=True)
class Hand:
    """A hand that grips the rim. side: -1 at the image's left, 1 at its right. height: centimetres from the middle."""

    side: int
    height: float
    reach: float  # centimetres by which the fingers lie on the front
    angle: float  # degrees by which the fingers point up
    size: float = 1.0
    sleeve: Colour | None = (0.2, 0.22, 0.28)


@dataclass(frozen=True)
class Look:
    """Everything about a drawn device but its shape. Fixed for a clip, so that nothing flickers."""

    front: Colour = (0.12, 0.12, 0.13)
    body: Colour = (0.16, 0.16, 0.17)
    interface: Colour = (0.07, 0.07, 0.07)
    strap: Colour = (0.12, 0.12, 0.12)
    gloss: float = 0.35  # share of light that the front mirrors, face on
    shine: float = 0.15  # strength of the highlight on the body
    light: tuple[float, float, float] = (-0.35, -0.75, -0.56)  # direction towards it, axes of the picture
    ambient: float = 0.45
    room: Room = Room()
    marks: tuple[Mark, ...] = ()
    noise: float = 0.012  # standard deviation of the grain, of a range of 1
    blur: float = 0.5  # standard deviation of the picture's softness, pixels
    motion: tuple[float, float] = (0.0, 0.0)  # centimetres travelled while the shutter is open
    hand: Hand | None = None

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Look":
        """A look out of the variety of devices, rooms and cameras, for training."""
        return _random_look(rng)


def facet_light(look: Look, part: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(F, 2) of facets with the given (F,) parts and (F, 3) normals in the picture's axes.

    First what multiplies their colour, in [0, 1.25], then the highlight that comes on top, in [0, 1].
    """
    light = np.array(look.light) / np.linalg.norm(look.light)
    lit = look.ambient + (1.25 - look.ambient) * np.clip(normals @ light, 0, None)
    halfway = light + (0, 0, -1.0)
    highlight = np.clip(normals @ (halfway / np.linalg.norm(halfway)), 0, None) ** 24
    shine = look.shine * (part == Part.BODY) + 0.3 * look.shine * (part == Part.FRONT)
    return np.column_stack([lit, shine * highlight])


def reflection(room: Room, normals: np.ndarray, view: np.ndarray) -> np.ndarray:
    """(..., 3) light that a front of gloss 1 mirrors, from (..., 3) unit normals and unit rays from the camera."""
    facing = (normals * view).sum(-1, keepdims=True)
    ray = view - 2 * facing * normals
    x, y = ray[..., 0], ray[..., 1]
    below = _soft_step((y - room.horizon) / 0.12)[..., None]
    # Ceilings are darker than walls: the light falls off upwards.
    above = np.array(room.above) * np.clip(1.0 + 0.8 * np.minimum(y, 0), 0.35, 1)[..., None]
    seen = (1 - below) * above + below * np.array(room.below)
    for window in room.windows:
        inside = _soft_step((window.width / 2 - np.abs(x - window.x)) / 0.03)
        inside *= _soft_step((window.height / 2 - np.abs(y - window.y)) / 0.03)
        seen += (inside * window.brightness)[..., None]
    fresnel = np.clip(1 + facing, 0, 1) ** 5
    return (0.6 + 0.4 * fresnel) * np.minimum(seen, 1.5)


def _soft_step(x: np.ndarray) -> np.ndarray:
    return np.clip(x + 0.5, 0, 1)


BLACK, DARK, WHITE, LENS = (0.05, 0.05, 0.055), (0.15, 0.15, 0.16), (0.86, 0.86, 0.85), (0.03, 0.03, 0.05)
GLOW = (0.35, 0.55, 1.0)

# A look for each preset: that of the device it is named after, in a living room.
LOOKS = {
    "band": Look(front=(0.13, 0.13, 0.15), body=(0.1, 0.1, 0.11), gloss=0.1),
    "quest": Look(
        front=WHITE,
        body=WHITE,
        interface=(0.2, 0.2, 0.2),
        strap=(0.75, 0.75, 0.74),
        gloss=0.06,
        shine=0.1,
        marks=(
            *(Mark(x, 0, 4.6, 2.0, BLACK, 90, True) for x in (-0.52, 0.0, 0.52)),
            *(Mark(x, y, 1.1, 1.1, (0.12, 0.13, 0.17)) for x in (-0.52, 0.52) for y in (-0.24, 0.24)),
            Mark(0, -0.02, 0.9, 0.9, (0.1, 0.1, 0.13)),
        ),
    ),
    "psvr": Look(
        front=BLACK,
        body=WHITE,
        interface=(0.1, 0.1, 0.1),
        strap=(0.82, 0.82, 0.82),
        gloss=0.3,
        marks=tuple(
            Mark(x, y, 2.6, 0.8, GLOW, angle)
            for x, y, angle in ((-0.72, -0.55, -35), (0.72, -0.55, 35), (-0.72, 0.55, 35), (0.72, 0.55, -35), (0, 0, 0))
        ),
    ),
    "visionpro": Look(
        front=(0.045, 0.045, 0.055),
        body=(0.6, 0.61, 0.63),
        interface=(0.32, 0.32, 0.33),
        strap=(0.62, 0.62, 0.61),
        gloss=0.55,
        shine=0.4,
    ),
    "index": Look(
        front=BLACK,
        body=DARK,
        gloss=0.45,
        marks=(
            *(Mark(x, 0.35, 1.5, 1.5, (0.02, 0.02, 0.03)) for x in (-0.6, 0.6)),
            *(Mark(x, 0.35, 0.7, 0.7, (0.22, 0.2, 0.3)) for x in (-0.6, 0.6)),
            Mark(0, -0.62, 7.0, 0.25, (0.3, 0.3, 0.32)),
        ),
    ),
    "phone": Look(
        front=(0.66, 0.66, 0.65),
        body=(0.7, 0.7, 0.69),
        strap=(0.1, 0.1, 0.1),
        gloss=0.04,
        marks=(Mark(0, 0, 15.0, 7.4, BLACK, 0, True), Mark(-0.6, -0.3, 0.9, 0.9, (0.16, 0.16, 0.2))),
    ),
    "glasses": Look(
        front=(0.1, 0.1, 0.1),
        body=(0.1, 0.1, 0.1),
        gloss=0.1,
        marks=tuple(Mark(x, -0.08, 5.6, 3.4, LENS, 0, True) for x in (-0.5, 0.5)),
    ),
}


def _random_look(rng: np.random.Generator) -> Look:
    def grey(low: float, high: float) -> Colour:
        return tuple(np.clip(rng.uniform(low, high) + rng.normal(0, 0.012, 3), 0, 1))

    def plastic() -> Colour:
        kind = rng.choice(["black", "grey", "white", "coloured"], p=(0.4, 0.2, 0.28, 0.12))
        if kind == "coloured":
            return tuple(0.6 * rng.uniform(0.05, 0.85, 3) + 0.4 * rng.uniform(0.05, 0.85))
        return grey(*{"black": (0.02, 0.16), "grey": (0.2, 0.55), "white": (0.65, 0.95)}[kind])

    body = plastic()
    front = body if rng.random() < 0.4 else plastic()
    light = (rng.normal(0, 0.6), rng.normal(-0.6, 0.4), -rng.uniform(0.3, 1.0))
    room = Room(
        above=grey(0.25, 0.9),
        below=grey(0.05, 0.4),
        horizon=rng.normal(0.05, 0.15),
        windows=tuple(
            Window(*rng.uniform(-0.6, 0.6, 2), *rng.uniform(0.06, 0.4, 2), rng.uniform(0.3, 1.2))
            for _ in range(rng.integers(0, 4))
        ),
    )
    return Look(
        front=front,
        body=body,
        interface=grey(0.03, 0.4),
        strap=body if rng.random() < 0.3 else plastic(),
        gloss=rng.choice([rng.uniform(0.0, 0.1), rng.uniform(0.15, 0.7)]),
        shine=rng.uniform(0, 0.5),
        light=light,
        ambient=rng.uniform(0.25, 0.8),
        room=room,
        marks=_random_marks(rng),
        noise=rng.uniform(0, 0.03),
        blur=rng.uniform(0.3, 1.4),
        motion=tuple(rng.normal(0, 0.5, 2)) if rng.random() < 0.2 else (0.0, 0.0),
        hand=_random_hand(rng) if rng.random() < 0.2 else None,
    )


def _random_marks(rng: np.random.Generator) -> tuple[Mark, ...]:
    """Cameras and lamps, as a rule in mirrored pairs, and now and then a pane or a line across."""
    marks = []
    if rng.random() < 0.25:
        # A pane, dark or lit from behind by what it shows.
        colour = BLACK if rng.random() < 0.7 else tuple(rng.uniform(0.1, 1.0, 3))
        marks.append(Mark(0, rng.uniform(-0.1, 0.1), rng.uniform(9, 15), rng.uniform(4, 7), colour, 0, True))
    if rng.random() < 0.3:
        shade = rng.uniform(0.05, 0.9)
        marks.append(Mark(0, rng.uniform(-0.8, 0.8), rng.uniform(3, 13), rng.uniform(0.1, 0.5), (shade,) * 3))
    for _ in range(rng.integers(0, 4)):
        x, y, thick = rng.uniform(0.2, 0.85), rng.uniform(-0.75, 0.75), rng.uniform(0.5, 2.0)
        length, angle = thick + rng.choice([0.0, rng.uniform(0, 3)]), rng.uniform(-90, 90)
        colour = GLOW if rng.random() < 0.15 else tuple(rng.uniform(0, 0.2) + rng.uniform(0, 0.04, 3))
        marks += [Mark(side * x, y, length, thick, colour, side * angle, rng.random() < 0.5) for side in (-1, 1)]
    return tuple(marks)


def _random_hand(rng: np.random.Generator) -> Hand:
    return Hand(
        side=int(rng.choice([-1, 1])),
        height=rng.uniform(-2.5, 3.0),
        reach=rng.uniform(1.0, 5.0),
        angle=rng.normal(10, 20),
        size=rng.uniform(0.85, 1.15),
        sleeve=tuple(rng.uniform(0.03, 0.9, 3)) if rng.random() < 0.6 else None,
    )
