"""Speed and memory: `python -m hmd_removal.lab.speed`."""
