"""Which of 100,000 images hold a library, asked over the API; and 5,000 advisories brought in.

The images are rows: 100,000 of them with 20 libraries each out of 8,000 (library, version) pairs, made by Postgres itself,
then analysed. Asked is `GET /api/images?with=org.apache.logging.log4j:log4j-core<2.17.1` of the running service: two
thirds of the images hold log4j-core, in 45 versions, so it is the worst question that a house may have; the newest 100
images come with the answer. Median of 20, over a connection that stays, and the same for a library that 20 images hold.

The advisories are generated: three ranges and 120 versions each, in a zip of 5,000 files; measured is the process
`seaworthy advisories import`, from its start to its end, with the images in place.
"""

import http.client
import json
import os
import time
import zipfile
from urllib.parse import quote, urlsplit

from parts import environment_of, median, row, run, say

IMAGES, TIMES = 100_000, 20
SEED = f"""
insert into build (project_id, project_path, iid, head, target_branch, draft, merge_request, pipeline, trigger, state)
select g, 'shop/app' || g % 700, g, repeat('a', 40), 'main', false, '{{}}', 'default', 'webhook', 'passed'
from generate_series(1, {IMAGES}) g;
insert into image (build_id, application, stack, reference, digest, image_id, dockerfile, dockerfile_sha256, base_name,
                   base_digest, war_path, war_sha256, war_bytes, servlet, servlet_evidence, labels, worker)
select id, 'app' || id % 700, 'tomcat9', 'r/app' || id % 700 || ':' || id, 'sha256:' || lpad(to_hex(id), 64, '0'),
       'sha256:' || lpad(to_hex(id), 64, '1'), repeat('RUN x' || id, 200), 'sha256:' || repeat('0', 64), 'tomcat', 'sha256:' || repeat('0', 64), 'target/app.war',
       'sha256:' || repeat('0', 64), 60000000, 'javax', '', '{{}}', 'w' from build;
insert into component (group_id, artifact, version, package)
select 'org.example.g' || a % 300, 'artifact-' || a, v || '.5', '' from generate_series(0, 1599) a, generate_series(1, 5) v;
insert into component (group_id, artifact, version, package)
select 'org.apache.logging.log4j', 'log4j-core', '2.' || v || '.1', '' from generate_series(0, 44) v;
insert into component (group_id, artifact, version, package) values ('org.example', 'rare', '1.0', '');
-- A library in many images is in many; the others follow a stride, so that each image has 20.
insert into image_component (component_id, build_id)
select distinct 1 + (b.id * 7919 + n * (2 * (b.id % 100) + 201)) % 8000, b.id from build b, generate_series(1, 19) n
order by 1, 2;
insert into image_component (component_id, build_id)
select c.id, b.id from build b join component c on c.artifact = 'log4j-core' and c.version = '2.' || b.id % 45 || '.1'
where b.id % 3 <> 0
order by 1, 2;
insert into image_component (component_id, build_id)
select c.id, b.id from build b join component c on c.artifact = 'rare' where b.id % 5000 = 0;
"""


def measure(parts):
    database = parts.database("libraries")
    service = parts.serve(database, "--web-only")
    began = time.monotonic()
    for statement in SEED.split(";\n"):
        if statement.strip():
            database.ask(_one_line(statement))
    database.ask("vacuum analyze")
    pairs = database.value("select count(*) from image_component")
    say(f"   {IMAGES} images hold {pairs} libraries, made in {time.monotonic() - began:.0f} s")
    address = urlsplit(service.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    worst, held = ask(connection, "org.apache.logging.log4j:log4j-core<2.17.1")
    say(f"   {held} of them hold log4j-core<2.17.1")
    expected = int(database.value(
        "select count(distinct build_id) from image_component join component c on c.id = component_id "
        "where artifact = 'log4j-core' and split_part(version, '.', 2)::int < 17"
    ))
    # 2.17.1 is one of them and outside.
    if held != expected or not 0 < held < IMAGES:
        raise RuntimeError(f"the service says {held}, Postgres {expected}")
    rare, held = ask(connection, "org.example:rare")
    if held != IMAGES // 5000:
        raise RuntimeError(f"{held} images hold the rare library")
    return [
        row("images that hold log4j-core<2.17.1, of 100,000 (ms)", worst, 50, 1),
        row("images that hold a rare library, of 100,000 (ms)", rare, 50, 1),
        row("5,000 advisories imported (s)", imported(parts, database), 10, 2),
    ]


def _one_line(statement):
    return " ".join(line for line in statement.splitlines() if not line.startswith("--")).strip()


def ask(connection, library):
    """Median of the milliseconds, and how many images hold it."""
    took = []
    for _ in range(TIMES):
        began = time.monotonic()
        connection.request("GET", f"/api/images?with={quote(library)}&limit=100")
        answer = connection.getresponse()
        body = answer.read()
        took.append((time.monotonic() - began) * 1000)
        if answer.status != 200:
            raise RuntimeError(f"{library}: {answer.status}: {body!r}")
    return median(took), json.loads(body)["total"]


def imported(parts, database):
    path = parts.dir / "advisories.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(5000):
            archive.writestr(f"TEST-{number:05}.json", json.dumps(advisory(number)))
    environment = environment_of(parts.settings(database, 1))
    began = time.monotonic()
    told = run(parts.seaworthy, "advisories", "import", path, env=environment)
    took = time.monotonic() - began
    say("   " + told.strip().replace("\n", "\n   "))
    if "5000 of them new" not in told:
        raise RuntimeError(told)
    return took


def advisory(number):
    name = f"org.example.g{number % 300}:artifact-{number % 1600}"
    ranges = [
        {
            "package": {"ecosystem": "Maven", "name": name},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": f"{low}.0"}, {"fixed": f"{low + 1}.{number % 7}"}]}],
            "versions": [f"{low}.{minor}.1" for minor in range(40)],
        }
        for low in (1, 3, 7)
    ]
    return {
        "schema_version": "1.7.0", "id": f"TEST-{number:05}", "modified": "2025-01-01T00:00:00Z", "affected": ranges,
        "aliases": [f"CVE-2024-{number:05}"], "summary": f"Something is wrong in {name}", "details": "Prose. " * 200,
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
    }
