"""Stage a case: draw its documents, write its evidence without submitting it, read it back."""
