"""Tables of everyday functions: the docstring of each has the phrases that ask for it, the last one kept for tests."""
