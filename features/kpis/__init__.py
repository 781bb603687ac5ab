"""Key figures of order to cash: declared values over what was known as of a day."""
