"""A real Slurm of two pretend nodes, each with one pretend GPU, on this machine.

    python tests/cluster/slurm/slurm_cluster.py up      then sbatch, squeue, ... work as usual
    python tests/cluster/slurm/slurm_cluster.py down

Needs root (slurmd starts jobs as their users) and Debian's packages, see PACKAGES. Everything lies
under DIRECTORY but for the link /etc/slurm/slurm.conf: Snakemake's Slurm plugins drop SLURM_CONF
before the inner srun, so the tools must find the configuration without it. A real configuration
there is never touched.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PACKAGES = "slurmctld slurmd slurm-client munge"
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged")
DIRECTORY = Path("/tmp/sparring-slurm")
LINK = Path("/etc/slurm/slurm.conf")
CONFIGURATION = DIRECTORY / "etc" / "slurm.conf"
NODES = ("n1", "n2")
PORT = 17817


class SlurmError(Exception):
    """Slurm did not do as it was told."""


def reason_to_skip() -> str | None:
    """Why no Slurm can be started here, or None."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"Slurm is not installed ({', '.join(missing)}); apt-get install {PACKAGES}"
    if os.geteuid() != 0:
        return "starting a Slurm for tests needs root"
    try:
        socket.gethostbyname(socket.gethostname())
    except OSError:
        return f"the name of this machine ({socket.gethostname()}) does not resolve: /etc/hosts"
    if LINK.exists() and LINK.resolve() != CONFIGURATION:
        return f"{LINK} belongs to another Slurm"
    return None


def run(*command: str, timeout: float = 30) -> str:
    """The output of a Slurm command. SLURM_CONF leads the daemons to gres.conf beside it."""
    environment = os.environ | {"SLURM_CONF": str(CONFIGURATION)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment)
    if done.returncode != 0:
        raise SlurmError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Look ten times a second until the condition holds; a failing command is a no."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(SlurmError):
            if condition():
                return
        if time.monotonic() > deadline:
            raise SlurmError(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(0.1)


def up() -> None:
    """Start the daemons that do not run yet; wait until the nodes take jobs."""
    _write_configuration()
    if not _pid("munged"):
        _start_munge()
    start_controller()
    for node in NODES:
        start_node(node)
    wait_until(lambda: _nodes_ready() == len(NODES), "nodes to be idle")


def down() -> None:
    """Cancel all jobs, stop the daemons, remove every trace."""
    with contextlib.suppress(SlurmError, subprocess.TimeoutExpired):
        run("scancel", "--user=root", timeout=5)
        wait_until(lambda: not run("squeue", "--noheader", timeout=5), "jobs to end", 10)
    for node in NODES:
        stop_node(node)
    stop_controller()
    _stop("munged")
    if LINK.is_symlink() and LINK.resolve() == CONFIGURATION:
        LINK.unlink()
    shutil.rmtree(DIRECTORY, ignore_errors=True)


def start_controller() -> None:
    """Start slurmctld and wait until it answers."""
    if not _pid("slurmctld"):
        run("slurmctld")
    wait_until(lambda: "is UP" in run("scontrol", "ping"), "slurmctld to answer")


def stop_controller() -> None:
    """Stop slurmctld; running jobs go on."""
    _stop("slurmctld")


def start_node(node: str) -> None:
    """Start a node's slurmd."""
    if not _pid("slurmd", node):
        run("slurmd", "-N", node)


def stop_node(node: str) -> None:
    """Stop a node's slurmd; its running jobs go on, unheard of."""
    _stop("slurmd", node)


@contextlib.contextmanager
def shared() -> Iterator[None]:
    """A running Slurm, started by the first of several processes and stopped by the last."""
    user = DIRECTORY / "users" / str(os.getpid())
    with _locked():
        up()
        user.parent.mkdir(exist_ok=True)
        user.touch()
    try:
        yield
    finally:
        with _locked():
            user.unlink()
            if not any(_alive(int(other.name)) for other in user.parent.iterdir()):
                down()


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """One process at a time starts or stops."""
    with open(f"{DIRECTORY}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _write_configuration() -> None:
    for folder in ("etc", "run", "log", "state", "munge", *(f"spool/{node}" for node in NODES)):
        (DIRECTORY / folder).mkdir(parents=True, exist_ok=True, mode=0o755)
    template = Path(__file__).with_name("slurm.conf").read_text()
    CONFIGURATION.write_text(
        template.format(
            directory=DIRECTORY,
            host=socket.gethostname().split(".")[0],
            port=PORT,
            first=PORT + 1,
            last=PORT + len(NODES),
        )
    )
    gpus = [_pretend_gpu(node) for node in NODES]
    (CONFIGURATION.parent / "gres.conf").write_text("".join(gpus))
    if not LINK.is_symlink():
        LINK.parent.mkdir(exist_ok=True)
        LINK.symlink_to(CONFIGURATION)


def _pretend_gpu(node: str) -> str:
    """A line of gres.conf; the device is another /dev/null."""
    device = DIRECTORY / "run" / f"{node}-gpu0"
    if not device.exists():
        os.mknod(device, 0o20666, os.makedev(1, 3))
    return f"NodeName={node} Name=gpu Type=pretend File={device}\n"


def _start_munge() -> None:
    """Munge with a key and socket of its own; it insists on private files."""
    folder = DIRECTORY / "munge"
    key = folder / "key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    run(
        "munged",
        "--force",
        f"--key-file={key}",
        f"--socket={folder}/socket",
        f"--pid-file={DIRECTORY}/run/munged.pid",
        f"--log-file={DIRECTORY}/log/munged.log",
        f"--seed-file={folder}/seed",
    )


def _nodes_ready() -> int:
    return len(run("sinfo", "-hN", "-p", "gpu", "-t", "idle,mixed,allocated", "-o%N").split())


def _pid(daemon: str, node: str | None = None) -> int | None:
    """The process of a daemon of ours, if it lives."""
    file = DIRECTORY / "run" / (f"{daemon}.{node}.pid" if node else f"{daemon}.pid")
    try:
        pid = int(file.read_text())
        return pid if Path(f"/proc/{pid}/exe").resolve().name.startswith(daemon) else None
    except (OSError, ValueError):
        return None


def _stop(daemon: str, node: str | None = None) -> None:
    pid = _pid(daemon, node)
    if pid:
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: _pid(daemon, node) is None, f"{daemon} to stop")


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in ("up", "down"):
        sys.exit("usage: slurm_cluster.py up|down")
    if problem := reason_to_skip():
        sys.exit(problem)
    {"up": up, "down": down}[sys.argv[1]]()
