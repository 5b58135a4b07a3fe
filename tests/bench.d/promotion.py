"""The service's memory while it brings an image with 300 MB of libraries into an environment of three registries.

The image goes down the whole road first, so that it is a real one; then the service is started anew, and what it holds
at most (`VmHWM`) from there to the end of the promotion counts: the copy, the gates, reading back, mails. QA's registry
is the world's, the other three are Debian's registry each with its storage in the bench's folder.
"""

import shutil

from image_copy import Registry
from parts import ROOT, environment_of, row, run, say
from road import FILE_BYTES, JAR_FILES, PROJECT, SOURCE, build_by_road, changed, project_files, remove_from_engine

JARS = 200


def measure(parts):
    database, gitlab = parts.database(), parts.gitlab()
    docker, environment = parts.docker()
    parts.stack.callback(remove_from_engine, parts, docker, environment, database)
    settings = environments(parts, [Registry(parts, number) for number in range(3)])
    builder = parts.serve(database, **settings)
    files = project_files(parts, jars=JARS)
    gitlab.order("create_project", path=PROJECT, files=str(files))
    java = (files / SOURCE).read_text()
    mr = gitlab.order("open_mr", project=PROJECT, branch="large", edits={SOURCE: changed(java, "large")})
    build, _ = build_by_road(builder, gitlab, mr, "open", "300 MB of libraries")
    builder.wait_idle()
    digest = database.value(f"select digest from image where build_id = {build}")
    builder.child.stop()

    service = parts.serve(database, **settings)
    idle = service.resident_megabytes()
    order = environment_of(parts.settings(database, 0) | settings) | {"SEAWORTHY_URL": service.url}
    order["SEAWORTHY_TOKEN"] = run(parts.seaworthy, "token", "create", "bench", "--role", "release-manager", env=order).strip()
    say(run(parts.seaworthy, "promote", digest, "pre", "--reason", "to be measured", "--wait", env=order))
    sent = int(database.value("select sum(sent) from promotion_copy"))
    if sent < 3 * JARS * JAR_FILES * FILE_BYTES:
        raise RuntimeError(f"only {sent} bytes were sent to the three registries")
    peak = service.resident_megabytes(most=True)
    say(f"   {sent / 1e6:.0f} MB sent; {idle:.1f} MB before, at most {peak:.1f} MB")
    return [row("memory of the service during a promotion, MB", peak, 60, 0)]


def environments(parts, registries):
    """The pipelines of this repository, and one environment after QA."""
    pipelines = parts.dir / "pipelines"
    shutil.copytree(ROOT / "pipelines", pipelines)
    places = "".join(
        f'[[environment.registry]]\nname = "dc{number}"\nrepository = "{registry.address}/live"\n'
        for number, registry in enumerate(registries)
    )
    (pipelines / "environments.toml").write_text(
        f'[[environment]]\nname = "qa"\n[[environment]]\nname = "pre"\n{places}[environment.gates]\napprovals = 0\nmerged = false\n'
    )
    return {
        "DEFINITIONS_PIPELINES": pipelines,
        "REGISTRIES_PLAIN_HTTP": ",".join(registry.address for registry in registries),
    }
