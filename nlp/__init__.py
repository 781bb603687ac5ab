"""What a customer's message means. No model lives here yet; see README.md."""
