"""How near a result is to the truth: image, perceptual, identity and temporal metrics, report, plot."""
