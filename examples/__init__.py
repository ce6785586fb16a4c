"""Programs to copy from, and those that make what the package ships."""
