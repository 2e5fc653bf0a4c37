"""What a person is shown: best, recent mean, rate, time left."""

import io
import time

from rich.console import Console

from agents.records.episode import Episode
from agents.reports.ticks import clock
from agents.search.progress import BarDisplay, LineDisplay, Tally, make_display


def episode(number: int, metric: float | None) -> Episode:
    state = "failed" if metric is None else "complete"
    return Episode(number, (0,), "", metric, metric or 0.0, state)


def test_the_line_tells_best_recent_mean_failures_rate_and_time_left() -> None:
    tally = Tally(children=40, hours=None, metric_name="accuracy")
    tally._start = time.monotonic() - 60
    tally.add([episode(1, 0.5), episode(2, 0.7), episode(3, None), episode(4, 0.6)])
    line = tally.line()
    assert "4/40 children" in line
    assert "best accuracy 0.7000" in line
    assert "mean of last 3 0.6000" in line
    assert "1 failed" in line
    assert "4.0 children/min" in line
    assert "9:00 left" in line


def test_the_best_is_that_of_the_highest_reward_also_where_low_metrics_are_good() -> None:
    tally = Tally(children=2, hours=None, metric_name="perplexity")
    tally.add(
        [
            Episode(1, (0,), "", 200.0, 0.002, "complete"),
            Episode(2, (1,), "", 100.0, 0.008, "complete"),
        ]
    )
    assert "best perplexity 100.0000" in tally.line()


def test_children_of_before_a_resume_do_not_count_in_the_rate() -> None:
    tally = Tally(children=100, hours=None)
    tally.add([episode(number, 0.5) for number in range(1, 51)], here=False)
    assert tally.left_s is None
    assert "children/min" not in tally.line()
    tally._start = time.monotonic() - 10
    tally.add([episode(51, 0.5)])
    assert 5.5 < tally.per_minute < 6.5


def test_the_nearer_budget_decides_how_much_time_is_left() -> None:
    tally = Tally(children=1000, hours=1.0, elapsed_before_s=3000.0)
    assert tally.left_s is not None
    assert 590 < tally.left_s <= 600


def test_without_a_terminal_there_are_plain_lines_and_the_last_state_is_printed() -> None:
    output = io.StringIO()
    tally = Tally(children=2, hours=None)
    with LineDisplay(tally, Console(file=output)) as display:
        for number in (1, 2):
            tally.add([episode(number, 0.5)])
            display.refresh()
    lines = output.getvalue().splitlines()
    assert lines[0].startswith("1/2 children")
    assert lines[-1].startswith("2/2 children")
    assert "\x1b" not in output.getvalue()


def test_on_a_terminal_there_is_a_bar() -> None:
    output = io.StringIO()
    tally = Tally(children=2, hours=None)
    console = Console(file=output, force_terminal=True, width=160)
    with BarDisplay(tally, console) as display:
        tally.add([episode(1, 0.5)])
        display.refresh()
    assert "1/2 children" in output.getvalue()
    assert "━" in output.getvalue()


def test_a_library_call_prints_nothing(capsys: object) -> None:
    tally = Tally(children=1, hours=None)
    with make_display(tally, show=False) as display:
        tally.add([episode(1, 0.5)])
        display.refresh()
    assert capsys.readouterr().out == ""  # type: ignore[attr-defined]


def test_clock() -> None:
    assert [clock(s) for s in (5, 65, 3700)] == ["0:05", "1:05", "1:01:40"]
