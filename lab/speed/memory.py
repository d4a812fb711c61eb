"""Peak memory of `deocclude`: its default method and a personal model on short and long clips, and on large ones."""

import subprocess
import sys
import tempfile
from pathlib import Path

from ...demo import demo_clip
from ...models.aligned_generator import AlignedGenerator
from ...restore.personal import PersonalModel, write_personal
from ...tracking.enrol import load_reference
from .footage import write_footage

SIZE = (640, 360)
LENGTHS = (300, 3000)
LARGE = ((1920, 1080), (3840, 2160))
FEW = 60  # frames of a large one


def run() -> None:
    """Print the peak resident memory of a process of its own for each length (Linux)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = folder / "personal.safetensors"
        pictures = load_reference(demo_clip(), count=20)
        write_personal(model, PersonalModel(AlignedGenerator(), pictures, None, {}))
        methods = {"evi-hrnet": ("--reference", str(demo_clip())), "personal": ("--personal", str(model))}
        runs = [("evi-hrnet", size, FEW) for size in LARGE]
        runs += [(method, SIZE, length) for method in methods for length in LENGTHS]
        for method, size, length in runs:
            clip = folder / f"{size[0]}_{length}.mp4"
            write_footage(clip, *size, length)
            peak = _peak(clip, folder / "out.mp4", "--method", method, *methods[method])
            print(f"{method}, {size[0]}x{size[1]}, {length} frames: {peak:.0f} MiB", flush=True)


def _peak(clip: Path, out: Path, *using: str) -> float:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from hmd_removal.cli import main\n"
        "main(sys.argv[1:])\n"
        "status = Path('/proc/self/status').read_text()\n"
        "print('peak', next(line.split()[1] for line in status.splitlines() if line.startswith('VmHWM')))\n"
    )
    arguments = ["deocclude", str(clip), "--mask", "simulate", "--landmarks", "oracle", *using, "--out", str(out)]
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) / 1024
