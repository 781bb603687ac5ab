"""What answers requests and keeps operational state."""
