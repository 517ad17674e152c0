"""Stages 03 and 04: the folders of runs, their launch, metrics, curves and diagnostics; never loads torch."""
