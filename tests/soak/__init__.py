"""Hundreds of searches in one process: what a long-lived driver must not leak."""
