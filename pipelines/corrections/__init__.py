"""What was set aside or could not be delivered: seen, corrected, approved and sent again by people."""
