"""Stage 03, before the start: memory, time, disk and cost of a run."""
