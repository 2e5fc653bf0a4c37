"""The words and figures of a report: summary, runs, failures, origin. Templates lay them out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from agents.records.averages import estimate
from agents.records.episode import best_of, recent_metrics, recent_window
from agents.records.run_record import RunRecord, best_in
from agents.reports.ticks import clock, short

Pairs = list[tuple[str, str]]


def budget(record: RunRecord) -> str:
    """How far the run was to go, in words."""
    limits = []
    if record.config.get("children"):
        count = record.config["children"]
        limits.append(f"{count:,} child{'ren' * (count != 1)}")
    if record.config.get("hours"):
        limits.append(f"{record.config['hours']:g} hours")
    return " or ".join(limits) or "not recorded"


def subtitle(groups: Mapping[str, Sequence[RunRecord]]) -> str:
    """Who searched, with which seeds, how far."""
    records = [record for group in groups.values() for record in group]
    seeds = list(dict.fromkeys(record.seed for record in records))
    facts = [
        f"agent{'s' * (len(groups) > 1)} {', '.join(groups)}",
        f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}",
        f"budget {' / '.join(dict.fromkeys(map(budget, records)))}",
    ]
    return " · ".join(facts)


def best_head(metric_name: str, direction: int) -> str:
    """What the metric of the child with the highest reward is called."""
    return f"best {metric_name}" if direction else f"{metric_name}, highest reward"


def tiles(records: Sequence[RunRecord], direction: int) -> Pairs:
    """The figures that people look for first, each with what it is.

    Args:
        records: the runs.
        direction: what ranks their children; see ``agents.records.direction``.
    """
    episodes = [episode for record in records for episode in record.episodes]
    best, count = best_in(records), len(episodes)
    failed = sum(episode.state == "failed" for episode in episodes)
    seconds = [record.elapsed_s for record in records if record.elapsed_s is not None]
    value = "none" if best is None else f"{best.metric:.4f}"
    name = records[0].metric_name
    shown = [(value, f"best {name} of a child")]
    if not direction:
        paid = "none" if best is None else f"{best.reward:.4g}"
        shown = [(paid, "highest reward of a child"), (value, f"{name} of that child")]
    recent = recent_metrics(records[0].metrics) if len(records) == 1 else ()
    if count > 1 and recent:
        last = min(recent_window(count), count)
        mean = "mean" if direction else f"mean {name}"
        shown.append((f"{estimate(recent).mean:.4f}", f"{mean} of the last {last} children"))
    if best is not None and best.parameters:
        shown.append((short(best.parameters), "parameters of that child"))
    shown.append((f"{count:,}", f"child{'ren' * (count != 1)}, {failed:,} failed"))
    if seconds:
        together = " of all runs together" if len(records) > 1 else ""
        unit = "h:mm:ss" if sum(seconds) >= 3599.5 else "m:ss"
        shown.append((clock(sum(seconds)), f"duration{together} ({unit})"))
        rate = 60 * count / max(sum(seconds), 1e-9)
        shown.append((f"{rate:,.1f}", "children a minute"))
    return shown


def run_rows(groups: Mapping[str, Sequence[RunRecord]]) -> list[list[str]]:
    """Several runs, a line each: agent, seed, children, failed, best, recent mean, time, folder."""
    rows = []
    for label, group in groups.items():
        for record in group:
            best, recent = best_of(record.episodes), recent_metrics(record.metrics)
            failed = sum(metric is None for metric in record.metrics)
            rows.append(
                [
                    label,
                    str(record.seed),
                    f"{len(record.metrics):,}",
                    f"{failed:,}",
                    "-" if best is None else f"{best.metric:.4f}",
                    f"{estimate(recent).mean:.4f}" if recent else "-",
                    "-" if record.elapsed_s is None else clock(record.elapsed_s),
                    str(record.folder),
                ]
            )
    return rows


def group_rows(groups: Mapping[str, Sequence[RunRecord]]) -> list[list[str]]:
    """A line for each agent with its options: seeds, best, mean of the recent children."""
    rows = []
    for label, group in groups.items():
        bests = [best_of(record.episodes) for record in group]
        recent = [found for record in group if (found := recent_metrics(record.metrics))]
        both = (
            estimate([one.metric for one in bests if one and one.metric is not None]),
            estimate([estimate(found).mean for found in recent]),
        )
        rows.append([label, str(len(group)), *(str(e) if e.count else "-" for e in both)])
    return rows


def failure_rows(records: Sequence[RunRecord]) -> list[list[str]]:
    """How many children failed of what, with an example: type, children, share, example."""
    episodes = [episode for record in records for episode in record.episodes]
    failed = [episode for episode in episodes if episode.state == "failed"]
    rows = []
    for kind, count in Counter(e.failure or "error" for e in failed).most_common():
        example = next(e for e in failed if (e.failure or "error") == kind)
        message = f"child {example.number}: {example.message or 'no message'}"
        rows.append([kind, f"{count:,}", f"{100 * count / len(episodes):.1f}%", message])
    return rows


def origin(record: RunRecord) -> Pairs:
    """When, with what and on what the run was made."""
    versions = record.config.get("versions")
    return [
        ("begun", str(record.config.get("created", "not recorded"))),
        ("versions", versions_line(versions if isinstance(versions, dict) else {})),
        ("hardware", hardware_line(record.config.get("hardware"))),
    ]


def versions_line(versions: Mapping[str, Any]) -> str:
    """Packages and their versions in one line."""
    return ", ".join(f"{k} {v}" for k, v in versions.items() if v) or "not recorded"


def hardware_line(hardware: Any) -> str:
    """The machine in one line."""
    if not isinstance(hardware, dict):
        return "not recorded"
    gpus = ", ".join(hardware.get("gpus") or []) or "no GPU in use"
    return (
        f"{hardware.get('processor')}, {hardware.get('cores')} cores, "
        f"{hardware.get('memory_gb')} GB memory, {gpus}, {hardware.get('system')}"
    )
