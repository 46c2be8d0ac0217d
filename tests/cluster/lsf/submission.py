"""What bsub is asked for: options as IBM's reference states them, anything else refused."""

import re
from dataclasses import dataclass, field


class RefusedError(Exception):
    """bsub says why and exits with 255."""


@dataclass
class Submission:
    """A job as it was asked for."""

    command: str
    name: str
    queue: str
    default_queue: bool
    description: str = ""
    project: str = "default"
    cwd: str = ""
    output: str = ""
    error: str = ""
    slots: int = 1
    memory: float = 0.0
    """In the cluster's unit; per slot or per job as the cluster reserves."""
    gpus: int = 0
    exclusive: bool = False
    run_limit: int | None = None
    """Minutes."""
    held: bool = False
    rerunnable: bool = False
    hosts: list[str] = field(default_factory=list)


TEXT = {"-J", "-Jd", "-o", "-e", "-oo", "-eo", "-env", "-P", "-q", "-W", "-We", "-n", "-R", "-cwd"}
TEXT |= {"-gpu", "-M", "-app", "-G", "-m", "-g", "-L", "-u", "-sp", "-a"}
FLAGS = {"-H", "-r", "-rn", "-x", "-N", "-B"}
RESOURCES = {"mem", "swp", "tmp", "ngpus_physical", "ut", "r1m"}
SECTIONS = {"select", "order", "rusage", "span", "same", "cu", "affinity"}
GPU = {
    "num": r"[1-9]\d*(/(task|host))?",
    "mode": r"shared|exclusive_process",
    "mps": r"(yes|no|per_socket|per_gpu)(,shared)?(,nocvd)?",
    "j_exclusive": r"yes|no",
    "aff": r"yes|no",
    "block": r"yes|no",
    "gpack": r"yes|no",
    "glink": r"yes",
    "gvendor": r"amd|nvidia",
    "gmodel": r"[A-Za-z]\w*(-\w+)*",
    "gtile": r"\d+|!",
    "gmem": r"\d+(\.\d+)?[KMGTP]?B?",
    "mig": r"\d+(/\d+)?",
}


def parse(arguments: list[str], config: dict) -> Submission:
    """The job that bsub's arguments ask for. RefusedError: with LSF's words."""
    options, resources, command = _split(arguments)
    if not command:
        raise RefusedError("No command is specified. Job not submitted.")
    name = options.get("-J", command)
    if "-J" in options and (not name or re.search(r"[\[\]]", name)):
        raise RefusedError("Bad job name. Job not submitted.")
    queue, *others = options.get("-q", config["default_queue"]).split() or [""]
    for unknown in {queue, *others} - set(config["queues"]):
        raise RefusedError(f"{unknown}: No such queue. Job not submitted.")
    job = Submission(command, name, queue, default_queue="-q" not in options)
    job.description, job.project = options.get("-Jd", ""), options.get("-P", "default")
    job.cwd = options.get("-cwd", "")
    job.output = options.get("-oo", options.get("-o", ""))
    job.error = options.get("-eo", options.get("-e", ""))
    job.held, job.rerunnable = "-H" in options, "-r" in options
    _limits(job, options, config)
    for text in resources:
        _resources(job, text)
    if "-gpu" in options:
        _gpus(job, options["-gpu"])
    job.hosts = options.get("-m", "").split()
    _names(job, options, config)
    return job


def _split(arguments: list[str]) -> tuple[dict[str, str], list[str], str]:
    """Options, the resource requirements in their order, and the command that follows."""
    options: dict[str, str] = {}
    resources: list[str] = []
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        name = rest.pop(0)
        if name in FLAGS:
            options[name] = ""
            continue
        if name not in TEXT:
            raise RefusedError(
                f"bsub: illegal option -- {name.lstrip('-')}\nUsage: bsub [options] command"
            )
        if not rest:
            raise RefusedError(f"bsub: option requires an argument -- {name.lstrip('-')}")
        if name == "-R":
            resources.append(rest.pop(0))
        else:
            options[name] = rest.pop(0)
    return options, resources, " ".join(rest)


