"""The card of a network: what it is for, what it was made from, how good it is, what it lacks."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any

from agents.finalise.grid import describe
from agents.finalise.outcome import Finalised
from nas_env.tasks.drawing import draw_text

WIDTH = 100
"""Of a line."""


def model_card(done: Finalised, figures: dict[str, Any]) -> str:
    """The card as Markdown."""
    channels, height, width = done.data.image_shape
    colour = "colour" if channels == 3 else "grey"
    about = (
        f"Says which of {len(done.data.classes)} classes a picture shows: "
        f"{', '.join(done.data.classes)}. Pictures are brought to {width}x{height} pixels, "
        f"{colour}, and each is standardised by its own mean and deviation."
    )
    return f"""# A network for {done.title}

{fill(about, WIDTH)}

```python
import nas_env

network = nas_env.load("{done.folder}")
print(network.predict("picture.png"))
```

## How good it is

{_listed(_accuracy(done))}

## Where it comes from

{_listed(_origin(done, figures))}

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

nas_env {figures["versions"]["nas_env"]}, torch {figures["versions"]["torch"]}. The recipe in full,
all curves and all figures are in `figures.json`. Identity of the weights:
`{figures["weights"]}`.
"""


def _origin(done: Finalised, figures: dict[str, Any]) -> list[str]:
    images = figures["images"]
    filters = done.settings.more_filters
    widened = f", with {filters} more filters in every convolution" if filters else ""
    return [
        f"Search: {done.source.what}. Taken: {done.winner.name}{widened}.",
        f"Choice: {_choice(done)}",
        f"Training: recipe `{done.recipe.name}`, {done.recipe.epochs} epochs, on "
        f"{images['train']:,} pictures; the weights are those of epoch "
        f"{done.trained[0].curves.best_epoch}, the best by validation.",
        f"Data: `{done.dataset}`, {images['train']:,} training and {images['validation']:,} "
        "validation pictures. No test picture was used for any choice.",
        f"Size: {done.cost.parameters:,} parameters, {done.cost.macs:,} multiply-accumulates a "
        f"picture, {figures['file_bytes'] / 1e6:.2f} MB, {figures['milliseconds_per_picture']} ms "
        f"a picture on {figures['hardware'].get('processor')} ({done.network.device.type}).",
    ]


def _listed(items: Sequence[str]) -> str:
    """A list in Markdown, its lines not longer than ``WIDTH``."""
    return "\n".join(fill(f"* {item}", WIDTH, subsequent_indent="  ") for item in items)


def _accuracy(done: Finalised) -> list[str]:
    validation = (
        f"Validation: {100 * done.validation:.2f}% of {len(done.data.valid_labels):,} pictures. "
        "The network was chosen by these pictures, so this figure is too good."
    )
    reading = done.reading
    if reading is None:
        return [f"Test: not measured, {done.no_test}.", validation]
    low, high = reading.interval
    lines = [
        f"Test: **{100 * reading.accuracies[0]:.2f}%** of {reading.count:,} pictures that nothing "
        f"had seen (95% interval {100 * low:.2f}% to {100 * high:.2f}%), read on {reading.date}."
    ]
    if reading.forced:
        lines.append(
            "**This was not the first reading of the test part for this search**, so the figure "
            f"may be too good. Earlier ones: {'; '.join(reading.earlier)}."
        )
    if len(reading.accuracies) > 1:
        others = ", ".join(f"{100 * one:.2f}%" for one in reading.accuracies[1:])
        lines.append(f"The same training with other seeds, in the same reading: {others}.")
    return [*lines, validation]


def _choice(done: Finalised) -> str:
    first = done.retrained[0]
    if first.evaluations:
        words = (
            f"of the {len(done.retrained)} best of the search, the best by its trainings with "
            f"other seeds ({len(first.evaluations)} each, mean {first.score:.4f})"
        )
    else:
        words = "the best of the search" if first.candidate.child else "the file's architecture"
    grid = f"; of {len(done.grid)} settings tried: {describe(done.point)}" if done.grid else ""
    return f"{words}{grid}."
