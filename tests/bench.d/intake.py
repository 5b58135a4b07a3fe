"""Deliveries stored for good, against plain inserts into the same Postgres.

The service (`serve --web-only`, so that interpreting does not compete): wrk posts push hooks of 4,096 bytes over 8
connections for 10 s, each with its own Idempotency-Key. Every 202 is a delivery with its headers and its job, committed.
That as many rows are in the table is checked.

pgbench: 8 clients for 10 s, each insert a transaction of its own, of the same 4,096 bytes into a table with a uuid key;
pgbench's and Postgres' defaults otherwise (bodies compressed by pglz, where the service's table has lz4). Both with
fsync, three times by turns; the median of the ratios.
"""

import json
import re
import time
import uuid
from pathlib import Path

from parts import SECRET, installed, median, row, run, say

SECONDS, CLIENTS, TIMES = 10, 8, 3


def measure(parts):
    installed("wrk")
    database, plain = parts.database(), parts.database("plain")
    service = parts.serve(database, "--web-only")
    body = hook_body()
    (parts.dir / "hook.json").write_text(body)
    plain.ask("create table plain (id uuid primary key, body bytea not null)")
    # Standard strings take backslashes as they are; the body has neither quote nor backslash.
    script = parts.dir / "insert.sql"
    script.write_text(f"insert into plain (id, body) values (gen_random_uuid(), '{body}');\n")
    ratios = []
    for number in range(TIMES):
        inserts = pgbench(parts, plain, script)
        hooks = wrk(parts, service)
        ratios.append(hooks / inserts)
        say(f"intake {number + 1}: {hooks:.0f} deliveries/s, {inserts:.0f} inserts/s: {ratios[-1]:.2f}")
    return [row("durable intake ÷ pgbench inserts", median(ratios), ("at least", 0.7), 2)]


def hook_body():
    """A push event as GitLab sends it, filled up to 4,096 bytes with commits."""
    event = {
        "object_kind": "push", "event_name": "push", "ref": "refs/heads/main", "project_id": 15, "user_username": "ana",
        "before": "95790bf891e76fee5e1747ab589903a6a1f80f22", "after": "da1560886d4f094c3e6c9ef40349f7d38b5d27d7",
        "project": {"id": 15, "name": "small", "path_with_namespace": "bench/small", "default_branch": "main"},
        "total_commits_count": 10, "commits": [],
    }
    number = 0
    while len(json.dumps(event)) < 4096:
        sha = uuid.uuid5(uuid.NAMESPACE_URL, str(number)).hex + "0" * 8
        event["commits"].append({
            "id": sha, "message": f"Change {number}", "timestamp": "2026-03-01T12:00:00+01:00",
            "url": f"https://gitlab.example.com/bench/small/-/commit/{sha}",
            "author": {"name": "Ana Example", "email": "ana@example.com"}, "modified": [f"src/File{number}.java"],
        })
        number += 1
    event["commits"].pop()
    event["padding"] = ""
    event["padding"] = "x" * (4096 - len(json.dumps(event)))
    return json.dumps(event)


def pgbench(parts, database, script):
    told = run(
        parts.postgres_program("pgbench"), "-h", "127.0.0.1", "-p", database.port, "-U", "postgres",
        "-c", CLIENTS, "-T", SECONDS, "-n", "-f", script, database.name,
    )
    return float(re.search(r"^tps = ([0-9.]+)", told, re.MULTILINE).group(1))


def wrk(parts, service):
    before = int(service.database.value("select count(*) from delivery"))
    told = run(
        "wrk", "-t", 1, "-c", CLIENTS, "-d", f"{SECONDS}s", "-s", Path(__file__).with_name("hooks.lua"),
        f"{service.url}/hooks/gitlab", "--", parts.dir / "hook.json", SECRET, uuid.uuid4().hex,
    )
    requests, microseconds, wrong = map(int, re.search(r"^RESULT (\d+) (\d+) (\d+)$", told, re.MULTILINE).groups())
    if wrong:
        raise RuntimeError(f"{wrong} of {requests} hooks were not answered with 202:\n{told}")
    time.sleep(0.5)  # those that were under way at the end
    stored = int(service.database.value("select count(*) from delivery")) - before
    if not requests <= stored <= requests + CLIENTS:
        raise RuntimeError(f"{requests} hooks were answered with 202, but {stored} are stored")
    return requests / (microseconds / 1e6)
