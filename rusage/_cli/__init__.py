"""The command ``rusage``: run a program and report its resource usage, as GNU ``time`` does."""


def start() -> int:
    """Run the command, and return its exit status.

    Ctrl-C ends this process as it ends others, before a program is started: Python's handler would
    print a traceback. Once the reports are written, no signal changes the status.
    """
    import signal
    import sys

    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .main import main  # most of the time until then

    status = main()
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    return status
