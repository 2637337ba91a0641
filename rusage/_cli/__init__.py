"""The command ``rusage``: run a program and report its resource usage, as GNU ``time`` does."""
