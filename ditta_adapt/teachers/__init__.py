"""Teachers: what follows objects, or any map, through a video."""
