"""Every figure that says how good a model is, one row each.

Tables, plots, the verdict and the report read these rows and have no list of their own; a new
figure is a row here and what computes it. Nothing heavy is imported: the report reads them too.
"""

from dataclasses import dataclass
from typing import Literal

Better = Literal["lower", "higher", "real"]
"""`real`: the nearer to what reals have, the better."""
Compares = Literal["mean", "gap", "total_variation", "mean_difference"]


@dataclass(frozen=True)
class Metric:
    """A figure: what it is called, which way is better and what it has a say in."""

    name: str
    """Its column; one that ends in `_` stands for all that begin so, as `share_bedroom`."""
    title: str
    better: Better
    caption: str
    called: str = ""
    """In the verdict's sentence. A figure with such a name decides, and is plotted."""
    heading: str = ""
    """In the table for a terminal; without one it is not shown there."""
    margin: float | None = None
    """Of a guard: by how much a model may be worse than its control."""
    beside_null: Literal["", "above_null", "to_null"] = ""
    """Also shown minus the figure of real against real, or as a share of it."""
    column: str = ""
    """Of a figure of decoded layouts: the statistic that it is made of, one value per layout."""
    compares: Compares = "mean"
    """What becomes of that column. `mean`: that of the samples alone. `gap`: |mean - the reals'|.
    `total_variation`: half the sum of |mean - the reals'| over its entries. `mean_difference`: the
    mean of that over the entries that occur in either."""


METRICS = (
    Metric("auc_linear", "two-sample AUC, linear", "lower",
           "fresh linear judges against held-out reals; 0.5 is chance",
           called="AUC", heading="AUC"),
    Metric("kernel", "kernel distance (MMD²)", "lower", "of features to held-out reals",
           called="kernel distance", heading="kernel", beside_null="above_null"),
    Metric("decoded_auc_linear", "two-sample AUC, decoded", "lower",
           "against original held-out reals", called="decoded AUC", heading="decoded AUC"),
    Metric("decoded_kernel", "kernel distance, decoded", "lower",
           "against original held-out reals",
           called="decoded kernel distance", heading="decoded kernel"),
    Metric("auc_cnn", "two-sample AUC, cnn", "lower",
           "fresh convolutional judges against held-out reals; 0.5 is chance", margin=0.05),
    Metric("frechet", "Fréchet distance", "lower",
           "of feature means and covariances, to held-out ones", beside_null="above_null"),
    Metric("precision", "precision", "higher", "share of samples that lie among the reals",
           beside_null="to_null"),
    Metric("recall", "recall", "higher", "share of reals that lie among the samples",
           beside_null="to_null"),
    Metric("density", "density", "higher", "how densely samples lie among the reals",
           beside_null="to_null"),
    Metric("coverage", "coverage", "higher", "share of reals with a sample near by",
           heading="coverage", margin=0.05, beside_null="to_null"),
    Metric("memorisation", "memorisation share", "lower", "nearer to training reals; 0.5 without",
           heading="memorised", margin=0.05),
    Metric("latent_mean", "mean of latents", "real", "root mean square over channels"),
    Metric("latent_std", "std of latents", "real", "root mean square over channels", heading="std"),
    Metric("palette_purity", "palette purity", "higher",
           "how near colours are to those of the classes", column="palette_purity"),
    Metric("head_agreement", "head agreement", "higher",
           "colours and segmentation head say the same", column="head_agreement"),
    Metric("closed", "closed apartments", "real",
           "share of layouts that walls and doors close off", heading="closed", column="closed"),
    Metric("closed_open_doors", "closed with doors open", "real",
           "share of layouts without a way in", column="closed_open_doors"),
    Metric("rooms", "rooms", "real", "regions that walls and doors part",
           heading="rooms", column="rooms"),
    Metric("rooms_open", "rooms, doors open", "real", "regions that no wall parts",
           column="rooms_open"),
    Metric("straight_walls", "straight walls", "real", "share of wall pixels whose wall goes on",
           column="straight_walls"),
    Metric("isolated_pixels", "isolated pixels", "real", "pixels unlike all their neighbours",
           heading="isolated", column="isolated_pixels"),
    Metric("specks", "specks", "real", "regions of one class too small to be anything",
           column="specks"),
    Metric("boundary_length", "boundary length", "real", "length of the lines between classes",
           column="boundary_length"),
    Metric("closed_gap", "closed apartments, gap", "lower", "to the share among held-out reals",
           margin=0.05, column="closed", compares="gap"),
    Metric("rooms_gap", "rooms, gap", "lower", "to held-out reals",
           column="rooms", compares="gap"),
    Metric("straight_walls_gap", "straight walls, gap", "lower", "to held-out reals",
           margin=0.05, column="straight_walls", compares="gap"),
    Metric("isolated_gap", "isolated pixels, gap", "lower", "to held-out reals",
           column="isolated_pixels", compares="gap"),
    Metric("specks_gap", "specks, gap", "lower", "to held-out reals",
           column="specks", compares="gap"),
    Metric("boundary_gap", "boundary length, gap", "lower", "to held-out reals",
           column="boundary_length", compares="gap"),
    Metric("class_distance", "class frequencies, distance", "lower", "to held-out reals",
           margin=0.05, column="class_shares", compares="total_variation"),
    Metric("adjacency_distance", "room adjacencies, distance", "lower", "to held-out reals",
           margin=0.05, column="adjacencies", compares="mean_difference"),
    Metric("component_distance", "regions per class, distance", "lower", "to held-out reals",
           column="components", compares="mean_difference"),
    Metric("share_", "share of pixels", "real", "of decoded samples"),
    Metric("segmentation_accuracy", "segmentation accuracy", "higher", "of one-step predictions"),
    Metric("inception_frechet", "Fréchet distance, Inception", "lower", "of decoded pictures"),
    Metric("inception_kernel", "kernel distance, Inception", "lower", "of decoded pictures"),
    Metric("gradient_ratio", "gradient energy, ratio", "real",
           "to held-out volumes; below 1 blurred", heading="gradient"),
    Metric("gradient_gap", "gradient energy, gap", "lower",
           "|log2| of the ratio to held-out volumes"),
    Metric("hu_distance", "HU histogram, distance", "lower",
           "Wasserstein, in HU, to held-out volumes", heading="HU distance"),
    Metric("tissue_distance", "HU ranges, distance", "lower", "of shares, to held-out volumes",
           margin=0.05),
    Metric("tissue_", "share of voxels", "real", "in a range of HU, of decoded samples"),
)  # fmt: skip


def metric_of(column: str) -> tuple[Metric, str] | None:
    """The figure that a column of a table shows, and what else its name says (`above null`, or the
    member of a family); None for a column that no figure has."""
    fitting = [
        m for m in METRICS if column == m.name or column.startswith(f"{m.name.rstrip('_')}_")
    ]
    if not fitting:
        return None
    found = max(fitting, key=lambda m: len(m.name))
    return found, column[len(found.name) :].strip("_").replace("_", " ")
