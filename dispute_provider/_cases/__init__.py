"""Read cases from files, JSON Lines and forms, with their documents."""
