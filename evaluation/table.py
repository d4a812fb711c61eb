"""An evaluation as a table and as a file."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..metrics.stats import bootstrap_interval
from . import files
from .evaluate import Evaluation

SCORES = ("hole_psnr", "psnr", "ssim", "hole_ssim", "lpips", "hole_lpips", "identity", "temporal", "seam", "fps")
COMPARED = {"hole_psnr": 2, "hole_lpips": 4, "identity": 4, "temporal": 4}  # decimals


def table(evaluation: Evaluation) -> str:
    """The means as Markdown, one row a preset, landmark mode and method; "-" where a score was not computed."""
    lines = ["| preset | landmarks | method | " + " | ".join(SCORES) + " |", "|---" * (3 + len(SCORES)) + "|"]
    digits = {"hole_psnr": 2, "psnr": 2, "fps": 0, "seam": 2}
    for row in evaluation.mean:
        cells = ["-" if row[key] is None else f"{row[key]:.{digits.get(key, 4)}f}" for key in SCORES]
        lines.append(f"| {row['preset']} | {row['landmarks']} | {row['method']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def differences(evaluation: Evaluation, baseline: str = "warp") -> str:
    """By how much each other method differs from the baseline, as Markdown, with 95 % intervals over clips of the
    difference on the same clip. Empty where the baseline or a second clip is missing."""
    if baseline not in evaluation.protocol.methods or len(evaluation.clips) < 2:
        return ""
    lines = [f"| preset | landmarks | method less {baseline} | " + " | ".join(COMPARED) + " |"]
    lines.append("|---" * (3 + len(COMPARED)) + "|")
    for row in evaluation.mean:
        key = (row["preset"], row["landmarks"], row["method"])
        if row["method"] == baseline:
            continue
        cells = []
        for score, digits in COMPARED.items():
            own, other = (_of(evaluation, (*key[:2], method), score) for method in (row["method"], baseline))
            gains = np.array(own, dtype=float) - np.array(other, dtype=float)
            low, high = bootstrap_interval(gains)
            known = not np.isnan(gains).all()
            cells.append(f"{np.nanmean(gains):+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})" if known else "-")
        lines.append("| " + " | ".join([*key, *cells]) + " |")
    return "\n".join(lines)


def _of(evaluation: Evaluation, key: tuple[str, str, str], score: str) -> list[float | None]:
    """One score of every clip, for a preset, a landmark mode and a method."""
    return [
        row[score]
        for clip in evaluation.clips
        for row in clip["results"]
        if (row["preset"], row["landmarks"], row["method"]) == key
    ]


def write_json(path: Path, evaluation: Evaluation) -> None:
    """Write protocol, scores of every clip, and means; the file appears whole or not at all."""
    content = asdict(evaluation)
    content["protocol"]["weights"] = {m: str(file) for m, file in evaluation.protocol.weights.items()}
    content["protocol"]["personal"] = str(evaluation.protocol.personal or "")
    content["protocol"]["reference"] = str(evaluation.protocol.reference or "first second of each clip")
    files.write_json(path, content)
