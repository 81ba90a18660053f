"""What runs in the child process, which alone parses documents and letters. No other process imports this.

It is locked before it reads the first document: it may then open no files, sockets or processes.
"""
