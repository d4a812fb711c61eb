"""A comparison as files: the table in Markdown, CSV and JSON, bars, curves over the frames, and contact sheets."""

import csv
import json
import textwrap
from collections import Counter
from dataclasses import asdict
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...errors import InputError
from ...files import write_jpeg, write_json, write_png, written_whole
from ..evaluation.evaluate import Evaluation, Protocol
from ..evaluation.judge import SCORES
from ..evaluation.table import differences, distance_table, interval_table, table, task_table
from .benchmark import Comparison
from .config import FIRST_FRAME, FIRST_SECOND, System, as_file_name
from .plot import plot_bars, plot_curves

PAPER = ("psnr", "ssim", "lpips", "fid")
TILE = 128  # pixels of a picture in a sheet
MOST_ROWS = 8
TITLE = 46  # pixels, above the pictures


def write_report(comparison: Comparison, folder: Path) -> Path:
    """Write everything into a folder, each file whole or not at all; returns the Markdown file."""
    name = comparison.config.name
    pictures = {}
    for protocol, evaluation in comparison.protocols.items():
        if not evaluation.mean:
            continue
        stem = f"{name}_{as_file_name(protocol)}"
        write_png(folder / f"{stem}_bars.png", plot_bars(evaluation))
        write_png(folder / f"{stem}_frames.png", plot_curves(evaluation))
        write_jpeg(folder / f"{stem}_sheet.jpg", contact_sheet(evaluation, comparison.sheets[protocol]))
        pictures[protocol] = [f"{stem}_bars.png", f"{stem}_frames.png", f"{stem}_sheet.jpg"]
    write_json(folder / f"{name}.json", as_json(comparison))
    _write_text(folder / f"{name}.csv", as_csv(comparison))
    markdown = folder / f"{name}.md"
    _write_text(markdown, as_markdown(comparison, pictures))
    return markdown


def as_markdown(comparison: Comparison, pictures: dict[str, list[str]]) -> str:
    """pictures: names of files to show, by protocol."""
    config = comparison.config
    parts = [
        f"# {config.name}",
        f"Written by `hmd-removal lab compare`. Budget of each training: {config.budget}, on the same samples.",
        _systems(comparison),
    ]
    if any(system.method == "personal" and system.name in comparison.trained for system in config.systems):
        parts.append(
            "Personal systems are trained for each person, on their own video alone; what did best on held-back video "
            "is kept. The table has their people x steps of each, and the minutes of all together."
        )
    if any(system.paper for system in config.systems):
        parts.append("The columns of the papers are what they report, of other data and longer training.")
    if comparison.failed:
        parts.append("\n".join(["Left out:", "", *(f"- {name}: {why}" for name, why in comparison.failed.items())]))
    for name, evaluation in comparison.protocols.items():
        against = (partial(differences, baseline=system) for system in config.against)
        made = (table, interval_table, task_table, distance_table, *against)
        tables = [text for text in (make(evaluation) for make in made) if text] if evaluation.mean else []
        shown = [f"![{name}: {Path(file).stem}]({file})" for file in pictures.get(name, [])]
        parts += [f"## Protocol {name}", _terms(evaluation), *tables, *shown]
    return "\n\n".join(parts) + "\n"


def as_csv(comparison: Comparison) -> str:
    """A line for each protocol, system, headset and landmark mode; intervals are of 95 %, by bootstrap over clips."""
    text = StringIO()
    names = ["protocol", "system", "preset", "landmarks", "clips", "frames"]
    names += [column for score in SCORES for column in (score, f"{score}_low", f"{score}_high")]
    names += ["fps", "i3d_train", "i3d_eval", "alexnet"]
    writer = csv.DictWriter(text, names, extrasaction="ignore", restval="", lineterminator="\n")
    writer.writeheader()
    for protocol, evaluation in comparison.protocols.items():
        for row in evaluation.mean:
            bounds = {f"{k}_low": low for k, (low, _) in row["interval"].items()}
            bounds |= {f"{k}_high": high for k, (_, high) in row["interval"].items()}
            distances = {k: distance["value"] for k, distance in row["distances"].items()}
            writer.writerow({**row, **bounds, **distances, "protocol": protocol, "system": row["method"]})
    return text.getvalue()


