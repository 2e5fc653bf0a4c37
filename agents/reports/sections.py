"""The parts of a report that are words and tables: summary, architectures, failures, origin."""

import json
from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Any

from agents.records.episode import Episode, best_of
from agents.records.run_folder import describe, picture_of
from agents.reports.averages import window_of
from agents.reports.curves import by_agent
from agents.reports.data import Found, RunRecord
from agents.reports.page import details, note, pairs, section, table, tile
from agents.reports.summary import estimate
from agents.reports.ticks import clock, short
from nas_env.errors import NasEnvError
from nas_env.space.architecture_json import architecture_from_json
from nas_env.tasks.kinds import kind_of

TOP = 20
"""Architectures in the table."""
LINE = 54
"""Characters of an architecture in the table."""


def budget(record: RunRecord) -> str:
    """How far the run was to go, in words."""
    limits = []
    if record.config.get("children"):
        count = record.config["children"]
        limits.append(f"{count:,} child{'ren' * (count != 1)}")
    if record.config.get("hours"):
        limits.append(f"{record.config['hours']:g} hours")
    return " or ".join(limits) or "not recorded"


def tiles(records: Sequence[RunRecord]) -> str:
    """The figures that people look for first."""
    first, window = records[0], window_of([record.run for record in records])
    episodes = [episode for record in records for episode in record.episodes]
    name, best = first.metric_name, best_of(episodes)
    failed = sum(episode.state == "failed" for episode in episodes)
    seconds = [record.elapsed_s for record in records if record.elapsed_s is not None]
    shown = [tile("none" if best is None else f"{best.metric:.4f}", f"best {name} of a child")]
    recent = first.run.block(-window, len(first.run.metrics)) if len(records) == 1 else ()
    if len(episodes) > 1 and recent:
        last = min(window, len(episodes))
        shown.append(tile(f"{estimate(recent).mean:.4f}", f"mean of the last {last} children"))
    if best is not None and best.parameters:
        shown.append(tile(short(best.parameters), "parameters of that child"))
    shown.append(
        tile(f"{len(episodes):,}", f"child{'ren' * (len(episodes) != 1)}, {failed:,} failed")
    )
    if seconds:
        together = " of all runs together" if len(records) > 1 else ""
        unit = "h:mm:ss" if sum(seconds) >= 3599.5 else "m:ss"
        shown.append(tile(clock(sum(seconds)), f"duration{together} ({unit})"))
        shown.append(
            tile(f"{60 * len(episodes) / max(sum(seconds), 1e-9):,.1f}", "children a minute")
        )
    return f"<div class='tiles'>{''.join(shown)}</div>"


def run_table(records: Sequence[RunRecord]) -> str:
    """Several runs: a line each, and a line for each agent."""
    window = window_of([record.run for record in records])
    name = records[0].metric_name
    rows = []
    for record in records:
        run = record.run
        children, best = len(run.metrics), run.best(len(run.metrics))
        recent = run.block(-window, children)
        rows.append(
            [
                run.agent,
                str(run.seed),
                f"{children:,}",
                f"{children - len(run.block(0, children)):,}",
                "-" if best is None else f"{best:.4f}",
                f"{estimate(recent).mean:.4f}" if recent else "-",
                "-" if record.elapsed_s is None else clock(record.elapsed_s),
                str(run.folder),
            ]
        )
    heads = ["agent", "#seed", "#children", "#failed", f"#best {name}"]
    heads += [f"#mean of last {window}", "#duration", "folder"]
    agents = []
    for agent, group in by_agent(records).items():
        runs = [record.run for record in group]
        bests = [best for run in runs if (best := run.best(len(run.metrics))) is not None]
        lasts = [run.block(-window, len(run.metrics)) for run in runs]
        means = [estimate(last).mean for last in lasts if last]
        agents.append([agent, str(len(runs)), str(estimate(bests)), str(estimate(means))])
    agent_heads = ["agent", "#seeds", f"#best {name}", f"#mean of last {window}"]
    return section(
        "Runs",
        table(agent_heads, agents),
        note("Mean over seeds ± one standard error."),
        table(heads, rows),
    )


