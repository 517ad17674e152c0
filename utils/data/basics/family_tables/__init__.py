"""Families of functions by what they are about, and the slots that they share."""
