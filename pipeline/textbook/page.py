"""docs/textbook.md."""

from collections.abc import Iterable, Iterator, Sequence

from pipeline.textbook.exercises import Measured
from pipeline.textbook.figures import Listing

HEAD = """\
# The chapter, recomputed

Every listing of the chapter, 3-1 to 3-31: what it shows, what the book prints, what this pipeline
gives, and to how many of its digits the book agrees with ours when both are rounded to as many.
`dvc repro textbook` writes this page, the
pictures and metrics/textbook.json; the numbers are those of the last run, rounded for reading.

The mistakes of the chapter stand beside the listing they belong to, and together at the end.
"""

WRONG = """\
## Where the chapter is wrong

- Labels: it calls target 0 healthy and 1 cancer. In this data 0 is malignant and 1 benign (357 of
  569 rows), so sensitivity must be that of label 0.
- 3-26 fits the scaler a second time on the test rows: leakage; 3-31 shows what it is worth.
- The accuracy 0.9479 of 3-31 is no multiple of 1/114: a misprint.
- 3-5 as listed prints every 2 millionth epoch from 0; the figures shown are of 1, 2, ... 5 million.
- Eq. 3-6 to 3-8 leave out the 1/N that the code of 3-5 has.
- The house data are called six rows in one place, eight in another.
- 3-14 prints a name that it never defines.
- The house prices are trained and judged on the same six rows. The pipeline names such scores
  `train_...` and gives the leave-one-out error beside them.
- The mean of the lines through all pairs (3-3) stands for the solution; its mean squared error is
  70.89, that of least squares 42.87.
"""


def page(
    listings: Sequence[Listing], variants: Iterable[Measured], counts: Iterable[Measured]
) -> str:
    """The whole page as Markdown."""
    return "\n".join([HEAD, *_listings(listings), *_exercises(variants, counts), WRONG])


def _listings(listings: Sequence[Listing]) -> Iterator[str]:
    for listing in listings:
        yield f"## Listing {listing.numbers}\n"
        yield f"{listing.shows}.\n"
        yield "| | the book | ours | digits that agree |\n|---|---|---|---|"
        for figure in listing.figures:
            yield f"| {figure.name} | {figure.book} | {figure.shown} | {figure.agreement} |"
        yield ""
        for remark in listing.remarks:
            yield f"- {remark}"
        if listing.remarks:
            yield ""


def _exercises(variants: Iterable[Measured], counts: Iterable[Measured]) -> Iterator[str]:
    yield """\
## Exercise: epochs, learning rate, threshold

Can BCPM's accuracy be raised? Each row changes the chapter's params (lr 0.1, 100 epochs, all rows a
step) as `dvc exp run` would, and is judged by cross-validation, 5 folds five times over, on the 455
training rows; mean and standard deviation over the 25 folds. The 114 test rows decide nothing: who
picks the params by them has nothing left to judge with.

| params that differ | accuracy | ± |
|---|---|---|"""
    for row in variants:
        yield _row(row)
    yield """
Differences of less than a standard deviation are no finding: on these rows most settings that train
long enough are equally good. Try one: `dvc exp run -S epochs=1000`, then `dvc metrics diff`.

params.yaml sets batch_size 32 for breast_cancer (datasets.breast_cancer.descent): of the rows above
that leave lr, epochs and optimizer to the command line it has the highest accuracy. The 114 test
rows had no part in that choice.

lr 1.0 is above the largest stable rate that a training warns with, 0.61 on these rows. For
cross-entropy that bound is safe, not sharp: it takes each row to be as steep as a row at the
border. For the squared error of the house prices it is sharp, and lr 1.0 spoils those.

## Exercise: fewer features

BCPM on features drawn at random by `seed`, 20 draws for each count, judged by 5 folds of the
training rows; mean and standard deviation over the draws. With all 30 nothing is drawn, so nothing
deviates, and the accuracy is that of a single division into folds.

| params that differ | accuracy | ± |
|---|---|---|"""
    for row in counts:
        yield _row(row)
    yield """
Accuracy falls with the features taken away, slowly at first, for many of them say the same thing;
with few it matters which ones the draw left. Several draws (`seed` draws the split, too):
`dvc exp run --queue -S seed=1,2,3 -S 'datasets.breast_cancer.features={random: 20}'`, then
`dvc queue start`.

## Exercise: a learning rate too small, good, too large

![Loss by epoch for six learning rates, and the loss after 100 epochs by learning rate, with the
largest stable rate marked](learning_rates.png)

On the standardized area the Hessian of the mean squared error is twice the identity, so the largest
stable rate is 1 and lr 0.5 reaches the minimum in one step. Below 0.03, 100 epochs are too few.
Near 1 the loss falls slowly because each step overshoots by almost as much as it corrects; above,
it grows. `dvc exp run -S lr=1.01` warns with the bound before it trains; where the loss goes beyond
all numbers (`-S lr=1e100`) the stage ends with exit code 3 and no model.
"""


def _row(measured: Measured) -> str:
    what = f"`{measured.what}`" if measured.what.startswith("-S") else measured.what
    return f"| {what} | {measured.mean:.4f} | {measured.deviation:.4f} |"
