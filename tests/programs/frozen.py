"""Run the command given in the arguments from a process with a large peak; print what is measured of the child."""

import json
import sys

import rusage

ballast = bytearray(b"x") * (64 * 2**20)
done = rusage.run(sys.argv[1:])
print(json.dumps({"measured": sorted(done.measured), "peak": done.rusage.ru_maxrss, "own_peak": rusage.maxrss()}))
