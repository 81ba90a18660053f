"""One module for each API: how its disputes are read, listed, staged, submitted and conceded."""
