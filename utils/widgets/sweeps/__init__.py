"""The panel that starts and steers sweeps, and the view of their results."""
