"""Where cases come from: files, lines and forms; and their documents."""
