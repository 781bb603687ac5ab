"""Integration testing of live systems: is a configured system fit for production, and a proxy that breaks it first."""
