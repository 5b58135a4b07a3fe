"""What the service costs when it does nothing.

`start to ready` is the time from starting the process to the first 200 of /readyz, which is asked every 2 ms, on a
database that has the schema already; the median of five. `idle memory` is the resident set (VmRSS) of the last of
them, web and workers in one process, 5 s after it was ready, in millions of bytes.
"""

import time

from parts import median, row, say


def measure(parts):
    database = parts.database()
    parts.gitlab()
    parts.serve(database).child.stop()
    starts = []
    for _ in range(5):
        service = parts.serve(database)
        starts.append(service.starting * 1000)
        if len(starts) < 5:
            service.child.stop()
    say("start to ready, ms: " + ", ".join(f"{start:.0f}" for start in starts))
    time.sleep(5)
    return [
        row("idle memory, MB", service.resident_megabytes(), 30, 1),
        row("start to ready, ms", median(starts), 200, 0),
    ]
