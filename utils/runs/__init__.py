"""Stages 03 and 04: run folders, launching, metrics, curves and diagnostics; never loads torch."""
