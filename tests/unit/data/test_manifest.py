"""Who the layouts are and how they are split: an original and its copies are never separated."""

from collections import Counter, defaultdict

import pytest

from sparring.data.manifest import count_originals, read_manifest, split_by_group
from sparring.errors import UserError
from sparring.settings.dataset import SplitFractions


def refusal(dataset, **settings) -> str:
    with pytest.raises(UserError) as caught:
        read_manifest(dataset.settings(**settings))
    message = str(caught.value)
    assert message.startswith(str(dataset.manifest))
    assert "\n" not in message
    return message


def row(sample, augmented=0, **columns):
    return {
        "sample_id": sample,
        "layout_path": f"{sample}.png",
        "is_augmented": augmented,
    } | columns


def originals(count=12, **columns):
    return [row(f"s{n}", **columns) for n in range(count)]


def split_of(dataset, **settings) -> dict[str, str]:
    return {e.row.sample_id: e.row.split for e in read_manifest(dataset.settings(**settings))}


def test_a_missing_manifest_says_which_key_names_it(dataset):
    message = refusal(dataset)
    assert "manifest cannot be read (No such file" in message
    assert "set datasets.<name>.manifest in config.yaml" in message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "has no column 'layout_path', found nothing"),
        ("layout_path\n", "manifest has no rows, expected one per layout"),
        ("path,split\na.png,train\n", "no column 'layout_path', found path, split; add it or set"),
        ("layout_path,split\na.png\n", "line 2: the number of cells differs from the header's 2"),
        ("layout_path\na.png,train\n", "line 2: the number of cells differs from the header's 1"),
        ('layout_path\n"' + "x" * 200_000 + "\n", "not a UTF-8 CSV file (field larger than"),
    ],
)
def test_a_manifest_that_is_no_table_of_layouts_is_refused(dataset, content, expected):
    dataset.manifest.write_text(content)
    assert expected in refusal(dataset)


def test_a_manifest_in_another_encoding_is_refused(dataset):
    dataset.manifest.write_bytes("layout_path\nKüche.png\n".encode("latin-1"))
    assert "not a UTF-8 CSV file" in refusal(dataset)


def test_a_byte_order_mark_is_no_part_of_the_first_column(dataset):
    """Spreadsheets write one."""
    lines = "\n".join(f"{n}.png" for n in range(5))
    dataset.manifest.write_text(f"\ufefflayout_path\n{lines}\n", encoding="utf-8")
    assert len(read_manifest(dataset.settings())) == 5


@pytest.mark.parametrize("value", ["maybe", "2", "-"])
def test_an_unclear_flag_is_refused(dataset, value):
    dataset.rows([*originals(), row("x", augmented=value)])
    assert f"is_augmented is {value!r}, expected 0 or 1" in refusal(dataset)


@pytest.mark.parametrize(
    ("value", "flag"), [("1", True), ("TRUE", True), ("yes", True), ("no", False)]
)
def test_flags_may_be_spelt_as_programs_spell_them(dataset, value, flag):
    dataset.rows(
        [row(f"s{n}", augmented=0, parent_id="") for n in range(9)]
        + [row("x", augmented=value, parent_id="s0")]
    )
    assert read_manifest(dataset.settings())[-1].row.is_augmented is flag


def test_an_original_without_an_image_is_refused_with_its_row(dataset):
    dataset.rows([*originals(), row("s99") | {"layout_path": ""}])
    message = refusal(dataset)
    assert "empty 'layout_path' (sample_id 's99'); fill it or remove the row" in message


def test_a_copy_without_an_image_is_left_out(dataset):
    """A dataset may have pictures of its copies at one size only."""
    copy = row("s0_flip", augmented=1, parent_id="s0") | {"layout_path": ""}
    dataset.rows([*originals(parent_id=""), copy])
    assert len(read_manifest(dataset.settings())) == 12


def test_a_sample_listed_twice_is_refused(dataset):
    dataset.rows([*originals(), row("s3")])
    assert "sample_id 's3' stands in 2 rows, expected one" in refusal(dataset)


def test_without_ids_the_image_s_path_names_the_sample(dataset):
    dataset.rows([{"layout_path": f"images/{n}.png"} for n in range(5)])
    entries = read_manifest(dataset.settings())
    assert entries[3].row.sample_id == entries[3].row.original_id == "images/3"


def test_further_columns_are_tolerated_and_another_column_may_name_the_images(dataset):
    rows = [r | {"transform": "id", "big": f"big/{n}.png"} for n, r in enumerate(originals())]
    dataset.rows(rows)
    assert read_manifest(dataset.settings())[2].layout_path == "s2.png"
    assert read_manifest(dataset.settings(layout_column="big"))[2].layout_path == "big/2.png"


def test_an_unknown_split_is_refused_with_those_there_are(dataset):
    dataset.rows([row(f"s{n}", split="validation" if n == 5 else "train") for n in range(9)])
    assert "split is 'validation', expected one of train, val, test" in refusal(dataset)


def test_a_split_without_rows_is_refused_with_the_counts(dataset):
    dataset.rows([row(f"s{n}", split="val" if n == 5 else "train") for n in range(9)])
    message = refusal(dataset)
    assert "split 'test' has no rows (train 8, val 1, test 0)" in message
    assert "leave the column out to have splits made by group" in message


def test_too_few_layouts_for_three_splits_are_refused(dataset):
    dataset.rows(originals(2))
    assert "split 'train' has no rows" in refusal(dataset)


def test_a_group_across_splits_is_refused(dataset):
    splits = ["train", "val", "test", "val"]
    dataset.rows([row(f"s{n}", split=s, group=f"g{n % 3}") for n, s in enumerate(splits)])
    message = refusal(dataset)
    assert "group g0 lies in splits train and val; a group must stay in one split" in message


