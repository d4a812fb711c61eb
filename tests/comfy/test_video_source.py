"""The file behind a VIDEO, for kinds of VIDEO that ComfyUI or other packs may hand out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
sys.path.insert(0, ".")
import folder_paths
from pathlib import Path
import comfy_api.latest  # first, as ComfyUI does; newer ones do not load the other way round
from comfy_api.input import VideoInput
from comfy_api.input_impl import VideoFromFile
from hmd_removal.nodes.video_source import encoded

class OfAnotherPack(VideoInput):
    def get_stream_source(self):
        raise AssertionError("it may hold the whole file in memory")
    def get_components(self):
        raise AssertionError("it would hold every frame in memory")
    def save_to(self, path, *others, **more):
        Path(path).write_bytes(b"video")
    def as_trimmed(self, *window, **more):  # newer ComfyUIs want it
        raise AssertionError("nothing is to be cut off")

folder_paths.set_temp_directory(sys.argv[1])
with encoded(VideoFromFile("clip.mp4")) as file:
    print(file)
with encoded(OfAnotherPack()) as file:
    print(Path(file).read_bytes())
print(list(Path(sys.argv[1]).iterdir()))

def held(path, **options):
    raise PermissionError("another process uses the file")

Path.unlink = held
with encoded(OfAnotherPack()) as file:
    raise ValueError("what is really wrong")
"""


def test_it_is_written_where_there_is_none_and_the_error_that_matters_is_shown(comfyui: Path, tmp_path: Path):
    """On Windows a file that is being read cannot be deleted."""
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    result = subprocess.run(command, cwd=comfyui, capture_output=True, text=True)
    assert result.stdout.splitlines() == ["clip.mp4", "b'video'", "[]"], result.stderr
    assert result.stderr.rstrip().endswith("ValueError: what is really wrong")
    assert "PermissionError" not in result.stderr
