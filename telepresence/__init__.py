"""What meetings need: a live stream restored, a picture driven by points, a face as a 3-D mesh."""
