"""Stage 02: prompts, token ids, label masks and packing."""
