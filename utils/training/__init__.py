"""Stage 03: the training loop, loss, optimizers, checkpoints and distributed processes."""
