"""The command line's terminal shows everything but MediaPipe's chatter."""

from __future__ import annotations

import os
import subprocess
import sys

from hmd_removal.terminal import without_chatter


def test_only_chatter_is_kept_back(capfd):
    with without_chatter():
        os.write(2, b"WARNING: Logging before InitGoogle() is written to STDERR\n")
        os.write(2, b"W0000 00:00:1795299123.25 3777 inference_feedback_manager.cc:121] Feedback manager\n")
        os.write(2, b"E0000 00:00:1795299123.25 3777 graph.cc:181] broken\n")
        subprocess.run([sys.executable, "-c", "import sys; print('from a child', file=sys.stderr)"])
        print("from Python", file=sys.stderr)
    lines = capfd.readouterr().err.splitlines()
    assert sorted(lines) == [
        "E0000 00:00:1795299123.25 3777 graph.cc:181] broken",
        "from Python",
        "from a child",
    ]


def test_it_does_not_wait_for_a_child_that_outlives_it(capfd):
    with without_chatter():
        os.write(2, b"half a line")
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    assert child.poll() is None
    child.kill()
    child.wait()
    assert capfd.readouterr().err == "half a line"


def test_everything_is_as_before_afterwards(capfd):
    before = sys.stderr
    with without_chatter():
        pass
    assert sys.stderr is before
    os.write(2, b"W0000 said by somebody else\n")
    assert capfd.readouterr().err == "W0000 said by somebody else\n"


def test_progress_bar_appears_before_its_line_ends(capfd):
    with without_chatter():
        sys.stderr.write("\r50 %")
        sys.stderr.flush()
        assert capfd.readouterr().err == "\r50 %"
