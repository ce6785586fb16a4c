"""What was adapted, kept beyond the process: in a folder, or on the model hub."""
