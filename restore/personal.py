"""The method "personal": a network of one person fills the crops, frame by frame."""

import logging
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from ..errors import InputError
from ..files import written_whole
from ..models.correction import Correction
from ..models.device import Precision, check_precision, mixed_precision
from ..models.face_embedding import FaceEmbedding
from ..models.personal_deocclusion import SIDE, PersonalConfig, PersonalDeocclusion
from ..models.recall import prior_share
from ..tracking.reference import Reference, make_reference
from ..weights import WeightsMissing
from ..weights.header import read_weights
from .filler import Filling, Window, fill_in_parts
from .grid import GRID
from .network_inputs import contours, corrected, memory_of
from .paste import shown_on_grid
from .rim import Evidence
from .warp import fitted_reference

NETWORK, PICTURE, POINTS, IDENTITY = "network.", "reference.", "reference_points", "identity"
AROUND = 1.0  # how much of a picture is kept on each side of the face, in sizes of the face


@dataclass(frozen=True)
class PersonalModel:
    """network: in evaluation mode. reference: pictures of the enrolment. identity: (128,) of length 1, the mean of the
    person's face descriptors (models.face_embedding), None where that network was not at hand. about: what the file
    says of itself: when and on what it was trained, and how good it is."""

    network: PersonalDeocclusion
    reference: Reference
    identity: np.ndarray | None
    about: dict[str, str]


def write_personal(path: Path, model: PersonalModel) -> None:
    """Write a safetensors file, its network in half precision; it appears whole or not at all."""
    from safetensors.torch import save_file

    tensors = {
        NETWORK + name: (value.half() if value.is_floating_point() else value).cpu().contiguous()
        for name, value in model.network.state_dict().items()
    }
    pictures, points = zip(
        *(_around_face(i, p) for i, p in zip(model.reference.images, model.reference.points, strict=True)), strict=True
    )
    tensors |= {f"{PICTURE}{i}": torch.from_numpy(picture) for i, picture in enumerate(pictures)}
    tensors[POINTS] = torch.from_numpy(np.stack(points))
    if model.identity is not None:
        tensors[IDENTITY] = torch.from_numpy(np.asarray(model.identity, np.float32))
    with written_whole(path) as unfinished:
        save_file(tensors, unfinished, metadata={**model.about, **model.network.config.metadata()})


def read_personal(path: Path) -> PersonalModel:
    """What `write_personal` wrote. Raises InputError when there is no such file, or it holds something else."""
    about, tensors = read_weights(path, "a personal model")
    network = PersonalDeocclusion(PersonalConfig.from_metadata(about))
    if POINTS not in tensors:
        raise InputError(
            f"{path} holds a network that is nobody's yet, without pictures of a person; "
            "train one with hmd-removal train personal."
        )
    network.load_state_dict({n[len(NETWORK) :]: t.float() for n, t in tensors.items() if n.startswith(NETWORK)})
    points = tensors[POINTS].numpy()
    reference = make_reference([tensors[f"{PICTURE}{i}"].numpy() for i in range(len(points))], points)
    identity = tensors[IDENTITY].numpy() if IDENTITY in tensors else None
    return PersonalModel(in_use(network), reference, identity, about)


