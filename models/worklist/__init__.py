"""The worklist: whom to contact today, and why."""
