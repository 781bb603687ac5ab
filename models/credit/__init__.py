"""Credit risk: the chance of default, what it costs, and how much credit to give."""
