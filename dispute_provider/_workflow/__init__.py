"""Stage, review, submit and concede one dispute at one API."""
