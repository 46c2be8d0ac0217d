"""The command line of a stage program: its own options, settings by hand, how it runs."""

import argparse
import re
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from ..artefacts.digests import path_digest, text_digest
from ..settings.by_hand import keys_by_hand
from ..settings.config import RUN_KEYS, Config
from ..settings.documentation import Key
from ..settings.stage_settings import StageSettings

_OPTION = re.compile(r"--\w[\w-]*")
_HAND = "settings, from --job or by hand"
_RUN = "how it runs"


@dataclass(frozen=True)
class Shortcut:
    """An option that sets a key of the settings, and constants that go with it."""

    key: str
    also: Mapping[str, Any]


class _Help(argparse.RawDescriptionHelpFormatter):
    """Paragraphs as they are; options that cannot be left out say so."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return f"{action.help or ''} (required)".strip() if action.required else action.help


class StageParser(argparse.ArgumentParser):
    """The options that every stage program has, and which of the others name inputs."""

    def __init__(self, description: str | None, example: str = "") -> None:
        super().__init__(description=description, formatter_class=_Help)
        self._example = example
        self._inputs: dict[str, Callable[[Path], str]] = {}
        self._folders: dict[str, dict[str, str]] = {}
        self.shortcuts: dict[str, Shortcut] = {}
        """By the name of the option's value."""
        self.groups_of_inputs: dict[str, str] = {}
        """The group of settings that an input comes with, by the name of the input's value."""
        self._hand = self.add_argument_group(_HAND)
        self._run = self.add_argument_group(_RUN)
        self._general = {action.dest for action in (*self._add_by_hand(), *self._add_run())}

    def add_input(
        self,
        *flags: str,
        settings: str | None = None,
        digest: Callable[[Path], str] = path_digest,
        **keywords: Any,
    ) -> None:
        """An option that names a file or model directory to read; several with `nargs`.

        `digest` tells whether what it names has changed. By hand, `settings`, a group of keys
        without which the input is of no use, comes with it.
        """
        if settings is not None:
            keywords["help"] = f"{keywords.get('help', '')}; by hand it brings in {settings}.*"
        action = self.add_argument(*flags, type=Path, **keywords)
        self._inputs[action.dest] = digest
        if settings is not None:
            self.groups_of_inputs[action.dest] = settings

    def add_setting(
        self, *flags: str, key: str, also: Mapping[str, Any] | None = None, **keywords: Any
    ) -> None:
        """A short form of `--set KEY=VALUE`, and of constants in `also` that go with it."""
        keywords["help"] = f"{keywords.get('help', 'short form')} (--set {key})"
        action = self._hand.add_argument(*flags, **keywords)
        self.shortcuts[action.dest] = Shortcut(key, also or {})
        self._general.add(action.dest)

    def add_folder(self, flag: str, **names: str) -> None:
        """One option for several outputs, added before: each gets its name in that folder."""
        listed = ", ".join(names.values())
        action = self.add_argument(
            flag, type=Path, metavar="DIR", help=f"folder for all outputs not named: {listed}"
        )
        self._folders[action.dest] = names
        self._general.add(action.dest)
        for output in self._actions:
            if output.dest in names:
                output.required = False
                output.help = f"{output.help} (required, or {flag})"

    def read(
        self, kind: type[StageSettings], words: Sequence[str] | None = None
    ) -> argparse.Namespace:
        """The options as given; `--help` and usage errors end the program.

        Underscores in the names of options are read as dashes.
        """
        self.epilog = _epilog(self._example, list(keys_by_hand(kind)))
        args = self.parse_args([_dashed(w) for w in (sys.argv[1:] if words is None else words)])
        self._place_outputs(args)
        if is_by_hand(args):
            return args
        for action in self._hand._group_actions:
            if action.dest != "job" and getattr(args, action.dest) is not None:
                self._refuse_beside_job(action)
        for key in RUN_KEYS:
            if getattr(args, key) is not None:
                self._refuse_beside_job(self._option_strings(key))
        return args

    def outputs(self, args: argparse.Namespace) -> list[Path]:
        """Files and directories to write, in the order of the options."""
        named = [a.dest for a in self._actions if a.type is Path and a.dest not in self._inputs]
        paths = [getattr(args, dest) for dest in named if dest not in self._general]
        return [path for path in paths if path is not None]

    def work_digest(self, settings: StageSettings, args: argparse.Namespace) -> str:
        """Digest of the settings, the content of the inputs and the names of the outputs.

        An option that is not given does not enter it, so that a new one leaves old work valid.
        """
        parts = [settings.to_json(), *(path_digest(path) for path in settings.files())]
        for name, value in sorted(vars(args).items()):
            if value is None:
                continue
            if name in self._inputs:
                paths = value if isinstance(value, list) else [value]
                parts += [f"{name}:{self._inputs[name](path)}" for path in paths]
            elif name not in self._general:
                parts.append(f"{name}={value}")
        return text_digest("\n".join(parts))

    def _add_by_hand(self) -> list[argparse.Action]:
        add = self._hand.add_argument
        return [
            add(
                "--job",
                type=Path,
                metavar="FILE",
                help="job.json with the settings and how to run, which the workflow writes when a "
                "run begins; with --settings it is written first",
            ),
            add(
                "--settings",
                metavar="FILE|TEXT",
                help="YAML file with the settings listed below, or the YAML itself if it begins "
                "with {",
            ),
            add(
                "--set",
                action="append",
                metavar="KEY=VALUE",
                help="one setting, such as diffusion.epochs=3; a YAML value; may be repeated",
            ),
            add(
                "--seed",
                type=int,
                help="an integer that every random number follows from (default: see below)",
            ),
        ]

    def _add_run(self) -> list[argparse.Action]:
        add = self._run.add_argument
        actions = [
            add("--threads", type=int, default=1, help="CPU threads (default: 1)"),
            add("--processes", type=int, default=1, help="processes, one GPU each (default: 1)"),
            add(
                "--runtime",
                type=float,
                metavar="MINUTES",
                help="the job's wall time; under LSF or Slurm it stops itself before "
                "(default: none)",
            ),
            *(self._add_run_key(key) for key in RUN_KEYS),
        ]
        for flag, text in {
            "--state": "what an interrupted run goes on from (default: state/by_hand/, then the "
            "stage and a digest of the outputs' places); may not be shared",
            "--log": "appended over attempts (default: the folder of --state with the ending .log)",
            "--record": "JSON to write with settings and versions (default: settings/STAGE.json "
            "beside the first output, or in it if it is a directory and the only one)",
        }.items():
            metavar = "DIR" if flag == "--state" else "FILE"
            actions.append(add(flag, type=Path, metavar=metavar, help=text))
        return actions

    def _add_run_key(self, key: str) -> argparse.Action:
        """A key of config.yaml that a job is told, as an option."""
        field = Config.model_fields[key]
        choices = get_args(field.annotation) or None
        meaning = " ".join((field.description or "").split())
        return self._run.add_argument(
            f"--{key.replace('_', '-')}",
            type=str if choices else float,
            choices=choices,
            metavar=None if choices else key.rpartition("_")[2].upper(),
            help=f"{meaning} (default: {field.default})".replace("%", "%%"),
        )

    def _place_outputs(self, args: argparse.Namespace) -> None:
        for folder, names in self._folders.items():
            place = getattr(args, folder)
            for dest, name in names.items():
                if getattr(args, dest) is None:
                    if place is None:
                        flags = f"{self._option_strings(dest)} or {self._option_strings(folder)}"
                        self.error(f"one of the following arguments is required: {flags}")
                    setattr(args, dest, place / name)

    def _refuse_beside_job(self, option: argparse.Action | str) -> None:
        flag = option if isinstance(option, str) else option.option_strings[0]
        self.error(f"{flag}: the file that --job names says it; leave one of them out")

    def _option_strings(self, dest: str) -> str:
        return next(a.option_strings[0] for a in self._actions if a.dest == dest)


