"""The package behind the notebooks, one folder per stage.

Importing it loads nothing; README.md has the map.
"""
