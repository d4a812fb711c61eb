"""An evaluation as a table and as a file."""

from dataclasses import asdict
from pathlib import Path

from . import files
from .evaluate import Evaluation

SCORES = ("hole_psnr", "psnr", "ssim", "hole_ssim", "lpips", "hole_lpips", "identity", "temporal", "seam", "fps")


def table(evaluation: Evaluation) -> str:
    """The means as Markdown, one row a preset, landmark mode and method; "-" where a score was not computed."""
    lines = ["| preset | landmarks | method | " + " | ".join(SCORES) + " |", "|---" * (3 + len(SCORES)) + "|"]
    digits = {"hole_psnr": 2, "psnr": 2, "fps": 0, "seam": 2}
    for row in evaluation.mean:
        cells = ["-" if row[key] is None else f"{row[key]:.{digits.get(key, 4)}f}" for key in SCORES]
        lines.append(f"| {row['preset']} | {row['landmarks']} | {row['method']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write_json(path: Path, evaluation: Evaluation) -> None:
    """Write protocol, scores of every clip, and means; the file appears whole or not at all."""
    content = asdict(evaluation)
    content["protocol"]["weights"] = str(evaluation.protocol.weights or "")
    content["protocol"]["reference"] = str(evaluation.protocol.reference or "first second of each clip")
    files.write_json(path, content)
