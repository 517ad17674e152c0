"""Stage 05: models kept loaded, and where an answer came from."""
