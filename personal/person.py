"""From footage of a person to the file of their model: `hmd-removal train personal`."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path

import cv2
import torch

from .. import weights
from ..errors import InputError
from ..files import write_json, write_png
from ..models.aligned_generator import load
from ..restore.personal import Network, PersonalModel, write_personal
from ..restore.registry import EVI_WEIGHTS
from ..video.source import Source
from ..weights.header import read_weights
from .enrolment import Enrolment, enrol
from .enrolment_sheet import enrolment_sheet
from .landmarks import PersonalLandmarks, learn_landmarks
from .reached import Reached
from .recipe import PAPER, PersonalRecipe, read_recipe
from .sample_store import TakeStore
from .samples import make_personal_takes
from .trainer import train

Progress = Callable[[str, int, int], None]
FAST = "fast"
RECIPES = (FAST, "paper")


def recipe_named(name: str) -> PersonalRecipe | None:
    """None for "fast", by which the landmarker learns the person's face; "paper", the paper's network by the paper's
    stages; or a JSON file of other stages. Raises InputError for a file that is none."""
    return None if name == FAST else read_recipe({"paper": PAPER}.get(name, Path(name)))


def train_person(
    clips: Sequence[Source],
    out: Path,
    work: Path,
    recipe: PersonalRecipe | None,
    device: str | torch.device,
    *,
    start: Path | None = None,
    minutes: float | None = None,
    workers: int = 1,
    progress: Progress = lambda *_: None,
    tick: Callable[[float], None] = lambda _: None,
) -> Iterator[Enrolment | PersonalLandmarks | Reached]:
    """Yields the enrolment, then the landmarks that were learnt; or with the paper's network what is reached on the
    part of the footage that is held back, now and then.

    clips: of one person without a headset. out: where the file of the model is written, complete and usable from the
    first time on, and again whenever there are better weights. work: gets pictures of the footage and of the landmarks,
    and keeps what the paper's network needs to go on after a stop. recipe: of the paper's network, None for the
    landmarks. start, minutes, workers: of the paper's network: weights to begin with, how long to train, and processes
    that draw samples. progress: called with (what is being done, done, in all) before the training; tick: with the
    share that is done, at every step of it. What they raise passes, and `out` stays. Raises InputError for footage that
    will not do, or a `work` of other footage.
    """
    with _calculating_settings():
        yield from _train_person(clips, out, work, recipe, device, start, minutes, workers, progress, tick)


@contextmanager
def _calculating_settings() -> Iterator[None]:
    """Settings of the whole process that a training is faster with, taken back at its end: others run in it too."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # PyTorch's own threads keep the cores busy
    torch.set_flush_denormal(True)  # gates that are nearly shut leave such numbers behind, which CPUs are slow at
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
        torch.set_flush_denormal(False)


def _train_person(
    clips: Sequence[Source],
    out: Path,
    work: Path,
    recipe: PersonalRecipe | None,
    device: str | torch.device,
    start: Path | None,
    minutes: float | None,
    workers: int,
    progress: Progress,
    tick: Callable[[float], None],
) -> Iterator[Enrolment | PersonalLandmarks | Reached]:
    """`train_person`, within its settings."""
    enrolment = enrol(clips, lambda done, most: progress("reading", done, most))
    work.mkdir(parents=True, exist_ok=True)
    write_png(work / "enrolment.png", enrolment_sheet(enrolment))
    yield enrolment
    about = {"trained": date.today().isoformat(), "footage": enrolment.digest, "frames": str(enrolment.frames)}
    reference, identity = enrolment.reference, enrolment.identity
    if recipe is None:
        learnt = learn_landmarks(enrolment.pieces, device, progress=lambda done, most: tick(done / most))
        write_png(work / "landmarks.png", learnt.sheet)
        landmarker = learnt.net.cpu() if learnt.worthwhile else None
        about |= {"landmarks": f"{learnt.own:.2f}", "landmarks_of_everybody": f"{learnt.everybodys:.2f}"}
        network = load(weights.resolve(EVI_WEIGHTS))
        write_personal(out, PersonalModel(network, replace(reference, landmarker=landmarker), identity, about))
        yield learnt
        return
    _same_footage(work / "enrolment.json", enrolment)
    about |= {"recipe": json.dumps(asdict(recipe))}

    def keep(net: Network, found: dict[str, str]) -> None:
        write_personal(out, PersonalModel(net, reference, identity, {**about, **found}))

    learning, held_out = TakeStore(work / "takes"), TakeStore(work / "held_out")
    make_personal_takes(enrolment, learning, held_out, progress=lambda done, most: progress("covering", done, most))
    begin = None if start is None else start_from(start)
    yield from train(
        learning.folder,
        held_out.folder,
        work,
        recipe,
        device,
        start=begin,
        minutes=minutes,
        workers=workers,
        keep=keep,
        tick=tick,
    )


def described(enrolment: Enrolment, last: PersonalLandmarks | Reached, out: Path) -> str:
    """What came of a training, in sentences. last: what was learnt, or reached at its end."""
    lines = [f"{out}: learnt from {enrolment.frames} frames."]
    if isinstance(last, PersonalLandmarks):
        lines += [
            "On footage that was held back landmarks behind a headset are off by "
            f"{last.own:.1f} % of the distance of the eyes, those of the landmarker for everybody by "
            f"{last.everybodys:.1f} %."
        ]
        if not last.worthwhile:
            lines += ["That is too little to be used; the model has the person's pictures alone."]
    else:
        model, warp = last.best["hole_psnr"], last.scores["warp_hole_psnr"]
        lines += [
            f"On footage that was held back it comes as near to the truth as {model:.1f} dB in the hole; the warped "
            f"reference alone to {warp:.1f} dB."
        ]
        if model < warp:
            lines += ["The warped reference alone is better: train longer, or on more footage, before you use it."]
    return "\n".join((*lines, *enrolment.advice))


def start_from(path: Path) -> dict[str, torch.Tensor]:
    """The weights of a file to begin with. Raises InputError for one that cannot be read."""
    _, tensors = read_weights(path, "weights to begin with")
    return {name: value.float() for name, value in tensors.items()}


def _same_footage(file: Path, enrolment: Enrolment) -> None:
    """Note what the folder is of. Raises InputError where it is of something else."""
    if file.exists():
        before = json.loads(file.read_text())["footage"]
        if before != enrolment.digest:
            raise InputError(
                f"The folder {file.parent} holds a training on other footage; go on with that, or give another folder."
            )
    write_json(file, {"footage": enrolment.digest, "frames": enrolment.frames, "advice": list(enrolment.advice)})
