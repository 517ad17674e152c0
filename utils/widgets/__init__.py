"""All that imports ipywidgets, and nothing else does."""
