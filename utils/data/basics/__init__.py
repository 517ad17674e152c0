"""Small everyday Python functions with wordings and tests: the pairs `python-basics` and their tasks."""
