"""Canonical facts, the lake, and the as-of feature engine."""