def test_a_copy_in_another_split_than_its_original_is_refused(dataset):
    rows = [row(f"s{n}", split=s, parent_id="") for n, s in enumerate(["train", "val", "test"])]
    dataset.rows([*rows, row("copy", augmented=1, split="val", parent_id="s0")])
    assert "group s0 lies in splits train and val" in refusal(dataset)


def test_a_copy_of_nobody_knows_what_is_refused(dataset):
    dataset.rows([*originals(parent_id="", group=""), row("copy", 1, parent_id="", group="")])
    message = refusal(dataset)
    assert "copy is flagged is_augmented but neither 'parent_id' nor 'group' says" in message


def test_copies_of_nobody_knows_what_may_be_dropped(dataset):
    dataset.rows([*originals(), row("copy", augmented=1)])
    assert len(read_manifest(dataset.settings(augmented="drop"))) == 12


def test_a_manifest_of_copies_only_has_nothing_left_when_they_are_dropped(dataset):
    dataset.rows([row("copy", augmented=1, parent_id="s0")])
    assert "no rows are left with augmented: drop" in refusal(dataset, augmented="drop")


def test_parents_that_match_no_sample_are_refused(dataset):
    """Two spellings of one name would put an original and its copies into different groups."""
    copies = [row(f"c{n}", augmented=1, parent_id=f"images/s{n}.png") for n in range(12)]
    dataset.rows([*originals(parent_id=""), *copies])
    message = refusal(dataset)
    assert "parent_id 'images/s0.png' is the sample_id of no row" in message
    assert "spell both alike or add a group column" in message


def test_parents_that_form_a_circle_are_refused(dataset):
    circle = [row("a", augmented=1, parent_id="b"), row("b", augmented=1, parent_id="a")]
    dataset.rows([*originals(parent_id=""), *circle])
    assert "parent_id of a leads round in a circle (a -> b -> a)" in refusal(dataset)


def test_a_copy_in_another_group_than_its_original_is_refused(dataset):
    rows = [row(f"s{n}", parent_id="", group=f"g{n}") for n in range(12)]
    dataset.rows([*rows, row("copy", augmented=1, parent_id="s0", group="g5")])
    message = refusal(dataset)
    assert "copy is in group g5 but s0, of the same original, in g0" in message


# Each builds rows of one original `s{n}` and its copies, as manifests in the wild have them.
FAMILIES = {
    "parents": lambda n: [
        row(f"s{n}", parent_id=f"s{n}"),
        row(f"c{n}", 1, parent_id=f"s{n}"),
    ],
    "groups": lambda n: [row(f"s{n}", group=f"g{n}"), row(f"c{n}", 1, group=f"g{n}")],
    "groups of originals only": lambda n: [
        row(f"s{n}", parent_id="", group=f"g{n // 2}"),
        row(f"c{n}", 1, parent_id=f"s{n}", group=""),
    ],
    "copies of copies": lambda n: [
        row(f"s{n}", parent_id=""),
        row(f"c{n}", 1, parent_id=f"s{n}"),
        row(f"cc{n}", 1, parent_id=f"c{n}"),
    ],
    "copies of copies without a picture": lambda n: [
        row(f"s{n}", parent_id=""),
        row(f"c{n}", 1, parent_id=f"s{n}") | {"layout_path": ""},
        row(f"cc{n}", 1, parent_id=f"c{n}"),
    ],
    "copies first": lambda n: [row(f"c{n}", 1, parent_id=f"s{n}"), row(f"s{n}", parent_id="")],
}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())
def test_made_splits_never_separate_an_original_from_its_copies(dataset, family, seed):
    dataset.rows([member for n in range(40) for member in family(n)])
    entries = read_manifest(dataset.settings(split_seed=seed))
    splits, roots = defaultdict(set), defaultdict(set)
    for entry in entries:
        number = entry.row.sample_id.lstrip("sc")
        splits[number].add(entry.row.split)
        roots[number].add(entry.row.original_id)
    assert len(splits) == 40
    assert all(len(found) == 1 for found in splits.values())
    # The discriminator's own validation is cut by original_id, so twins must share it too.
    assert all(len(found) == 1 for found in roots.values())
    assert len({next(iter(found)) for found in roots.values()}) >= 20


def test_made_splits_keep_groups_whole_and_meet_their_fractions(dataset):
    dataset.rows([row(f"s{n}", group=f"g{n // 4}") for n in range(400)])
    split = split_of(dataset, split=SplitFractions(train=0.6, val=0.1, test=0.3))
    assert Counter(split.values()) == {"train": 240, "val": 40, "test": 120}
    assert all(split[f"s{4 * n}"] == split[f"s{4 * n + k}"] for n in range(100) for k in range(4))


def test_made_splits_follow_the_seed_and_nothing_else(dataset):
    dataset.rows(originals(50))
    first = split_of(dataset, split_seed=1)
    assert split_of(dataset, split_seed=1) == first
    assert split_of(dataset, split_seed=2) != first
    dataset.rows(originals(50)[::-1])
    assert split_of(dataset, split_seed=1) == first  # whatever the order of the rows


@pytest.mark.parametrize("count", [3, 5, 9])
def test_even_few_groups_give_every_split_some(count):
    splits = split_by_group([f"g{n}" for n in range(count)], SplitFractions(), seed=0)
    assert set(splits) == {"train", "val", "test"}


def test_originals_are_counted_without_their_copies(dataset):
    family = FAMILIES["parents"]
    dataset.rows(
        [
            member | {"split": s}
            for n, s in enumerate(["train", "train", "val", "test"])
            for member in family(n)
        ]
    )
    assert count_originals(read_manifest(dataset.settings())) == 2
    assert count_originals(read_manifest(dataset.settings()), "val") == 1
