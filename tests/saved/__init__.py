"""Checkpoints as real libraries save them: what they are made of, how they are saved and compared."""