def add_sampled_models(parser: StageParser) -> None:
    """The inputs of every program that samples a denoiser; `Models.given` takes them up."""
    parser.add_input("--denoiser", required=True, help="denoiser directory")
    parser.add_input("--autoencoder", required=True, help="autoencoder that the latents belong to")
    parser.add_input(
        "--conditions",
        help="for a class-conditional denoiser: latents of its training data, whose conditions "
        "the samples take",
    )


def add_reference(parser: StageParser) -> None:
    """The input of programs whose samples' moments can be matched."""
    parser.add_input(
        "--reference",
        help="with moments match: the train latents, to whose mean and standard deviation per "
        "channel samples are brought",
    )


def is_by_hand(args: argparse.Namespace) -> bool:
    """Whether the settings are among the options, not in a job file."""
    return args.job is None or args.settings is not None


def _dashed(word: str) -> str:
    """`--output_dir=a_b` as `--output-dir=a_b`."""
    name, equals, value = word.partition("=")
    return f"{name.replace('_', '-')}{equals}{value}" if _OPTION.fullmatch(name) else word


def _epilog(example: str, keys: list[Key]) -> str:
    parts = [f"example:\n{textwrap.indent(textwrap.dedent(example).strip(), '  ')}"]
    lines = ["settings, for --set and --settings:" if keys else "This stage has no settings."]
    for key in keys:
        head = f"  {key.path}  ({key.type.replace('`', '')}; default: {key.default})"
        lines.append(head.replace("; default: required)", "; required)"))
        lines += textwrap.wrap(key.meaning.replace("`", ""), 88, initial_indent="      ",
                               subsequent_indent="      ")  # fmt: skip
    parts.append("\n".join(lines))
    return "\n\n".join(parts if example else parts[1:])
