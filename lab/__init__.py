"""The laboratory, which a creator never needs: training of the shared networks, protocols, compared systems, speed.

An extra (`pip install -e '.[lab]'`), left out of what the registry ships. Its commands are `hmd-removal lab ...`.
"""
