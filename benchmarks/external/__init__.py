"""What a model of the caller's own is worth here: its calibration, its accuracy as estimated, and its word as evidence."""
