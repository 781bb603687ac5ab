"""Anomalies: what in the ledger is odd, against what, and how sure we are."""
