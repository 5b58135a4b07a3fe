"""What the measures share: processes that end with us, a database, GitLab's stand-in, the service, Docker's client.

Only Python's standard library: the world brings Python for its mail server, and nothing more.
"""

import base64
import ctypes
import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import uuid
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
SECRET = "bench-hook-secret"
PATIENCE = 300.0


def say(text):
    """Progress, for people."""
    print(text, file=sys.stderr, flush=True)


def row(name, value, goal, decimals):
    """A line of the table; `goal` is the highest good value, ("at least", x), or None."""
    if goal is None:
        return name, f"{value:.{decimals}f}", "-", "-"
    least = isinstance(goal, tuple)
    limit = goal[1] if least else goal
    good = value >= limit if least else value <= limit
    return name, f"{value:.{decimals}f}", f"{'>=' if least else '<='} {limit}", "ok" if good else "short"


def busy_share(seconds=2.0):
    """Share of the processors' time that is taken while the bench itself does nothing."""
    read = lambda: [int(word) for word in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    before = read()
    time.sleep(seconds)
    spent = [after - earlier for earlier, after in zip(before, read())]
    return 1 - (spent[3] + spent[4]) / max(1, sum(spent))


def median(values):
    return statistics.median(values)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _end_with_parent():
    """Run in a child before its program: a bench that is killed hard leaves nothing running."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def run(*command, **options):
    """A command that must succeed; its output is shown when it does not."""
    done = subprocess.run(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout[-4000:]}")
    return done.stdout


def installed(name):
    """The path of a program; the Debian package of its name is installed where it is missing."""
    if not shutil.which(name):
        say(f"   installing {name}")
        environment = {"DEBIAN_FRONTEND": "noninteractive", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        run("apt-get", "update", "--quiet", env=environment)
        run("apt-get", "install", "--yes", "--no-install-recommends", name, env=environment)
    return shutil.which(name)


class Child:
    """A process; ended by its pid."""

    def __init__(self, command, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        self.process = subprocess.Popen([str(word) for word in command], preexec_fn=_end_with_parent, **options)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Database:
    """One database of the world's Postgres, asked through one psql that stays."""

    def __init__(self, parts, name):
        self.name, self.port = name, parts.world["postgres"]["port"]
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/{name}"
        self._psql = parts.postgres_program("psql")
        self._child = None

    def create(self):
        run(self._psql, "-qX", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres", "-c", f'create database "{self.name}"')
        return self

    def ask(self, sql):
        """The rows of one statement, each a list of texts."""
        if self._child is None:
            self._child = Child(
                [self._psql, "-qXAt", "-v", "ON_ERROR_STOP=1", "-F", "\t", self.url],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
            )
        process = self._child.process
        process.stdin.write(f"{sql};\n\\echo ---\n")
        process.stdin.flush()
        rows = []
        while (line := process.stdout.readline().rstrip("\n")) != "---":
            if process.poll() is not None:
                raise RuntimeError(f"psql ended over: {sql}")
            if line:
                rows.append(line.split("\t"))
        return rows

    def value(self, sql):
        rows = self.ask(sql)
        return rows[0][0] if rows else None

    def drop(self):
        if self._child:
            self._child.stop()
        run(self._psql, "-qX", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres",
            "-c", f'drop database if exists "{self.name}" with (force)')


class GitLab:
    """The stand-in as a process of its own, driven over `/-/control/`."""

    def __init__(self, parts):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.child = Child(
            [parts.world_program, "gitlab", "--port", port, "--dir", parts.dir / "gitlab"],
            stdout=subprocess.DEVNULL, stderr=open(parts.dir / "gitlab.log", "w"),
        )
        wait_for(lambda: _listens(port), "GitLab's stand-in", self.child)
        info = self.order("info")
        self.api_token, self.git_token = info["api_token"], info["git_token"]

    def order(self, verb, **fields):
        status, body = _post(self.url, f"/-/control/{verb}", json.dumps(fields), {"Content-Type": "application/json"})
        if status != 200:
            raise RuntimeError(f"GitLab's stand-in: {verb}: {body}")
        return json.loads(body)

    def clone_url(self, project):
        return f"{self.url.replace('://', f'://bench:{self.git_token}@')}/{project}.git"

    def hook(self, mr, event):
        """Headers and body of a webhook, ready to be sent."""
        made = self.order("webhook", project=mr["project"], iid=mr["iid"], event=event)
        return dict(made["headers"]) | {"X-Gitlab-Token": SECRET}, made["body"]


def environment_of(settings):
    """The environment of one of our programs that is configured so."""
    return {f"SEAWORTHY_{key}": str(value) for key, value in settings.items()} | {"PATH": os.environ["PATH"]}


class Service:
    """A running `seaworthy serve`."""

    def __init__(self, parts, database, *arguments, **settings):
        port = free_port()
        self.url, self.database = f"http://127.0.0.1:{port}", database
        self.log = parts.dir / f"serve-{port}.log"
        began = time.monotonic()
        self.child = Child(
            [parts.seaworthy, "serve", *arguments],
            env=environment_of(parts.settings(database, port) | settings),
            stdout=subprocess.DEVNULL, stderr=open(self.log, "w"),
        )
        wait_for(lambda: _get(port, "/readyz") == 200, f"the service (log: {self.log})", self.child, pause=0.002)
        self.starting = time.monotonic() - began

    def deliver(self, hook):
        """Posts a hook; gives the clock's time just before."""
        headers, body = hook
        before = time.time()
        status, answer = _post(self.url, "/hooks/gitlab", body, headers)
        if status != 202:
            raise RuntimeError(f"the hook was answered with {status}: {answer}")
        return before

    def resident_megabytes(self, most=False):
        """Now, or at most since its start."""
        for line in Path(f"/proc/{self.child.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:" if most else "VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise RuntimeError("the service has no memory")

    def build_of(self, mr, after):
        """The newest build of a merge request that is newer than build `after`, when its hook is interpreted."""
        where = f"project_id = {mr['project_id']} and iid = {mr['iid']} and id > {after}"
        return wait_for(lambda: self.database.value(f"select max(id) from build where {where}"), "a build", self.child)

    def wait_idle(self):
        wait_for(lambda: self.database.value("select count(*) from job") == "0", "an idle service", self.child)


class Parts:
    """What one measure is given; everything it starts is on the stack."""

    def __init__(self, stack):
        self.stack = stack
        world = os.environ.get("SEAWORTHY_WORLD")
        if not world:
            raise RuntimeError("SEAWORTHY_WORLD is not set: the benchmarks need the test world. Run `make bench`.")
        self.world = json.loads(Path(world).read_text())
        target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
        self.seaworthy = Path(os.environ.get("SEAWORTHY_BIN") or target / "release/seaworthy")
        self.world_program = Path(os.environ.get("WORLD_BIN") or target / "debug/world")
        for program in (self.seaworthy, self.world_program):
            if not program.is_file():
                raise RuntimeError(f"{program} is not there: run `make bench`, which builds it")
        self.name = f"bench{uuid.uuid4().hex[:8]}"
        self.dir = Path(self.world["dir"]) / "s" / self.name
        self.dir.mkdir(parents=True)
        stack.callback(shutil.rmtree, self.dir, ignore_errors=True)

    def postgres_program(self, name):
        found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
        if not found:
            raise RuntimeError(f"{name} is not in /usr/lib/postgresql: install the package postgresql")
        return found[-1]

    def database(self, suffix=""):
        database = Database(self, self.name + suffix)
        self.stack.callback(database.drop)
        return database.create()

    def gitlab(self):
        gitlab = self._gitlab = GitLab(self)
        self.stack.callback(gitlab.child.stop)
        return gitlab

    def serve(self, database, *arguments, **settings):
        service = Service(self, database, *arguments, **settings)
        self.stack.callback(service.child.stop)
        return service

    @property
    def repository(self):
        return f"{self.world['registry']['address']}/{self.name}"

    @property
    def mirror(self):
        return f"{self.world['registry']['address']}/mirror"

    def settings(self, database, port):
        """The service's configuration: the defaults, and where the parts of the world are."""
        registry, smtp, gitlab = self.world["registry"], self.world["smtp"], getattr(self, "_gitlab", None)
        return {
            "SERVER_LISTEN": f"127.0.0.1:{port}",
            "SERVER_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "DATABASE_URL": database.url,
            "STORAGE_DIRECTORY": self.dir / "storage",
            "WEBHOOK_SECRETS": SECRET,
            "GITLAB_URL": gitlab.url if gitlab else "http://127.0.0.1:9",
            "GITLAB_TOKEN": gitlab.api_token if gitlab else "none",
            "GITLAB_GIT_TOKEN": gitlab.git_token if gitlab else "none",
            "REGISTRY_REPOSITORY": self.repository,
            "REGISTRY_USERNAME": registry["user"],
            "REGISTRY_PASSWORD": registry["password"],
            "REGISTRY_PLAIN_HTTP": "true",
            "BASE_IMAGES_MIRRORS": f"docker.io={self.mirror}",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": smtp["port"],
            "SMTP_TLS": "none",
            "SMTP_USERNAME": smtp["user"],
            "SMTP_PASSWORD": smtp["password"],
            "SMTP_FROM": "Seaworthy <ci@example.com>",
            "ENGINE_URL": self.world["engine"]["host"],
        }

    def docker(self):
        """Docker's client for the world's engine, signed in at the registry: program and environment."""
        registry = self.world["registry"]
        auth = base64.b64encode(f"{registry['user']}:{registry['password']}".encode()).decode()
        config = self.dir / "docker"
        config.mkdir()
        (config / "config.json").write_text(json.dumps({"auths": {registry["address"]: {"auth": auth}}}))
        # The same builder as the service's.
        environment = os.environ | {
            "DOCKER_CONFIG": str(config), "DOCKER_HOST": self.world["engine"]["host"], "DOCKER_BUILDKIT": "1",
        }
        environment.pop("DOCKER_CONTEXT", None)
        reasons = []
        for program in dict.fromkeys([shutil.which("docker"), "/usr/bin/docker"]):
            if program and Path(program).exists():
                try:
                    run(program, "build", "--quiet", "-", input="FROM scratch\nLABEL bench=probe\n", env=environment)
                    return program, environment
                except RuntimeError as error:
                    reasons.append(str(error))
        raise RuntimeError("no client of Docker that builds with BuildKit:\n" + "\n".join(reasons))


def wait_for(ask, what, child, pause=0.02):
    """The first true answer; an error when the process has ended or the time is up."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if answer := ask():
            return answer
        if child.process.poll() is not None:
            raise RuntimeError(f"{what}: the process ended with {child.process.returncode}")
        time.sleep(pause)
    raise RuntimeError(f"{what} did not come within {PATIENCE:.0f} s")


def _listens(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def _post(url, path, body, headers):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request("POST", path, body.encode(), headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()
