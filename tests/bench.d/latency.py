"""From GitLab's hook to the first stage, on an idle worker.

Each of 100 merge requests of a small project is opened, and its hook posted when nothing is left to do for the service.
The time is taken by one clock: from just before the hook is posted to `started_at` of the stage "checkout" in the
database. In between: the delivery stored, the intake's decision, the build claimed. The project is one that is built by
Gradle, so the build ends with a finding right after the checkout; the configuration is the default one.
"""

from parts import row, say, wait_for

COUNT = 100


def measure(parts):
    database, gitlab = parts.database(), parts.gitlab()
    service = parts.serve(database)
    files = parts.dir / "small"
    files.mkdir()
    (files / "build.gradle").write_text("plugins { id 'war' }\n")
    gitlab.order("create_project", path="bench/small", files=str(files))
    # One more at first: mirror and connections are there afterwards.
    times = [one(gitlab, service, number) for number in range(COUNT + 1)][1:]
    times.sort()
    percentile = lambda share: times[min(COUNT - 1, int(COUNT * share))]
    say(f"webhook → first stage, ms: median {percentile(0.5):.1f}, p90 {percentile(0.9):.1f}, most {times[-1]:.1f}")
    # Of 100 the 99th: the nearest-rank percentile.
    return [row("webhook → first stage, p99, ms", times[COUNT * 99 // 100 - 1], 100, 1)]


def one(gitlab, service, number):
    mr = gitlab.order("open_mr", project="bench/small", branch=f"b{number}", edits={"CHANGES.md": str(number)})
    hook = gitlab.hook(mr, "open")
    service.wait_idle()
    before = service.deliver(hook)
    build = service.build_of(mr, 0)
    asked = f"select extract(epoch from started_at) from build_stage where build_id = {build} and stage = 'checkout'"
    return (float(wait_for(lambda: service.database.value(asked), "the checkout", service.child)) - before) * 1000
