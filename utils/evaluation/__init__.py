"""Stage 06: evaluation of models."""
