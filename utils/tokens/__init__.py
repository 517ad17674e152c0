"""Stage 02: pairs as prompts, token ids and packed blocks."""
