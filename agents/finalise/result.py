"""What a finalised search leaves on disk, beside its network: figures, card, report, picture."""

import json
import statistics
import time
from dataclasses import asdict
from typing import Any

import torch

from agents.finalise.confusion import confusions, draw_confusion
from agents.finalise.grid import describe
from agents.finalise.model_card import model_card
from agents.finalise.outcome import Finalised
from agents.records.averages import estimate
from agents.records.provenance import command_line, hardware, versions
from agents.reports import facts
from agents.reports.chart import COLOURS, Axes, Chart, Series, chart
from agents.reports.page import render
from agents.reports.ticks import clock, short
from nas_env.network.file import FILE
from nas_env.system.files import write_durably
from nas_env.tasks.drawing import draw_figure
from nas_env.tasks.kinds import CONV

FIGURES, CARD, REPORT = "figures.json", "model_card.md", "report.html"
LATENCY_RUNS = 20


def write_result(done: Finalised) -> None:
    """Write ``figures.json``, ``model_card.md``, ``report.html`` and the architecture.

    Raises:
        OSError: they cannot be written.
    """
    figures = figures_of(done)
    folder = done.folder
    write_durably(folder / "architecture.json", _pretty(done.architecture.to_json()))
    write_durably(folder / FIGURES, _pretty(figures))
    write_durably(folder / CARD, model_card(done, figures).encode())
    write_durably(folder / REPORT, _report(done, figures).encode())


def figures_of(done: Finalised) -> dict[str, Any]:
    """Everything that was measured, as JSON."""
    reading = done.reading
    return {
        "dataset": done.dataset,
        "classes": list(done.data.classes),
        "images": {
            "train": len(done.data.train_labels),
            "validation": len(done.data.valid_labels),
            "test": reading.count if reading else 0,
            "shape": list(done.data.image_shape),
        },
        "search": done.source.what,
        "candidates": [
            {
                "child": one.candidate.child,
                "search_accuracy": one.candidate.metric,
                "accuracies": [e.metric for e in one.evaluations],
                "architecture": one.candidate.architecture.to_json(),
            }
            for one in done.retrained
        ],
        "grid": [{**point, "accuracy": e.metric} for point, e in done.grid],
        "chosen": done.point,
        "more_filters": done.settings.more_filters,
        "recipe": asdict(done.recipe),
        "trainings": [
            {
                "seed": one.seed,
                "best_epoch": one.curves.best_epoch,
                "validation_accuracy": one.accuracy,
                **asdict(one.curves),
            }
            for one in done.trained
        ],
        "validation_accuracy": done.validation,
        "test": asdict(reading) | {"interval_95": reading.interval} if reading else None,
        "no_test": done.no_test,
        "parameters": done.cost.parameters,
        "macs": done.cost.macs,
        "file_bytes": (done.folder / FILE).stat().st_size,
        "milliseconds_per_picture": _latency_ms(done),
        "weights": done.network.file.digest(),
        "command": command_line(),
        "versions": versions(),
        "hardware": hardware(),
        "written": time.strftime("%Y-%m-%d %H:%M:%S %z"),
    }


def _latency_ms(done: Finalised) -> float:
    """Median of one picture at a time, on the device of the training."""
    image = done.data.valid_images[:1]
    times = []
    for _ in range(LATENCY_RUNS):
        started = time.perf_counter()
        done.network.logits(image)  # comes back to the CPU: nothing is left to wait for
        times.append(time.perf_counter() - started)
    return round(1000 * statistics.median(times), 3)


def _report(done: Finalised, figures: dict[str, Any]) -> str:
    reading, curves = done.reading, done.trained[0].curves
    confusion = None if reading is None else draw_confusion(reading.confusion, done.data.classes)
    return render(
        "final.html.j2",
        title=f"A network for {done.title}",
        refresh_s=0,
        subtitle=f"{done.source.what} · {done.winner.name} · recipe {done.recipe.name}, "
        f"{done.recipe.epochs} epochs",
        tiles=_tiles(done, figures),
        reading=reading,
        interval="" if reading is None else "{:.4f} to {:.4f}".format(*reading.interval),
        no_test=done.no_test,
        finals=_final_rows(done),
        curves=_curves(done),
        best_epoch=curves.best_epoch,
        confusion="" if confusion is None else confusion.svg(),
        confusions=[] if reading is None else confusions(reading.confusion, done.data.classes),
        picture=draw_figure(done.architecture).svg(),
        candidates=_candidate_rows(done),
        grid=[[describe(point), _metric(e.metric)] for point, e in done.grid],
        grid_note=_grid_note(done),
        costs=_costs(done, figures),
        recipe=json.dumps(figures["recipe"], indent=1),
        origin=[
            ("written", figures["written"]),
            ("command", figures["command"]),
            ("versions", facts.versions_line(figures["versions"])),
            ("hardware", facts.hardware_line(figures["hardware"])),
            ("weights", figures["weights"]),
        ],
    )


