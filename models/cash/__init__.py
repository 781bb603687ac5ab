"""Cash forecast: how much money arrives when, as quantiles."""
