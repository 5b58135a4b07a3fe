"""The image alone: bytes pushed and time, against `COPY app.war` and against Jib.

A web application of one class (`tests/apps/notests`) with 60 MB of libraries that do not compress. Three of them, each with
libraries of its own, one registry, one engine. Each side makes an image of the first commit and one after a change of the
class.

`bytes after one changed class`: manifest, configuration and the layers of the second image that the first did not have, as
they lie in the registry. Ours comes with all labels; Jib's (`jib:build`, exploded on the stack's base) and naive's
(`FROM <base>`, `COPY <war>`) have none.

`image stage ÷ jib:build`: the stages Dockerfile, image and push, in which the WAR is laid out, the Dockerfile rendered, the
image built and pushed, against `mvn jib:build` of the same commit after `mvn package` (Jib does not work offline), with the
base in the registry and known, and plugins downloaded. `first time`: the libraries are new to engine and registry. The
boot check is apart, and with it what goes on beside it: libraries that are new to the engine are on their way to the
registry then (`registry.libraries`). Medians of three pairs.
"""

import hashlib
import json
import re
import ssl
import struct
import subprocess
import time
import urllib.request

import road
from parts import Child, median, row, run, say

TIMES = 3
SOURCE = "src/main/java/com/example/notests/ForgottenServlet.java"
JIB = "com.google.cloud.tools:jib-maven-plugin:3.5.1"


def measure(parts):
    database, gitlab = parts.database(), parts.gitlab()
    service = parts.serve(database)
    docker, environment = parts.docker()
    parts.stack.callback(road.remove_from_engine, parts, docker, environment, database)
    jib = Jib(parts, docker, environment)

    ratios, pushed = {}, {}
    for number in range(TIMES + 1):
        files = road.project_files(parts, "notests", seed=number, name=f"notests-{number}")
        project = f"bench/notests-{number}"
        made = gitlab.order("create_project", path=project, files=str(files))
        run("git", "-C", made["repository"], "gc", "--quiet")
        java = (files / SOURCE).read_text()
        mr = gitlab.order("open_mr", project=project, branch="change", edits={SOURCE: changed(java, "a")})
        jib.take(files)
        images = {"ours": [], "Jib": [], "naive": []}
        for event, word in (("open", "a"), ("push", "b")):
            what = "first time" if event == "open" else "one changed class"
            if event == "push":
                mr = gitlab.order("push", project=project, iid=mr["iid"], message="One line",
                                  edits={SOURCE: changed(java, word)})
            build, _ = road.build_by_road(service, gitlab, mr, event, what)
            ours = float(database.value(
                "select sum(extract(epoch from finished_at - started_at)) from build_stage"
                f" where build_id = {build} and stage in ('dockerfile', 'image', 'push')"))
            images["ours"].append(database.value(f"select reference from image where build_id = {build}"))
            service.wait_idle()
            jib.package(changed(java, word))
            tag = f"{number}-{event}"
            took = jib.build(tag)
            images["Jib"].append(jib.image(tag))
            images["naive"].append(naive(parts, docker, environment, jib.folder, tag))
            say(f"{number}, {what}: image stage {ours:.2f} s, jib:build {took:.2f} s")
            # The first of all brings the base to the registry, and plugins to Jib.
            if number:
                ratios.setdefault(what, []).append(ours / took)
        for side, (before, after) in images.items():
            pushed.setdefault(side, []).append(new_bytes(parts, before, after))
    rows = [row("bytes pushed after one changed class", median(pushed["ours"]), 12288, 0)]
    rows += [row(f"bytes pushed after one changed class, {side}", median(pushed[side]), None, 0) for side in ("Jib", "naive")]
    rows.append(row("image stage ÷ jib:build, first time", median(ratios["first time"]), 0.45, 2))
    rows.append(row("image stage ÷ jib:build, one changed class", median(ratios["one changed class"]), 0.10, 2))
    return rows


def changed(java, word):
    """The same class with one more line."""
    mark = "    private static final long serialVersionUID = 1L;\n"
    assert mark in java, f"{SOURCE} has no serialVersionUID"
    return java.replace(mark, f'{mark}    static final String REVISION = "{word}";\n')


