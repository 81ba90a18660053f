"""A third API as a change of a checkout: ``added/`` holds its files, ``entries.patch`` its two entries."""