def architectures(found: Sequence[Found]) -> str:
    """The best and the median architecture, drawn.

    The best by the mean over its children need not be that of the best child.
    """
    if not found:
        return section("Architectures", note("No child was trained to its end."))
    median = found[len(found) // 2]
    parts = [
        _drawn("Best" if all(one.times == 1 for one in found) else "Best on average", found[0])
    ]
    if median is not found[0]:
        parts.append(_drawn(f"Median of {len(found):,} different architectures", median))
    return section("Architectures", f"<div class='drawings'>{''.join(parts)}</div>")


def _drawn(title: str, one: Found) -> str:
    name = one.record.metric_name
    child = f"child {one.episode.number} of {one.record.name}"
    facts = f"{name} {one.metric:.4f}, {child}"
    if one.times > 1:
        facts = f"{name} {one.metric:.4f}, mean of {one.times:,} children, the first {child}"
    if one.episode.parameters:
        facts += f", {one.episode.parameters:,} parameters"
    if one.macs:
        facts += f", {one.macs:,} MACs"
    return (
        f"<figure><h3>{escape(title)}</h3><div class='drawing'>{_picture(one.episode)}</div>"
        f"<figcaption class='note'>{escape(facts)}</figcaption></figure>"
    )


def _picture(episode: Episode) -> str:
    picture = picture_of(episode)
    return f"<pre>{escape(describe(episode))}</pre>" if picture is None else picture.svg()


def top_table(found: Sequence[Found], several: bool) -> str:
    """The best different architectures with what they cost."""
    if not found:
        return ""
    top = found[:TOP]
    name = found[0].record.metric_name
    columns: dict[str, list[str]] = {
        "#rank": [str(rank) for rank in range(1, len(top) + 1)],
        f"#{name}": [f"{one.metric:.4f}" for one in top],
        "#reward": [f"{one.episode.reward:.4f}" for one in top],
    }
    if any(one.episode.parameters for one in top):
        columns["#parameters"] = [_known(one.episode.parameters) for one in top]
    if any(one.macs for one in top):
        columns["#MACs"] = [_known(one.macs) for one in top]
    columns["#seconds"] = [f"{one.episode.train_seconds:.1f}" for one in top]
    columns["#times"] = [str(one.times) for one in top]
    columns["#child"] = [str(one.episode.number) for one in top]
    if several:
        columns["run"] = [one.record.name for one in top]
    columns["architecture"] = [details(_in_short(o.episode), describe(o.episode)) for o in top]
    title = f"Top {len(top)} of {len(found):,} different architectures"
    return section(
        title if len(found) > 1 else "The only architecture",
        table([*columns], zip(*columns.values(), strict=True), raw=[len(columns) - 1]),
        note(
            "Metric: on validation data, mean over all children that had this architecture (times);"
            " reward, seconds and child: of the first. Test data is out of a search's reach."
        ),
    )


def _known(count: int) -> str:
    return f"{count:,}" if count else "-"


def _in_short(episode: Episode) -> str:
    """One line to click on."""
    try:
        architecture = architecture_from_json(json.loads(episode.architecture))
    except (NasEnvError, ValueError):
        return "tokens"
    line = kind_of(architecture).summary(architecture)
    return line if len(line) <= LINE else f"{line[: LINE - 3]}..."


def failures(records: Sequence[RunRecord]) -> str:
    """How many children failed of what, with an example."""
    failed = [
        episode for record in records for episode in record.episodes if episode.state == "failed"
    ]
    total = sum(len(record.episodes) for record in records)
    if not failed:
        return section("Failures", note(f"None of {total:,} children failed."))
    counts = Counter(episode.failure or "error" for episode in failed)
    rows = []
    for kind, count in counts.most_common():
        example = next(episode for episode in failed if (episode.failure or "error") == kind)
        message = escape(f"child {example.number}: {example.message or 'no message'}")
        rows.append([kind, f"{count:,}", f"{100 * count / total:.1f}%", message])
    return section(
        "Failures",
        table(["type", "#children", "#of all", "for example"], rows, raw=[3]),
        note("A failed child earns reward 0 and has no metric."),
    )


def origin(records: Sequence[RunRecord]) -> str:
    """Command, versions, hardware and configuration of each run."""
    return section("Where this comes from", *map(_origin, records))


def _origin(record: RunRecord) -> str:
    config = record.config
    command = config.get("command_line", "not recorded")
    parts = [f"<h3>{escape(str(record.run.folder))}</h3><pre class='wrap'>{escape(command)}</pre>"]
    if repeat := config.get("repeat"):
        parts.append(note("With every resolved option, to repeat it in another folder:"))
        parts.append(f"<pre class='wrap'>{escape(str(repeat))}</pre>")
    versions = ", ".join(f"{k} {v}" for k, v in config.get("versions", {}).items() if v)
    parts.append(
        pairs(
            [
                ("begun", str(config.get("created", "not recorded"))),
                ("versions", versions or "not recorded"),
                ("hardware", hardware_line(config.get("hardware"))),
            ]
        )
    )
    parts.append(details("config.json", json.dumps(config, indent=1)))
    return "".join(parts)


def hardware_line(hardware: Any) -> str:
    """The machine in one line."""
    if not isinstance(hardware, dict):
        return "not recorded"
    gpus = ", ".join(hardware.get("gpus") or []) or "no GPU in use"
    return (
        f"{hardware.get('processor')}, {hardware.get('cores')} cores, "
        f"{hardware.get('memory_gb')} GB memory, {gpus}, {hardware.get('system')}"
    )
