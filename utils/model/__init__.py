"""Models: loading, attention, LoRA, activation checkpointing, generation."""
