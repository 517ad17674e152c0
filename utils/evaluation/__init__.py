"""Evaluation of models: pass@k, form of answers, fill-in-the-middle."""
