"""Sweeps: runs that differ in a few settings, queued, trained one after the other and compared; loads no torch."""
