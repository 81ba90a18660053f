"""Judge an episode by what the sandbox wrote down and what runs and people said."""
