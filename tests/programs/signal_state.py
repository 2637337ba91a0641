"""Print the signal mask of this process and the signals that it ignores."""

import signal

print(sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))))
print([int(number) for number in sorted(signal.valid_signals()) if signal.getsignal(number) == signal.SIG_IGN])
