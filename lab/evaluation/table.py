"""An evaluation as a table and as a file."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ... import files
from ..metrics.stats import bootstrap_interval
from ..metrics.task import TASK_METRICS
from ..metrics.video_distance import DISTANCES
from ..networks.face_expression import FaceExpression
from .evaluate import Evaluation, by_person, people_of
from .judge import EYE_SCORES

SCORES = ("hole_psnr", "psnr", "ssim", "hole_ssim", "lpips", "hole_lpips", "identity", "temporal", "seam", "fps")
DIGITS = {"hole_psnr": 2, "psnr": 2, "fps": 0, "seam": 2, "eye_nme": 2, "aperture": 3, "blink_f1": 3, "face_found": 3}
DIGITS |= {"gaze": 1, "eyes_psnr": 2}
COMPARED = {"hole_psnr": 2, "hole_lpips": 4, "identity": 4, "temporal": 4}  # decimals


def as_text(evaluation: Evaluation) -> str:
    """All that the command prints: the tables, and the clips that could not be used."""
    tables = [make(evaluation) for make in (table, task_table, distance_table, differences)]
    refused = [f"{clip} was left out: {why}" for clip, why in evaluation.refused]
    return "\n\n".join(filter(None, (*tables, "\n".join(refused))))


def table(evaluation: Evaluation) -> str:
    """The means as Markdown, one row a preset, landmark mode and method; "-" where a score was not computed."""
    return _markdown(SCORES, ((row, _cells(row, SCORES)) for row in evaluation.mean))


def task_table(evaluation: Evaluation) -> str:
    """What is left of expression and eyes, in the same way; empty where it was not asked for."""
    if not evaluation.protocol.networks:
        return ""
    scores = (*TASK_METRICS, *EYE_SCORES)
    rows = _markdown(scores, ((row, _cells(row, scores)) for row in evaluation.mean))
    named = f"Expressions are those of {FaceExpression.NAME}; eye_nme is in % of the eye distance, gaze in degrees."
    return "\n".join([rows, "", named, *_missing(evaluation, TASK_METRICS)])


def distance_table(evaluation: Evaluation) -> str:
    """How far the sets of all results and truths are apart, in the same way; empty where it was not asked for."""
    if not evaluation.protocol.frechet:
        return ""
    rows, sizes = [], {}
    for row in evaluation.mean:
        found = row["distances"]
        cells = [f"{found[name]['value']:.4g}" if name in found else "-" for name in DISTANCES]
        rows.append((row, [str(row["clips"]), *cells]))
        for name, distance in found.items():
            few = "; biased by so few, so compare within this table only" if distance["biased"] else ""
            sizes[name] = (
                f"{DISTANCES[name]}: {distance['vectors']} vectors of {distance['dimensions']} dimensions{few}."
            )
    too_few = ["Distances need two clips or more."] if len(evaluation.used) < 2 else []
    titles = ("videos", *DISTANCES.values())
    return "\n".join([_markdown(titles, rows), "", *sizes.values(), *too_few, *_missing(evaluation, DISTANCES)])


def interval_table(evaluation: Evaluation) -> str:
    """Some of the means with their 95 % bootstrap intervals over clips, in the same way; empty with a single clip."""
    if len(evaluation.used) < 2:
        return ""
    rows = []
    for row in evaluation.mean:
        cells = []
        for score, digits in COMPARED.items():
            low, high = row["interval"].get(score, (np.nan, np.nan))
            known = row[score] is not None
            cells.append(f"{row[score]:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})" if known else "-")
        rows.append((row, cells))
    return _markdown(COMPARED, rows)


def differences(evaluation: Evaluation, baseline: str = "warp") -> str:
    """By how much each other method differs from the baseline, as Markdown, with 95 % intervals over clips of the
    difference on the same clip, each person counting the same. Empty where the baseline or a second clip is missing."""
    if baseline not in evaluation.protocol.methods or len(evaluation.used) < 2:
        return ""
    rows = []
    for row in evaluation.mean:
        key = (row["preset"], row["landmarks"], row["method"])
        if row["method"] == baseline:
            continue
        cells = []
        for score, digits in COMPARED.items():
            own, other = (_of(evaluation, (*key[:2], method), score) for method in (row["method"], baseline))
            gains = np.array(own, dtype=float) - np.array(other, dtype=float)
            gains = by_person(gains, people_of(evaluation.clips))
            low, high = bootstrap_interval(gains) if len(gains) else (np.nan, np.nan)
            cells.append(f"{gains.mean():+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})" if len(gains) else "-")
        rows.append((row, cells))
    return _markdown(COMPARED, rows, system=f"method less {baseline}")


def _markdown(titles: Iterable[str], rows: Iterable[tuple[dict[str, Any], list[str]]], system: str = "method") -> str:
    """A table of cells beside the preset, landmark mode and method that they belong to."""
    titles = ["preset", "landmarks", system, *titles]
    lines = [titles, *([row["preset"], row["landmarks"], row["method"], *cells] for row, cells in rows)]
    lines = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([lines[0], "|---" * len(titles) + "|", *lines[1:]])


def _cells(row: dict[str, Any], scores: Iterable[str]) -> list[str]:
    return ["-" if row[score] is None else f"{row[score]:.{DIGITS.get(score, 4)}f}" for score in scores]


def _missing(evaluation: Evaluation, scores: Iterable[str]) -> list[str]:
    return [
        f"{name}: not computed. {evaluation.not_computed[name]}" for name in scores if name in evaluation.not_computed
    ]


def _of(evaluation: Evaluation, key: tuple[str, str, str], score: str) -> list[float | None]:
    """One score of every clip, for a preset, a landmark mode and a method; None where there is none."""
    rows = ({(r["preset"], r["landmarks"], r["method"]): r for r in clip["results"]} for clip in evaluation.clips)
    return [row[key][score] if key in row else None for row in rows]


def write_json(path: Path, evaluation: Evaluation) -> None:
    """Write protocol, scores of every clip, and means; the file appears whole or not at all."""
    content = asdict(evaluation)
    content["protocol"]["weights"] = {m: str(file) for m, file in evaluation.protocol.weights.items()}
    content["protocol"]["personal"] = str(evaluation.protocol.personal or "")
    own = "first frame of each clip" if evaluation.protocol.first_frame else "first second of each clip"
    if any("reference" in clip for clip in evaluation.clips):
        own = "another photograph of each person"
    content["protocol"]["reference"] = str(evaluation.protocol.reference or own)
    files.write_json(path, content)
