"""Stage a case: draw its documents, write its evidence without submitting it, and read it back."""