def in_use(network: PersonalDeocclusion) -> PersonalDeocclusion:
    """The network ready to be asked and not to learn."""
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def _around_face(picture: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part of a picture that shows the face and what is next to it, and the landmarks in it: no more of a person's
    home than is needed goes into a file that may be passed on."""
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    reach = AROUND * float((high - low).max())
    left, top = np.floor(np.maximum(low - reach, 0)).astype(int)
    right, bottom = np.ceil(high + reach).astype(int)
    moved = points.astype(np.float32).copy()
    moved[:, :2] -= (left, top)
    return np.ascontiguousarray(picture[top:bottom, left:right]), moved


log = logging.getLogger(__name__)

# Cosine of the descriptors of the restored face and of the person. With one person's pictures in another's frames: of
# 9 people at most 0.967, most below 0.93; of the same person 0.981 and more, but 0.966 with the head far down.
LIKENESS = 0.96
WINDOW = 4  # frames that share one pass; the result does not depend on it


class PersonalFiller:
    """Fills holes with a personal model, whose pictures of the person serve beside those of a reference. Where the
    network corrects the aligned reference, what each place showed before takes part as in evi-hrnet (models.recall).

    precision: "auto" is bfloat16 where the device calculates faster in it. anyone: whether the model may be used on
    somebody else. Raises InputError for an unknown precision.
    """

    name = "personal"
    window = WINDOW

    def __init__(self, model: PersonalModel, precision: Precision = "auto", *, anyone: bool = False):
        check_precision(precision)
        self.model, self._net, self.own_reference = model, model.network, model.reference
        self.needs_alignment = self.needs_memory = self._net.config.variant == "aligned"
        self._precision, self._anyone = precision, anyone

    @property
    def device(self) -> torch.device:
        return next(self._net.parameters()).device

    def fill(self, window: Window, state: Evidence | None) -> tuple[Filling, Evidence | None]:
        filling, state = fill_in_parts(self._fill if self.needs_alignment else self._draw, window, state)
        if window.begins and not self._anyone:
            self._refuse_others(window, filling)
        return filling, state

    def _refuse_others(self, window: Window, filling: Filling) -> None:
        """Raise InputError where what is in sight does not belong to the face that was filled in."""
        if self.model.identity is None or (network := _face_embedding()) is None:
            return
        frames, holes = window.at(SIDE)
        filled = shown_on_grid(replace(filling, recall=None), window.sources, window.bank, SIDE)
        restored = torch.lerp(frames, filled, (holes > 0).float()).cpu()
        with torch.inference_mode():
            faces = network.embed(restored, torch.from_numpy(window.points * (SIDE / GRID)).float())
        likeness = float((faces @ torch.from_numpy(self.model.identity)).median())
        if likeness < LIKENESS:
            little = "" if self.needs_alignment else ", or train it longer if it is theirs, as it draws somebody else"
            raise InputError(
                f"The face in the video does not seem to be the person whose model this is (likeness {likeness:.3f}, "
                f"at least {LIKENESS} of one person): choose that person's model{little}, or allow anyone."
            )

    def _draw(self, window: Window, state: None) -> tuple[Filling, None]:
        """The variant "paper"."""
        frames, holes = window.at(SIDE)
        with torch.inference_mode(), mixed_precision(self.device, self._precision):
            _, drawn = self._net.draw(*(x.to(self.device) for x in (frames, (holes > 0).float())))
        return Filling((drawn.float() + self._net.mean).clamp(0, 1).to(frames.device)), None

    def _fill(self, window: Window, state: Evidence | None) -> tuple[Filling, Evidence | None]:
        """The variant "aligned"."""
        fitted, evidence = fitted_reference(window, state)
        memory = memory_of(window)
        frames, holes = window.at(SIDE)
        reference = shown_on_grid(fitted.filling, window.sources, window.bank, SIDE)
        known = (window.frames, (window.holes > 0).float(), contours(window), fitted.pictures, memory)
        with torch.inference_mode(), mixed_precision(self.device, self._precision):
            found = self._net.correct(*(x.to(self.device) for x in (frames, (holes > 0).float(), reference)))
        # Each frame is one of its own for this network, and the next one for the frame path.
        clip = {name: value.transpose(0, 1) for name, value in vars(found).items() if value is not None}
        recall = prior_share(*(x[None] for x in known))
        return corrected(fitted, Correction(**clip | {"recall": recall}), memory), evidence


@lru_cache(maxsize=1)
def _face_embedding() -> FaceEmbedding | None:
    try:
        return FaceEmbedding.pretrained()
    except WeightsMissing as missing:
        log.warning("Whose face it is was not looked at: %s", missing)
        return None
