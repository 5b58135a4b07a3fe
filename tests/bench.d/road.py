"""The whole road, against the same commands typed by hand.

One project: `tests/apps/harbour` with 60 MB of libraries in WEB-INF/lib that do not compress. Three merge requests, by
turns; each side builds the same commits, on warm caches.

`first time`, by hand: git clone of the branch, `mvn -o test`, `mvn -o package -DskipTests`, `docker build` with
`FROM <the stack's base>` and `COPY <war> webapps/ROOT.war`, `docker push`. `one-line change`, by hand: git pull, then
the same four in the same folder. Git and Docker's client run on this machine, Maven in a shell that waits in a container of
the stack's builder image, with the folder and a copy of the road's warm Maven repository mounted and without limits:
starting that container is not counted, nor is starting any `docker exec`.

The road: from just before the hook is posted until the build is seen as passed in the database, everything included
(container, tests and reports, labels, image, push, read back) but the boot check, which nobody does by hand. It starts from nothing each time but the mirror of the
repository, the Maven repository and the engine's images.

Beside it, without a goal: the same commands by hand, with the JVM flags that the stacks set.
The value is the median of the five ratios.
"""

import random
import shutil
import subprocess
import time
import zipfile

from parts import ROOT, Child, median, row, run, say, wait_for

PROJECT = "bench/harbour"
TIMES = 5
JARS, JAR_FILES, FILE_BYTES = 40, 500, 3000
FLAGS = "-XX:+NeverActAsServerClassMachine -XX:TieredStopAtLevel=1"
BUILDER = "library/maven:3.9-eclipse-temurin-17"
BASE = "library/tomcat:9.0-jdk17-temurin"
SOURCE = "src/main/java/com/example/harbour/Ship.java"


def measure(parts):
    database, gitlab = parts.database(), parts.gitlab()
    service = parts.serve(database)
    docker, environment = parts.docker()
    parts.stack.callback(remove_from_engine, parts, docker, environment, database)
    files = project_files(parts)
    made = gitlab.order("create_project", path=PROJECT, files=str(files))
    # As GitLab's housekeeping does; else each clone would pay for packing 60 MB anew.
    run("git", "-C", made["repository"], "gc", "--quiet")
    java = (files / SOURCE).read_text()

    say("warming: the road's caches, then the same for the commands by hand")
    mr = open_mr(gitlab, java, 0)
    by_road(service, gitlab, mr, "open", "warm")
    service.wait_idle()
    volume = f"{parts.name}-repository"
    run(docker, "run", "--rm", "--volume", f"seaworthy-maven-{mr['project_id']}:/from:ro", "--volume", f"{volume}:/to",
        f"{parts.mirror}/{BUILDER}", "cp", "-a", "/from/.", "/to", env=environment)
    hand = Hand(parts, docker, environment, gitlab, volume)
    hand.first(mr, "warm", "")

    ratios = {}
    for number in range(1, TIMES + 1):
        mr = open_mr(gitlab, java, number)
        sides = {
            "road": lambda event, what: by_road(service, gitlab, mr, event, what),
            "hand": lambda event, what: hand.build(mr, event, what, ""),
            "hand with flags": lambda event, what: hand.build(mr, event, what, FLAGS),
        }
        # Each side begins once, so that none always finds what another left in the page cache.
        order = list(sides)[number % 3:] + list(sides)[:number % 3]
        for event, what in (("open", "first time"), ("push", "one-line change")):
            if event == "push":
                mr = gitlab.order("push", project=PROJECT, iid=mr["iid"], message="One line",
                                  edits={SOURCE: changed(java, f"{number}b")})
            times = {}
            for side in order:
                service.wait_idle()
                times[side] = sides[side](event, what)
            for side in ("hand", "hand with flags"):
                ratios.setdefault((what, side), []).append(times["road"] / times[side])
            say(f"{number}, {what}: " + ", ".join(f"{side} {taken:.2f} s" for side, taken in times.items()))
    rows = []
    for what in ("first time", "one-line change"):
        goal = 0.85 if what == "first time" else 0.65
        rows.append(row(f"road ÷ by hand, {what}", median(ratios[what, "hand"]), goal, 2))
        rows.append(row(f"road ÷ by hand with the same JVM flags, {what}", median(ratios[what, "hand with flags"]), None, 2))
    return rows


def project_files(parts, application="harbour", seed=60, name="harbour", jars=JARS):
    """A sample application with its libraries; the same bytes in each run."""
    files = parts.dir / name
    shutil.copytree(ROOT / f"tests/apps/{application}", files)
    libraries = files / "src/main/webapp/WEB-INF/lib"
    libraries.mkdir(parents=True)
    noise = random.Random(seed)
    for jar in range(jars):
        with zipfile.ZipFile(libraries / f"library-{jar:02}.jar", "w") as archive:
            for number in range(JAR_FILES):
                archive.writestr(zipfile.ZipInfo(f"library{jar:02}/{number:03}.dat"), noise.randbytes(FILE_BYTES))
    return files


def changed(java, word):
    """The same class with one more line."""
    assert "{}" in java, "Ship.java is a record without a body"
    return java.replace("{}", f'{{\n    static final String REVISION = "{word}";\n}}')


def open_mr(gitlab, java, number):
    return gitlab.order("open_mr", project=PROJECT, branch=f"change-{number}", edits={SOURCE: changed(java, str(number))})


def by_road(service, gitlab, mr, event, what):
    """Seconds from the hook to a build that is passed, without the boot check."""
    return build_by_road(service, gitlab, mr, event, what)[1]


