"""Forms, panels and views; the only package that imports ipywidgets."""
