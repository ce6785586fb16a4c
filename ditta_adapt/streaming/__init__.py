"""Frame after frame, with a memory."""
