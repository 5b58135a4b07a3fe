"""An image of 300 MB from registry to registry, against `crane copy` and `skopeo copy --preserve-digests`.

Four of Debian's registries on loopback ports, without a password, each with its storage in the bench's folder. Six layers
that do not compress, pushed to the first registry. Each side copies to a repository that was never there, by digest, as a
process of its own, measured from its start to its end; the order changes from round to round, and every round is a ratio
in itself. Medians of the rounds.

`to three registries at once`: ours is one process with three destinations, crane's are three processes side by side.
`÷ one` compares with ours to one registry.

`memory` is the largest resident set of our process in any of the rounds (`VmHWM`, read until it ends).

crane is made by `go install` at the version below, once, and kept in `~/.cache/seaworthy-bench`.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

from parts import Child, environment_of, free_port, installed, median, row, run, say, wait_for

CRANE = "github.com/google/go-containerregistry/cmd/crane@v0.20.6"
TIMES, LAYERS, LAYER = 25, 6, 50_000_000
OCI = "application/vnd.oci.image.manifest.v1+json"


def measure(parts):
    crane, skopeo = crane_program(), installed("skopeo")
    spread(parts.dir)
    source, *there = [Registry(parts, number) for number in range(4)]
    image = f"{source.address}/bench/app@{push(source)}"
    ours = Ours(parts, image, [source, *there])
    one, three, ratios = [], [], {}
    for number in range(-1, TIMES):
        sides = {
            "ours": lambda: ours.copy(number, there[:1]),
            "crane": lambda: timed([[crane, "copy", image, f"{there[0].address}/bench/crane-{number}:1"]]),
            "skopeo": lambda: timed([[
                skopeo, "--insecure-policy", "copy", "--quiet", "--all", "--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false",
                f"docker://{image}", f"docker://{there[0].address}/bench/skopeo-{number}:1"]]),
            "ours, three": lambda: ours.copy(f"three-{number}", there),
            "crane, three": lambda: timed([
                [crane, "copy", image, f"{registry.address}/bench/crane-three-{number}:1"] for registry in there]),
        }
        names = list(sides)
        names = names[number % len(names):] + names[:number % len(names)]
        took = {}
        for name in names:
            took[name] = sides[name]()
            # Nobody pays for the kernel's writing down what another side left.
            for registry in there[:3 if "three" in name else 1]:
                registry.empty()
        say(", ".join(f"{name} {took[name]:.2f} s" for name in sides))
        # The first round warms everything up.
        if number >= 0:
            for other in ("crane", "skopeo"):
                ratios.setdefault(other, []).append(took["ours"] / took[other])
            ratios.setdefault("one", []).append(took["ours, three"] / took["ours"])
            ratios.setdefault("three", []).append(took["ours, three"] / took["crane, three"])
    ours.copy("again", there[:1])
    again = ours.copy("again", there[:1], new=False)
    return [
        row("copy of 300 MB ÷ crane", median(ratios["crane"]), 1.05, 2),
        row("copy of 300 MB ÷ skopeo", median(ratios["skopeo"]), None, 2),
        row("copy to three registries at once ÷ one", median(ratios["one"]), 2.2, 2),
        row("copy to three registries at once ÷ three cranes", median(ratios["three"]), 0.8, 2),
        row("blob bytes of a second copy", again, 0, 0),
        row("memory during a copy, MB", ours.peak, 60, 0),
    ]


def spread(folder):
    """Gives each new folder in this one a place of its own on the disk.

    ext4 without a journal does not use an inode again for minutes after its file was deleted, and looks past all of them
    for each new file (`recently_deleted`). A registry deletes a few with each upload, so one side would pay for those
    of the others. With this flag folders are put into different block groups (chattr(1), `T`).
    """
    # Other file systems have neither the trouble nor the flag.
    subprocess.run(["chattr", "+T", folder], stderr=subprocess.DEVNULL)


class Registry:
    """Debian's registry, as a process that ends with the bench."""

    def __init__(self, parts, number):
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        self.storage, self.emptied = parts.dir / f"registry-{number}", 0
        self.storage.mkdir()
        config = parts.dir / f"registry-{number}.json"
        config.write_text(json.dumps({
            "version": "0.1", "log": {"level": "error", "accesslog": {"disabled": True}}, "http": {"addr": self.address},
            "storage": {"filesystem": {"rootdirectory": str(self.storage)}},
        }))
        child = Child([shutil.which("docker-registry"), "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        parts.stack.callback(child.stop)
        wait_for(self._answers, "a registry", child)

    def _answers(self):
        try:
            return urllib.request.urlopen(f"http://{self.address}/v2/").status == 200
        except OSError:
            return False

    def empty(self):
        """Frees the disk; the registry keeps nothing in memory.

        Nothing is deleted, for the reason in `spread`.
        """
        self.emptied += 1
        old = self.storage.rename(self.storage.with_name(f"{self.storage.name}-{self.emptied}"))
        for file in old.rglob("*"):
            if file.is_file():
                os.truncate(file, 0)

    def call(self, method, url, body=b"", kind="application/octet-stream"):
        headers = {"Content-Type": kind}
        return urllib.request.urlopen(urllib.request.Request(url, data=body, method=method, headers=headers)).headers

    def blob(self, body):
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        place = self.call("POST", f"http://{self.address}/v2/bench/app/blobs/uploads/")["Location"]
        self.call("PUT", f"{place}&digest={digest}", body)
        return {"digest": digest, "size": len(body)}


def push(registry):
    """Pushes the image; returns its digest."""
    layers = [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", **registry.blob(os.urandom(LAYER))} for _ in range(LAYERS)]
    config = registry.blob(json.dumps({
        "architecture": "amd64", "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
    }).encode())
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": OCI, "layers": layers,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config},
    }).encode()
    url = f"http://{registry.address}/v2/bench/app/manifests/1"
    return registry.call("PUT", url, manifest, OCI)["Docker-Content-Digest"]


class Ours:
    """`seaworthy copy`."""

    def __init__(self, parts, image, registries):
        self.command, self.image, self.peak = parts.seaworthy, image, 0.0
        settings = parts.settings(parts.database(), free_port())
        settings["REGISTRIES_PLAIN_HTTP"] = ",".join(registry.address for registry in registries)
        self.environment = environment_of(settings)

    def copy(self, name, there, new=True):
        """Seconds of a copy to a new repository, or the bytes that were sent when it is not new."""
        places = [f"{registry.address}/bench/ours-{name}:1" for registry in there]
        before = time.monotonic()
        process = subprocess.Popen([self.command, "copy", self.image, *places], env=self.environment, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        # Not by `wait4`: that counts what the child was before its program began, a copy of us.
        watcher = threading.Thread(target=self._watch, args=(process.pid,))
        watcher.start()
        told = process.stdout.read()
        status = process.wait()
        took = time.monotonic() - before
        watcher.join()
        sent = [int(bytes) for bytes in re.findall(r"sent (\d+) bytes", told)]
        if status or len(sent) != len(there) or new and min(sent) < LAYERS * LAYER:
            raise RuntimeError(f"seaworthy copy ended with {status}:\n{told}")
        return took if new else sum(sent)

    def _watch(self, pid):
        try:
            while found := re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()):
                self.peak = max(self.peak, int(found[1]) * 1024 / 1e6)
                time.sleep(0.05)
        except OSError:
            # It has ended.
            pass


def timed(commands):
    """Seconds of commands that run side by side."""
    before = time.monotonic()
    children = [subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                for command in commands]
    for child in children:
        told = child.communicate()[1]
        if child.returncode:
            raise RuntimeError(f"{child.args[0]} ended with {child.returncode}:\n{told[-4000:]}")
    return time.monotonic() - before


def crane_program():
    folder = Path.home() / ".cache/seaworthy-bench" / CRANE.rsplit("@", 1)[1]
    program = folder / "crane"
    if not program.is_file():
        go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
        if not go:
            raise RuntimeError("crane is compared with, and Go is needed to make it: install Go 1.24 or newer")
        folder.mkdir(parents=True, exist_ok=True)
        say(f"   making {CRANE}")
        run(go, "install", CRANE, env=os.environ | {"GOBIN": str(folder)})
    return program
