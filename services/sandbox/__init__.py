"""A simulated seller with known truth, behind an ERP-like REST API."""
