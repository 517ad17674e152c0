"""`make bench`: speed and memory, measured."""
