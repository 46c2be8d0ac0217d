"""The tables of docs/coming-from-scripts.md, generated from the tables of the converter."""

from collections.abc import Iterable

from .leaves import SAME_GROUPS
from .left_out import LEFT_OUT
from .table import FIELDS, FILE_NAME, Field
from .vqgan import VQGAN_FIELDS, VQGAN_LEFT_OUT

TABLES = ("flags", "groups", "fields", "left out", "volumes", "left out of volumes")


def with_old_names(document: str) -> str:
    """A document with the part between each table's two markers replaced by the present table."""
    texts = dict(zip(TABLES, _texts(), strict=True))
    for name in TABLES:
        begin, end = f"<!-- {name}: begin (generated) -->", f"<!-- {name}: end -->"
        before, rest = document.split(begin)
        _, after = rest.split(end)
        document = f"{before}{begin}\n\n{texts[name]}\n\n{end}{after}"
    return document


def _texts() -> tuple[str, ...]:
    return _flags(), _groups(), _fields(), _left_out(), _volumes(), _left_out_of_volumes()


def flag_meanings() -> dict[str, str]:
    """Every flag of an old call: the key that it becomes, or why it becomes none."""
    carried = {old: field.new for field in FIELDS for old in field.old if old.startswith("--")}
    left = {old: row.reason for row in LEFT_OUT for old in row.old if old.startswith("--")}
    return carried | left


def _flags() -> str:
    carried = {old for field in FIELDS for old in field.old}
    rows = [
        (f"`{flag}`", f"`{meaning}`" if flag in carried else meaning)
        for flag, meaning in flag_meanings().items()
    ]
    return _table(("flag", "here"), rows)


def _groups() -> str:
    taken: dict[str, list[str]] = {}
    for usual, others in SAME_GROUPS:
        taken.setdefault(usual, []).extend(f"`{other}`" for other in others)
    rows = [(f"`{usual}`", ", ".join(others)) for usual, others in taken.items()]
    return _table(("group", "taken for it"), rows)


def _fields() -> str:
    rows = [
        (_spellings(field), field.new if field.new == FILE_NAME else f"`{field.new}`", field.remark)
        for field in FIELDS
    ]
    return _table(("old field", "here", "remark"), rows)


def _left_out() -> str:
    rows = [(", ".join(f"`{old}`" for old in row.old), row.reason) for row in LEFT_OUT]
    return _table(("old field", "why it becomes nothing, and what to do"), rows)


def _volumes() -> str:
    rows = [
        (
            ", ".join(f"`{old}`" for old in field.old),
            field.new if field.new == FILE_NAME else f"`{field.new}`",
            field.remark,
        )
        for field in VQGAN_FIELDS
    ]
    return _table(("old field", "here", "remark"), rows)


def _left_out_of_volumes() -> str:
    rows = [(", ".join(f"`{old}`" for old in row.old), row.reason) for row in VQGAN_LEFT_OUT]
    return _table(("old field", "why it becomes nothing, and what to do"), rows)


def _spellings(field: Field) -> str:
    """All spellings; what stands in the same groups is named once."""
    groups: dict[str, list[str]] = {}
    for old in field.old:
        group, _, name = old.rpartition(".")
        groups.setdefault(name, []).append(group)
    names: dict[tuple[str, ...], list[str]] = {}
    for name, above in groups.items():
        names.setdefault(tuple(above), []).append(name)
    return "; ".join(_under(above, below) for above, below in names.items())


def _under(groups: tuple[str, ...], names: list[str]) -> str:
    if len(groups) == 1 and groups[0]:
        return ", ".join(f"`{groups[0]}.{name}`" for name in names)
    shown = ", ".join(f"`{name}`" for name in names)
    above = ", ".join(f"`{group}`" for group in groups if group)
    return f"{shown} in {above}" if above else shown


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
