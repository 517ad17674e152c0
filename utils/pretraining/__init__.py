"""The recipe of the embedded base model: its corpus of code and its presets."""
