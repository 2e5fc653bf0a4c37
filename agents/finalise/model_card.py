"""The card of a network: what it is for, what it was made from, how good it is, what it lacks."""

from typing import Any

from agents.finalise.grid import describe
from agents.finalise.outcome import Finalised
from nas_env.tasks.drawing import draw_text


def model_card(done: Finalised, figures: dict[str, Any]) -> str:
    """The card as Markdown."""
    channels, height, width = done.data.image_shape
    images = figures["images"]
    filters = done.settings.more_filters
    widened = f", with {filters} more filters in every convolution" if filters else ""
    return f"""# A network for {done.dataset}

Says which of {len(done.data.classes)} classes a picture shows: {", ".join(done.data.classes)}.

Pictures are brought to {width}x{height} pixels, {"colour" if channels == 3 else "grey"}, and each
is standardised by its own mean and deviation. Use:

```python
import nas_env

network = nas_env.load("{done.folder}")
print(network.predict("picture.png"))
```

## How good it is

{_accuracy(done)}

## Where it comes from

* Search: {done.source.what}. Taken: {done.winner.name}{widened}.
* Choice: {_choice(done)}
* Training: recipe `{done.recipe.name}`, {done.recipe.epochs} epochs, on {images["train"]:,}
  pictures; the weights are those of epoch {done.trained[0].curves.best_epoch}, the best by
  validation.
* Data: `{done.dataset}`, {images["train"]:,} training and {images["validation"]:,}
  validation pictures. No test picture was used for any choice.
* Size: {done.cost.parameters:,} parameters, {done.cost.macs:,} multiply-accumulates a picture,
  {figures["file_bytes"] / 1e6:.2f} MB, {figures["milliseconds_per_picture"]} ms a picture on
  {figures["hardware"].get("processor")} ({done.network.device.type}).

```text
{draw_text(done.architecture)}
```

## What it cannot do

It knows the classes above alone and always names one of them, for a picture of anything else too.
Its probabilities were not calibrated. The figures hold for pictures like those of the data set, not
for others.

## To repeat it

```bash
{figures["command"]}
```

nas_env {figures["versions"]["nas_env"]}, torch {figures["versions"]["torch"]}; the recipe in
full, all curves and all figures are in `figures.json`; the identity of the weights is
`{figures["weights"]}`.
"""


def _accuracy(done: Finalised) -> str:
    validation = (
        f"* Validation: {100 * done.validation:.2f}% of {len(done.data.valid_labels):,} pictures. "
        "The network was chosen by these pictures, so this figure is too good."
    )
    reading = done.reading
    if reading is None:
        return f"* Test: not measured, {done.no_test}.\n{validation}"
    low, high = reading.interval
    line = (
        f"* Test: **{100 * reading.accuracies[0]:.2f}%** of {reading.count:,} pictures that "
        f"nothing had seen (95% interval {100 * low:.2f}% to {100 * high:.2f}%), read on "
        f"{reading.date}."
    )
    if reading.forced:
        line += (
            "\n* **This was not the first reading of the test part for this search**, so the "
            "figure may be too good. Earlier ones: " + "; ".join(reading.earlier) + "."
        )
    if len(reading.accuracies) > 1:
        others = ", ".join(f"{100 * one:.2f}%" for one in reading.accuracies[1:])
        line += f"\n* The same training with other seeds, in the same reading: {others}."
    return f"{line}\n{validation}"


def _choice(done: Finalised) -> str:
    first = done.retrained[0]
    if first.evaluations:
        words = (
            f"of the {len(done.retrained)} best of the search, the best by the mean of "
            f"{len(first.evaluations)} trainings with other seeds ({first.score:.4f})"
        )
    else:
        words = "the best of the search" if first.candidate.child else "the file's architecture"
    grid = f"; of {len(done.grid)} settings tried: {describe(done.point)}" if done.grid else ""
    return f"{words}{grid}."
