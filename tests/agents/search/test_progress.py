"""What a person is shown: best, recent mean, rate, time left."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from agents.records.episode import Episode
from agents.reports.ticks import clock
from agents.search.progress import BarDisplay, LineDisplay, Tally, make_display, seconds


def episode(number: int, metric: float | None) -> Episode:
    state = "failed" if metric is None else "complete"
    return Episode(number, (0,), "", metric, metric or 0.0, state)


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


def test_the_line_tells_best_recent_mean_failures_cost_and_time_left() -> None:
    clock = Clock()
    tally = Tally(children=40, hours=None, metric_name="accuracy", now=clock)
    clock.s += 60
    tally.add([episode(1, 0.5), episode(2, 0.7), episode(3, None), episode(4, 0.6)])
    assert tally.line() == (
        "4/40 children, best accuracy 0.7000, mean of last 4 0.6000, 1 failed, 15.0 s/child, "
        "9:00 left"
    )


def test_children_of_the_running_update_count_as_they_finish() -> None:
    clock = Clock()
    tally = Tally(children=40, hours=None, now=clock)
    tally.begin(8)
    assert tally.line() == "0/40 children, -:-- left"
    clock.s += 10
    tally.finished()
    assert tally.line() == "1/40 children, 10.0 s/child, 6:30 left"
    clock.s += 30
    assert tally.line() == "1/40 children, 10.0 s/child, 6:00 left", "time runs down meanwhile"
    tally.finished()
    assert tally.line() == "2/40 children, 20.0 s/child, 12:40 left"
    clock.s += 3600
    assert tally.left_s == 20 * (40 - 8), "a late child is not all of them"
    tally.add([episode(number, 0.5) for number in range(1, 9)])
    assert tally.counted == 8, "not twice"


def test_more_tellings_than_children_do_not_count() -> None:
    tally = Tally(children=8, hours=None)
    tally.begin(2)
    for _ in range(5):
        tally.finished()
    assert tally.counted == 2


def full_tally() -> Tally:
    clock = Clock()
    tally = Tally(children=12800, hours=None, metric_name="perplexity", now=clock)
    clock.s += 1234.5
    tally.add([episode(number, 123.4567) for number in range(1, 101)])
    tally.add([episode(101, None)])
    return tally


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (
            200,
            "101/12800 children, best perplexity 123.4567, mean of last 50 123.4567, 1 failed, "
            "12.2 s/child, 43:06:57 left",
        ),
        (80, "101/12800, best 123.4567, mean 123.4567, 1 failed, 12.2s/child, 43:06:57 left"),
        (70, "101/12800, best 123.4567, 1 failed, 12.2s/child, 43:06:57 left"),
        (60, "101/12800, best 123.4567, 12.2s/child, 43:06:57 left"),
        (40, "101/12800, best 123.4567, 43:06:57 left"),
        (30, "101/12800, 43:06:57 left"),
        (10, "101/12800, 43:06:57 left"),
    ],
)
def test_a_narrow_terminal_leaves_out_what_matters_less(width: int, line: str) -> None:
    assert full_tally().line(width) == line


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_bar_and_time_left_fit_every_terminal(width: int) -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=width, color_system="truecolor")
    console.print(BarDisplay(full_tally(), console))
    line = Text.from_ansi(output.getvalue()).plain.rstrip("\n")
    assert "\n" not in line
    assert line.rstrip().endswith("43:06:57 left")
    assert 6 <= line.count("━") + line.count("╸") + line.count("╺") <= 30


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123, "0.012 s"), (3.44, "3.4 s"), (123.4, "123 s")]
)
def test_seconds_show_the_digits_that_matter(value: float, text: str) -> None:
    assert seconds(value) == text


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
    clock = Clock()
    tally = Tally(children=100, hours=None, now=clock)
    tally.add([episode(number, 0.5) for number in range(1, 51)], here=False)
    assert tally.left_s is None
    assert "/child" not in tally.line().replace("children", "")
    clock.s += 10
    tally.add([episode(51, 0.5)])
    assert tally.child_s == 10
    assert tally.left_s == 490


def test_the_nearer_budget_decides_how_much_time_is_left() -> None:
    assert Tally(children=1000, hours=1.0, elapsed_before_s=3000.0, now=Clock()).left_s == 600


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


def test_plain_lines_come_every_few_seconds_also_during_an_update() -> None:
    output, clock = io.StringIO(), Clock()
    tally = Tally(children=100, hours=None, now=clock)
    with LineDisplay(tally, Console(file=output)) as display:
        tally.begin(50)
        for _ in range(20):
            clock.s += 1
            display.child_finished()
        during = output.getvalue().splitlines()
    assert [line.split()[0] for line in during] == ["1/100", "6/100", "11/100", "16/100"]
    assert output.getvalue().splitlines()[-1].startswith("20/100")


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
