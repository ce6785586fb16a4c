"""Is what was learned to be used? Decided without labels."""
