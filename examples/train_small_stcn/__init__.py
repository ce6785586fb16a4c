"""Train the small space-time correspondence network that ships with the package."""
