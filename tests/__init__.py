"""Tests of the package, and the programs that try it: faults, kills, browsers, load, releases."""