def _tiles(done: Finalised, figures: dict[str, Any]) -> list[tuple[str, str]]:
    shown = []
    if done.reading is not None:
        shown.append((f"{100 * done.reading.accuracies[0]:.2f}%", "of the test images"))
    seconds = sum(sum(one.curves.seconds) for one in done.trained)
    return [
        *shown,
        (f"{100 * done.validation:.2f}%", "of the validation images"),
        (short(done.cost.parameters), "parameters"),
        (short(done.cost.macs), "multiply-accumulates a picture"),
        (f"{figures['milliseconds_per_picture']:.1f} ms", "a picture, on this machine"),
        (clock(seconds), "of training to the end (m:ss)" if seconds < 3600 else "of training"),
    ]


def _curves(done: Finalised) -> list[Chart]:
    losses, accuracies = [], []
    for number, one in enumerate(done.trained):
        epochs = range(1, len(one.curves.losses) + 1)
        name = f"seed {one.seed % 10_000:04d}{' (kept)' * (number == 0)}"
        name = name if len(done.trained) > 1 else ""
        colour = COLOURS[number % len(COLOURS)]
        losses.append(Series(name, epochs, one.curves.losses, colour))
        accuracies.append(Series(name, epochs, one.curves.accuracies, colour))
    return [
        chart("training loss", Axes("epoch", "mean loss of an epoch"), losses),
        chart("validation accuracy", Axes("epoch", "accuracy (fraction)"), accuracies),
    ]


def _final_rows(done: Finalised) -> list[list[str]]:
    tests = done.reading.accuracies if done.reading else ()
    rows = []
    for number, one in enumerate(done.trained):
        kept = "kept" if number == 0 else ""
        test = f"{tests[number]:.4f}" if tests else "-"
        row = [str(one.seed), f"{one.accuracy:.4f}", str(one.curves.best_epoch), test, kept]
        rows.append(row)
    if len(tests) > 1:
        mean = estimate([one.accuracy for one in done.trained])
        rows.append(["mean ± standard error", str(mean), "", str(estimate(tests)), ""])
    return rows


def _candidate_rows(done: Finalised) -> list[list[str]]:
    return [
        [
            one.candidate.name,
            _metric(one.candidate.metric),
            str(estimate(one.metrics)) if one.metrics else "-",
            f"{len(one.metrics)} of {len(one.evaluations)}" if one.evaluations else "-",
            CONV.summary(one.candidate.architecture),
        ]
        for one in done.retrained
    ]


def _grid_note(done: Finalised) -> str:
    if not done.grid:
        return "No grid: the recipe was taken as it is."
    return (
        f"One training each by the recipe of the search, on {done.winner.name}; taken: "
        f"{describe(done.point)}. Factors multiply the recipe's own values."
    )


def _costs(done: Finalised, figures: dict[str, Any]) -> list[tuple[str, str]]:
    seconds = sum(sum(one.curves.seconds) for one in done.trained)
    tried = [e for one in done.retrained for e in one.evaluations] + [e for _, e in done.grid]
    before = sum(evaluation.train_seconds for evaluation in tried)
    threads = f"{done.network.device.type}, {torch.get_num_threads()} thread(s)"
    return [
        ("parameters", f"{done.cost.parameters:,}"),
        ("multiply-accumulates", f"{done.cost.macs:,} a picture of {done.data.image_shape}"),
        ("file", f"{figures['file_bytes'] / 1e6:.2f} MB"),
        ("a picture", f"{figures['milliseconds_per_picture']} ms, one at a time, {threads}"),
        ("candidates and grid", f"{len(tried)} trainings, {before:,.0f} s"),
        ("training to the end", f"{len(done.trained)} trainings, {seconds:,.0f} s"),
    ]


def _metric(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _pretty(value: Any) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()
