"""Starting programs: ``Popen``, ``run``, and on Linux the launcher, by which a child has a peak of its own."""
