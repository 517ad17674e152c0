"""Evaluation of models: form of answers, bits per byte, fill-in-the-middle."""