def _limits(job: Submission, options: dict[str, str], config: dict) -> None:
    """Slots, run time and memory limit."""
    slots = re.fullmatch(r"([1-9]\d*)(,[1-9]\d*)?", options.get("-n", "1"))
    if not slots:
        raise RefusedError("Bad argument for option -n. Job not submitted.")
    job.slots = int(slots[1])
    queue = config["queues"][job.queue]
    if job.slots > queue.get("max_slots", job.slots):
        raise RefusedError("Too many processors requested. Job not submitted.")
    for name in ("-W", "-We"):
        limit = re.fullmatch(r"(?:(\d+):)?(\d+)(/[\w.-]+)?", options.get(name, "1"))
        if not limit or (limit[1] is not None and int(limit[2]) > 59):
            raise RefusedError(f"{options[name]}: Bad RUNLIMIT specification. Job not submitted.")
        if name == "-W" and name in options:
            job.run_limit = 60 * int(limit[1] or 0) + int(limit[2])
    longest = queue.get("run_limit")
    if longest and (job.run_limit or longest) > longest:
        raise RefusedError("RUNLIMIT: Cannot exceed queue's hard limit(s). Job not submitted.")
    job.run_limit = job.run_limit or longest
    if not re.fullmatch(r"\d+([KMGTPEZ]B?)?!?", options.get("-M", "1")):
        raise RefusedError(f"{options['-M']}: Bad MEMLIMIT specification. Job not submitted.")


def _resources(job: Submission, text: str) -> None:
    """One resource requirement string: sections, or a bare selection."""
    if "&" in re.sub("&&", "", text):
        raise RefusedError(
            f"Error with <{text}>: '&' cannot be used in the resource requirement section. "
            "Job not submitted."
        )
    sections = re.findall(r"(\w+)\[([^\[\]]*)\]", text)
    rest = re.sub(r"\w+\[[^\[\]]*\]", "", text).strip()
    if "[" in rest or "]" in rest or (rest and sections):
        raise RefusedError("Bad resource requirement syntax. Job not submitted.")
    for name in [name for name, _ in sections]:
        if name not in SECTIONS:
            raise RefusedError("Bad resource requirement syntax. Job not submitted.")
        if [known for known, _ in sections].count(name) > 1:
            raise RefusedError(f'Error near "{name}" : duplicate section. Job not submitted.')
    found = dict(sections)
    if "rusage" in found:
        job.memory = _usage(found["rusage"]).get("mem", job.memory)
    span = r"hosts=(-1|[1-9]\d*)|ptile=([1-9]\d*|'!')(,\w+:\d+)*|block=[1-9]\d*|stripe(=[1-9]\d*)?"
    if not re.fullmatch(span, found.get("span", "hosts=1")):
        raise RefusedError("Error in span section. Job not submitted.")
    if not re.fullmatch(r"[\w\s()=!<>&|.'\"+*/-]+", found.get("select", rest) or "any"):
        raise RefusedError("Error in select section. Job not submitted.")


def _usage(text: str) -> dict[str, float]:
    """`mem=4000,tmp=10` as numbers."""
    usage = {}
    for part in re.split(r"[,:]", text):
        entry = re.fullmatch(r"\s*(\w+)=(\d+(?:\.\d+)?)([KMGTP]B?|[mh])?\s*", part)
        if not entry or entry[1] not in RESOURCES | {"duration", "decay"}:
            raise RefusedError("Error in rusage section. Job not submitted.")
        usage[entry[1]] = float(entry[2])
    return usage


def _gpus(job: Submission, text: str) -> None:
    """`num=2:mode=exclusive_process`; a hyphen is the default of one shared GPU."""
    given = {} if text == "-" else dict(part.partition("=")[::2] for part in text.split(":"))
    for key, value in given.items():
        if key not in GPU or not re.fullmatch(GPU[key], value):
            raise RefusedError(f"Bad argument for option -gpu: <{text}>. Job not submitted.")
    job.gpus = int(given.get("num", "1").split("/")[0])
    # IBM: with exclusive_process, j_exclusive=yes is set automatically
    alone = given.get("j_exclusive") == "yes" or given.get("mode") == "exclusive_process"
    job.exclusive = alone


def _names(job: Submission, options: dict[str, str], config: dict) -> None:
    """Names that the cluster must know."""
    if any(host not in config["hosts"] for host in job.hosts):
        raise RefusedError("Bad host name, host group name or cluster name. Job not submitted.")
    if options.get("-app", "") not in {"", *config["applications"]}:
        raise RefusedError(f"{options['-app']}: No such application profile. Job not submitted.")
    if options.get("-G", "") not in {"", *config["groups"]}:
        raise RefusedError("No such user/host group. Job not submitted.")
    if job.project in config["closed_projects"]:
        raise RefusedError(
            f"Project {job.project} is not accepted. Request aborted by esub. Job not submitted."
        )
