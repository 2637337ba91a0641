"""Starting programs: ``Popen``, ``run`` and, on Linux, the launcher, which gives a child its own peak."""
