"""How the embedded model was made: its corpus and presets."""
