"""What several notebooks show: the choice at their top, label and note of a run, curves with values to point at."""
