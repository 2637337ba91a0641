"""Starting programs: ``Popen`` and ``run``."""
