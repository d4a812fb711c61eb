"""Peak memory of `deocclude`, with its default method, on a 640x360 clip, for a short and a long one."""

import subprocess
import sys
import tempfile
from pathlib import Path

from hmd_removal.demo import demo_clip

from .footage import write_footage

SIZE = (640, 360)
LENGTHS = (300, 3000)


def run() -> None:
    """Print the peak resident memory of a process of its own for each length (Linux)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for length in LENGTHS:
            clip = folder / f"{length}.mp4"
            write_footage(clip, *SIZE, length)
            print(f"{SIZE[0]}x{SIZE[1]}, {length} frames: {_peak(clip, folder / 'out.mp4'):.0f} MiB", flush=True)


def _peak(clip: Path, out: Path) -> float:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from hmd_removal.cli import main\n"
        "main(sys.argv[1:])\n"
        "status = Path('/proc/self/status').read_text()\n"
        "print('peak', next(line.split()[1] for line in status.splitlines() if line.startswith('VmHWM')))\n"
    )
    arguments = ["deocclude", str(clip), "--reference", str(demo_clip()), "--landmarks", "oracle", "--out", str(out)]
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) / 1024