def as_json(comparison: Comparison) -> dict[str, Any]:
    """All numbers but those of single frames."""
    config = comparison.config
    content: dict[str, Any] = {
        "budget": asdict(config.budget),
        "systems": [asdict(system) | {"trained": comparison.trained.get(system.name)} for system in config.systems],
        "failed": comparison.failed,
        "protocols": {},
    }
    for name, evaluation in comparison.protocols.items():
        clips = [
            {**clip, "results": [{k: v for k, v in row.items() if k != "per_frame"} for row in clip["results"]]}
            for clip in evaluation.clips
        ]
        content["protocols"][name] = asdict(evaluation) | {"clips": clips}
    return json.loads(json.dumps(content, default=str))


def contact_sheet(evaluation: Evaluation, sheets: dict[str, Path]) -> np.ndarray:
    """Some of the clips, a row a clip and headset: truth, covered, and what each system makes of it, (H, W, 3) uint8.

    sheets: of each system alone, as evaluate writes them.
    """
    pictures = {name: cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB) for name, file in sheets.items()}
    size, modes = evaluation.protocol.size, evaluation.protocol.landmarks
    first = next(iter(pictures.values()))
    columns = [("truth", first[:, :size]), ("covered", first[:, size : 2 * size])]
    for name, picture in pictures.items():
        for number, mode in enumerate(modes, 2):
            title = f"{name}, {mode}" if len(modes) > 1 else name
            columns.append((title, picture[:, number * size : (number + 1) * size]))
    count = len(first) // size
    chosen = sorted(set(np.linspace(0, count - 1, min(MOST_ROWS, count)).round().astype(int).tolist()))
    return np.hstack([np.vstack([_title(title), *_tiles(column, size, chosen)]) for title, column in columns])


def _tiles(column: np.ndarray, size: int, chosen: list[int]) -> list[np.ndarray]:
    tiles = (column[row * size : (row + 1) * size] for row in chosen)
    return [cv2.resize(tile, (TILE, TILE), interpolation=cv2.INTER_AREA) for tile in tiles]


def _title(text: str) -> np.ndarray:
    field = np.full((TITLE, TILE, 3), 255, np.uint8)
    for number, line in enumerate(textwrap.wrap(text, 19)[:3]):
        cv2.putText(field, line, (3, 13 + 14 * number), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (30, 30, 30), 1, cv2.LINE_AA)
    return field


def _systems(comparison: Comparison) -> str:
    """What each system is, how it was trained, and what a paper says of it."""
    titles = ["system", "method", "differs in", "steps", "minutes", "device", "threads", "date", "source"]
    lines = [titles + [f"paper's own {score}, other data" for score in PAPER]]
    for system in comparison.config.systems:
        run = comparison.trained.get(system.name, {})
        minutes = f"{run['seconds'] / 60:.1f}" if run else "-"
        cells = [system.name, system.method, _changes(system), _steps(run), minutes]
        cells += [str(run.get(key, "-")) for key in ("device", "threads", "date")]
        lines.append(cells + [str(system.paper.get(key, "-")) for key in ("source", *PAPER)])
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _steps(run: dict[str, Any]) -> str:
    steps = run.get("steps", "-")
    return " + ".join(f"{n} x {s}" for s, n in Counter(steps).items()) if isinstance(steps, list) else str(steps)


def _changes(system: System) -> str:
    return ", ".join(f"{name} {json.dumps(value)}" for name, value in system.changes.items()) or "-"


def _terms(evaluation: Evaluation) -> str:
    protocol: Protocol = evaluation.protocol
    reference = protocol.reference or (FIRST_FRAME if protocol.first_frame else FIRST_SECOND)
    scored = f"at most {protocol.limit}" if protocol.limit else "all"
    refused = "".join(f" {clip} was left out: {why}" for clip, why in evaluation.refused)
    return (
        f"Clips: {len(evaluation.used)}, at {protocol.size} pixels, {scored} frames after the reference's scored; "
        f"reference: {reference}; landmarks: {', '.join(protocol.landmarks)}. Intervals: 95 %, by bootstrap over "
        f"clips. Bars need not begin at 0.{refused}"
    )


def _write_text(path: Path, text: str) -> None:
    with written_whole(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def check_plots() -> None:
    """Raise InputError where plots cannot be drawn."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise InputError("The plots need matplotlib: pip install 'hmd-removal[lab]'.") from error