def build_by_road(service, gitlab, mr, event, what):
    """The number of a build that is passed, and its seconds from the hook to there, without the boot check."""
    after = service.database.value("select coalesce(max(id), 0) from build")
    hook = gitlab.hook(mr, event)
    before = service.deliver(hook)
    build = service.build_of(mr, after)
    ends = ("passed", "failed", "errored", "cancelled", "superseded")
    state = lambda: service.database.value(f"select state from build where id = {build}")
    ended = wait_for(lambda: (now := state()) in ends and now, f"the end of build {build}", service.child)
    taken = time.time() - before
    if ended != "passed":
        why = service.database.ask(f"select error, finding from build where id = {build}")
        raise RuntimeError(f"build {build} is {ended}: {why}")
    stages = service.database.ask(
        "select stage, round(extract(epoch from finished_at - started_at), 2), extract(epoch from started_at),"
        f" extract(epoch from finished_at) from build_stage where build_id = {build} order by started_at"
    )
    say(f"  road, {what}: {taken:.2f} s; begins after {float(stages[0][2]) - before:.2f}, "
        + ", ".join(f"{stage} {length}" for stage, length, _, _ in stages)
        + f", end {before + taken - float(stages[-1][3]):.2f}")
    boot = sum(float(length) for stage, length, _, _ in stages if stage == "boot")
    return build, taken - boot


class Hand:
    """Somebody who types the commands."""

    def __init__(self, parts, docker, environment, gitlab, volume):
        self.docker, self.environment, self.gitlab = docker, environment, gitlab
        self.repository, self.count = f"{parts.repository}-hand/harbour", 0
        self.folder = parts.dir / "hand"
        self.folder.mkdir()
        self.dockerfile = parts.dir / "Dockerfile"
        self.dockerfile.write_text(
            f"FROM {parts.mirror}/{BASE}\nCOPY target/harbour-1.0.war /usr/local/tomcat/webapps/ROOT.war\n"
        )
        # Ends when its input does.
        self.shell = Child(
            [docker, "run", "--rm", "--interactive", "--init", "--name", f"{parts.name}-hand",
             "--volume", f"{self.folder}:/hand", "--volume", f"{volume}:/cache", f"{parts.mirror}/{BUILDER}", "sh"],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )
        parts.stack.callback(self.shell.stop)
        parts.stack.callback(self.shell.process.stdin.close)

    def build(self, mr, event, what, flags):
        return (self.first if event == "open" else self.again)(mr, what, flags)

    def first(self, mr, what, flags):
        place = self.place(mr, flags)
        clone = lambda: run("git", "clone", "--quiet", "--branch", mr["source_branch"],
                            self.gitlab.clone_url(mr["project"]), place)
        return self.steps("clone", clone, place, what, flags)

    def again(self, mr, what, flags):
        place = self.place(mr, flags)
        return self.steps("pull", lambda: run("git", "-C", place, "pull", "--quiet"), place, what, flags)

    def place(self, mr, flags):
        return self.folder / f"{mr['source_branch']}{'-flags' if flags else ''}"

    def steps(self, verb, get, place, what, flags):
        self.count += 1
        tag = f"{self.repository}:{self.count}"
        steps = {
            verb: get,
            "test": lambda: self.maven(place.name, flags, "test"),
            "package": lambda: self.maven(place.name, flags, "package -DskipTests"),
            "build": lambda: run(self.docker, "build", "--tag", tag, "--file", self.dockerfile, place, env=self.environment),
            "push": lambda: run(self.docker, "push", tag, env=self.environment),
        }
        marks = [time.time()]
        for step in steps.values():
            step()
            marks.append(time.time())
        say(f"  by hand{' with flags' if flags else ''}, {what}: {marks[-1] - marks[0]:.2f} s; "
            + ", ".join(f"{step} {marks[i + 1] - marks[i]:.2f}" for i, step in enumerate(steps)))
        return marks[-1] - marks[0]

    def maven(self, folder, flags, goals):
        options = f"JDK_JAVA_OPTIONS='{flags}' " if flags else ""
        command = f"{options}mvn --batch-mode -o -Dmaven.repo.local=/cache/repository {goals}"
        shell = self.shell.process
        shell.stdin.write(f"(cd /hand/{folder} && {command}) >/hand/log 2>&1 </dev/null; echo $?\n")
        shell.stdin.flush()
        code = shell.stdout.readline().strip()
        if code != "0":
            log = self.folder / "log"
            raise RuntimeError(f"{command}: {code}\n{log.read_text()[-4000:] if log.exists() else ''}")


def remove_from_engine(parts, docker, environment, database):
    """Volumes and images of both sides; what cannot be removed is told, not raised."""
    ask = lambda *words: subprocess.run([docker, *words], env=environment, capture_output=True, text=True).stdout.split()
    ask("rm", "--force", f"{parts.name}-hand", f"{parts.name}-jib")
    kept = f"foundation.seaworthy.invalid/{database.value('select id from installation')}:"
    images = [image for image in ask("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
              if f"/{parts.name}" in image or image.startswith(kept)]
    if images:
        ask("image", "rm", "--force", *images)
    volumes = [volume for volume in ask("volume", "ls", "--quiet") if volume.startswith(f"{parts.name}-")]
    left = [volume for volume in volumes if volume not in ask("volume", "rm", *volumes)] if volumes else []
    if left:
        say(f"left on the engine: {', '.join(left)}")
