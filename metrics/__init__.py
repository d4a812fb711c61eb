"""How good a restored clip is: image, perceptual, identity and temporal metrics, report, plot."""
