"""Everything about faces that is geometry and pixels: landmarks, tracks, headsets, warps and compositing."""
