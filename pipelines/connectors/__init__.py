"""One way in per kind of source system."""
