"""Where the face is: finding heads, landmarks covered and uncovered, following, smoothing, calibration, geometry."""
