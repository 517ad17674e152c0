"""Models: loading, attention, adapters, activation checkpointing, generation."""
