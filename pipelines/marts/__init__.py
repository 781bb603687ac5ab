"""Marts: the facts as a star for BI tools."""
