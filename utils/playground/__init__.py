"""Stage 05: loaded models, token probabilities, sources of answers, history."""
