"""Stage 03: estimates of memory, time, disk and cost of a run."""
