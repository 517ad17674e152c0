"""Stage 01: read, check, clean, audit and split pairs."""
