"""From footage of a person to the file of their model: `hmd-removal train personal`."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path

import torch

from ..errors import InputError
from ..files import write_json, write_png
from ..models.personal_deocclusion import PersonalDeocclusion
from ..restore.personal import PersonalModel, write_personal
from ..video.source import Source
from ..weights.header import read_weights
from .enrolment import Enrolment, enrol
from .enrolment_sheet import enrolment_sheet
from .recipe import PersonalRecipe
from .sample_store import TakeStore
from .samples import make_personal_takes
from .trainer import Look, train

Progress = Callable[[str, int, int], None]


def train_person(
    clips: Sequence[Source],
    out: Path,
    work: Path,
    recipe: PersonalRecipe,
    device: str | torch.device,
    *,
    start: Path | None = None,
    minutes: float | None = None,
    progress: Progress = lambda *_: None,
    tick: Callable[[float], None] = lambda _: None,
) -> Iterator[Enrolment | Look]:
    """Yields the enrolment, then every look at the held-out part of the footage; see personal.trainer.train.

    clips: of one person without a headset. out: where the file of the model is written, complete and usable from the
    first look on, and again whenever there are better weights. work: keeps what is needed to go on after a stop. start:
    weights to begin with. minutes: how long to train. progress: called with (what
    is being done, done, in all) before the training; tick: with the share that is done, at every step of it. What they
    raise passes, and `out` stays. Raises InputError for footage that will not do, or a `work` of other footage.
    """
    enrolment = enrol(clips, lambda done, most: progress("reading", done, most))
    work.mkdir(parents=True, exist_ok=True)
    _same_footage(work / "enrolment.json", enrolment)
    write_png(work / "enrolment.png", enrolment_sheet(enrolment))
    yield enrolment
    learning, held_out = TakeStore(work / "takes"), TakeStore(work / "held_out")
    make_personal_takes(enrolment, learning, held_out, progress=lambda done, most: progress("covering", done, most))
    about = {
        "trained": date.today().isoformat(),
        "footage": enrolment.digest,
        "frames": str(enrolment.frames),
        "recipe": json.dumps(asdict(recipe)),
    }

    def keep(net: PersonalDeocclusion, found: dict[str, str]) -> None:
        write_personal(out, PersonalModel(net, enrolment.reference, enrolment.identity, {**about, **found}))

    yield from train(
        learning.folder,
        held_out.folder,
        work,
        recipe,
        device,
        start=None if start is None else start_from(start),
        minutes=minutes,
        keep=keep,
        tick=tick,
    )


def described(enrolment: Enrolment, last: Look, out: Path) -> str:
    """What came of a training, in sentences. last: the look at its end."""
    model, warp = last.best, last.scores["warp_hole_psnr"]
    lines = [
        f"{out}: learnt from {enrolment.frames} frames. On footage that was held back it comes as near to the truth as "
        f"{model:.1f} dB in the hole; the warped reference alone to {warp:.1f} dB.",
        *enrolment.advice,
    ]
    if model < warp:
        lines.append("The warped reference alone is better: train longer, or on more footage, before you use it.")
    return "\n".join(lines)


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
