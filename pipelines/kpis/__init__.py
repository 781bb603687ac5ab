"""How well the integrations work, in the figures of the field: accuracy, coverage, cycle time, downtime."""
