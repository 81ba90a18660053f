"""Wire contracts: validate and encode requests, and validate answers. Pure."""
