"""Image models: the protocol, and everything done with a model as it is."""