class Jib:
    """Maven with Jib's plugin, in a container of the stack's builder image that waits."""

    def __init__(self, parts, docker, environment):
        self.parts = parts
        self.folder = parts.dir / "jib"
        self.folder.mkdir()
        (parts.dir / "trust").mkdir()
        (parts.dir / "trust/trust.jks").write_bytes(trust_store())
        self.shell = Child(
            [docker, "run", "--rm", "--interactive", "--init", "--network", "host", "--name", f"{parts.name}-jib",
             "--volume", f"{self.folder}:/hand", "--volume", f"{parts.name}-repository:/cache", "--volume", f"{parts.dir}/trust:/trust:ro",
             "--env", "MAVEN_OPTS=-Djavax.net.ssl.trustStore=/trust/trust.jks -Djavax.net.ssl.trustStorePassword=changeit",
             f"{parts.mirror}/{road.BUILDER}", "sh"],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )
        parts.stack.callback(self.shell.stop)
        parts.stack.callback(self.shell.process.stdin.close)

    def take(self, files):
        """Begins another application, in the same folder."""
        shell = self.shell.process
        shell.stdin.write("find /hand -mindepth 1 -delete; echo done\n")
        shell.stdin.flush()
        shell.stdout.readline()
        run("cp", "-a", f"{files}/.", self.folder)

    def package(self, java):
        (self.folder / SOURCE).write_text(java)
        self.maven("-DskipTests package")

    def image(self, tag):
        return f"{self.parts.repository}-jib/notests:{tag}"

    def build(self, tag):
        """Seconds of one `jib:build`."""
        registry = self.parts.world["registry"]
        login = lambda side: (f"-Djib.{side}.auth.username={registry['user']} "
                              f"-Djib.{side}.auth.password={registry['password']}")
        before = time.time()
        self.maven(
            f"{JIB}:build -Djib.from.image={self.parts.mirror}/{road.BASE} -Djib.to.image={self.image(tag)} "
            f"{login('from')} {login('to')} -Djib.allowInsecureRegistries=true -DsendCredentialsOverHttp=true "
            "-Djib.container.appRoot=/usr/local/tomcat/webapps/ROOT"
        )
        return time.time() - before

    def maven(self, goals):
        command = f"mvn --batch-mode -Dmaven.repo.local=/cache/repository {goals}"
        shell = self.shell.process
        shell.stdin.write(f"(cd /hand && {command}) >/hand/log 2>&1 </dev/null; echo $?\n")
        shell.stdin.flush()
        if (code := shell.stdout.readline().strip()) != "0":
            raise RuntimeError(f"{goals}: {code}\n{(self.folder / 'log').read_text()[-4000:]}")


def naive(parts, docker, environment, folder, tag):
    """What a Dockerfile of two lines makes of the same WAR."""
    dockerfile = parts.dir / "Dockerfile.naive"
    dockerfile.write_text(f"FROM {parts.mirror}/{road.BASE}\nCOPY target/notests-1.0.war /usr/local/tomcat/webapps/ROOT.war\n")
    image = f"{parts.repository}-naive/notests:{tag}"
    run(docker, "build", "--tag", image, "--file", dockerfile, folder, env=environment)
    run(docker, "push", image, env=environment)
    return image


def new_bytes(parts, before, after):
    """Bytes of the second image that the first one did not bring to the registry."""
    (_, old), (size, new) = manifest(parts, before), manifest(parts, after)
    known = {layer["digest"] for layer in old["layers"]}
    layers = [layer["size"] for layer in new["layers"] if layer["digest"] not in known]
    say(f"  {after.split('/', 1)[1]}: manifest {size}, configuration {new['config']['size']}, new layers {layers}")
    return size + new["config"]["size"] + sum(layers)


def manifest(parts, reference):
    host, path = reference.split("/", 1)
    repository, tag = path.rsplit(":", 1)
    registry = parts.world["registry"]
    manager = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    manager.add_password(None, f"http://{host}/", registry["user"], registry["password"])
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(manager))
    kinds = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
    body = opener.open(urllib.request.Request(f"http://{host}/v2/{repository}/manifests/{tag}", headers={"Accept": kinds})).read()
    return len(body), json.loads(body)


def trust_store():
    """The system's certificate authorities as a Java key store (JKS, version 2)."""
    bundle = open(ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt").read()
    found = re.findall(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", bundle, re.S)
    text = lambda word: struct.pack(">H", len(word)) + word.encode()
    store = struct.pack(">III", 0xFEEDFEED, 2, len(found))
    for number, pem in enumerate(found):
        der = ssl.PEM_cert_to_DER_cert(pem)
        store += struct.pack(">I", 2) + text(f"ca{number}") + struct.pack(">Q", 0) + text("X.509")
        store += struct.pack(">I", len(der)) + der
    return store + hashlib.sha1("changeit".encode("utf-16-be") + b"Mighty Aphrodite" + store).digest()
