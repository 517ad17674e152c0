"""Stage 03: the training run, its loss, optimizer, checkpoints and processes."""
