"""Stage 06: what answers are worth."""
