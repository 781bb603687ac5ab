"""What runs: connectors, ingest, training, scoring and the command line."""
