"""A finalised search: its network, its choice, its folder; and every way in which it says no."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

import agents
import nas_env
from agents.commands import export as export_command
from agents.commands import finalise as finalise_command
from agents.commands import predict as predict_command
from agents.finalise import trainings
from agents.finalise.finalise import finalise
from agents.finalise.grid import apply, describe, grid_points
from agents.finalise.outcome import Finalised
from agents.finalise.progress import Stages
from agents.finalise.settings import FinaliseSettings
from agents.finalise.source import read_source
from nas_env.data.held_out_images import load_held_out_images
from nas_env.data.images import load_images
from nas_env.errors import (
    CheckpointError,
    ConfigurationError,
    DatasetNotFoundError,
    InvalidArchitectureError,
    InvalidDatasetError,
    NetworkFileError,
    NothingFoundError,
    RunFolderError,
)
from nas_env.evaluation.store import EvaluationStore
from nas_env.network.pictures import as_batch
from nas_env.space.conv_architecture import ConvArchitecture, Convolution
from nas_env.space.published import NAS_CELL
from nas_env.training.image_recipes import image_recipe
from nas_env.training.image_training import ImageTraining
from tests.agents.finalise.conftest import write_pictures
from tests.web_page import problems_of

Run = Callable[..., Finalised]


def figures(folder: Path) -> dict[str, object]:
    told: dict[str, object] = json.loads((folder / "figures.json").read_text())
    return told


def test_what_is_loaded_has_the_accuracies_that_were_told(run: Run, searched: Path) -> None:
    done = run(grid="small", finals=2)
    network = nas_env.load(done.folder)
    pictures = str(searched / "pictures")
    for images, labels, told in (
        (*_validation(pictures, done), done.validation),
        (*_test(pictures), done.reading.accuracies[0] if done.reading else None),
    ):
        assert float((network.logits(images).argmax(1) == labels).double().mean()) == told
    assert done.reading is not None
    assert len(done.reading.accuracies) == 2
    assert done.reading.count == 20
    assert sum(done.reading.confusion[n][n] for n in range(2)) == 20 * done.reading.accuracies[0]
    assert done.validation == done.trained[0].accuracy >= done.trained[1].accuracy
    assert len(done.grid) == 9
    assert done.grid[0][0] == {"learning_rate": 1.0, "weight_decay": 1.0}
    found = figures(done.folder)
    assert found["test"]["accuracies"] == list(done.reading.accuracies)  # type: ignore[index]
    assert found["parameters"] == sum(p.numel() for p in network.module.parameters())
    card = (done.folder / "model_card.md").read_text()
    assert f"**{100 * done.reading.accuracies[0]:.2f}%**" in card
    page = (done.folder / "report.html").read_text()
    assert problems_of(page) == []
    assert "Confusion matrix" in page


def _validation(pictures: str, done: Finalised) -> tuple[torch.Tensor, torch.Tensor]:
    data = load_images(pictures, None, done.recipe.selection)
    return data.valid_images, data.valid_labels


def _test(pictures: str) -> tuple[torch.Tensor, torch.Tensor]:
    data = load_held_out_images(pictures)
    return data.images, data.labels


def test_the_best_by_new_seeds_is_taken(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = list(csv.DictReader((place / "run" / "episodes.csv").read_text().splitlines()))
    best: dict[str, list[float]] = {}
    for row in rows:
        best.setdefault(row["architecture"], []).append(float(row["metric"]))
    means = {key: sum(values) / len(values) for key, values in best.items()}
    ranked = sorted(means, key=lambda key: -means[key])
    assert len(ranked) > 1
    kept = trainings._kept

    def biased(store: EvaluationStore, key: object, evaluation: object) -> object:
        worse = evaluation.architecture == ranked[0]  # type: ignore[attr-defined]
        metric = 0.1 if worse else 0.9
        forced = replace(evaluation, metric=metric, curve=(metric,))  # type: ignore[type-var]
        return kept(store, key, forced)  # type: ignore[arg-type]

    monkeypatch.setattr(trainings, "_kept", biased)
    done = run(top=len(ranked), test=False)
    assert done.architecture.to_json() != json.loads(ranked[0])
    assert [one.score for one in done.retrained] == [0.9] * (len(ranked) - 1) + [0.1]


def test_the_grid_chooses_the_recipe_of_the_long_training(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = trainings._kept

    def biased(store: EvaluationStore, key: object, evaluation: object) -> object:
        stored = kept(store, key, evaluation)  # type: ignore[arg-type]
        wanted = key.recipe == wanted_digest[0]  # type: ignore[attr-defined]
        return replace(stored, metric=1.5 if wanted else 0.5)

    wanted_digest = [""]
    plain = run(grid="none", top=1, test=False)
    source = read_source(plain.settings)
    short = image_recipe(source.grid_recipe, source.dataset)
    changed = replace(
        short, learning_rate=short.learning_rate * 0.5, weight_decay=short.weight_decay * 5.0
    )
    wanted_digest[0] = changed.digest()
    monkeypatch.setattr(trainings, "_kept", biased)
    done = run(grid="small", top=1, test=False, output=plain.folder.with_name("tuned"))
    assert done.point == {"learning_rate": 0.5, "weight_decay": 5.0}
    assert done.recipe.learning_rate == 0.5 * plain.recipe.learning_rate
    assert done.recipe.weight_decay == 5.0 * plain.recipe.weight_decay


def test_the_full_grid_has_what_the_paper_names_where_a_recipe_has_it() -> None:
    """Learning rate, weight decay, batch-norm epsilon, epoch to decay: section 4.1."""
    architecture = ConvArchitecture((Convolution(3, 3, 4),))
    paper, fast = image_recipe("paper"), image_recipe("fast")
    points = grid_points("full", (paper, paper), architecture)
    names = {"learning_rate", "weight_decay", "batch_norm_epsilon", "decay_epochs"}
    assert all(set(point) == names for point in points)
    assert len(points) == len({describe(point) for point in points}) == 3 * 3 * 2 * 3
    first = apply(paper, points[0])
    assert replace(first, decay_epochs=None) == paper and first.decay_epochs == (25.0, 37.5)
    assert apply(paper, points[1]) != first
    assert len(grid_points("full", (fast, paper), architecture)) == 3 * 3 * 2
    own = replace(architecture, learning_rate=0.05)
    assert all("learning_rate" not in p for p in grid_points("small", (fast, fast), own))


def test_pictures_of_mixed_sizes_are_predicted_as_they_were_tested(
    run: Run, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "mixed", {"train": 24, "test": 10}, ("dark", "light"))
    for number, path in enumerate(sorted((tmp_path / "mixed").rglob("*.png"))):
        Image.open(path).resize((9 + number % 5, 9 + number % 3)).save(path)
    dataset = json.dumps({"folder": str(tmp_path / "mixed"), "image_size": 8})
    done = run(top=1, dataset=dataset, recipe=recipe_at(6))
    assert done.reading is not None
    assert done.data.image_shape == (3, 6, 6)
    files = sorted((tmp_path / "mixed" / "test").rglob("*.png"))
    said = nas_env.load(done.folder).predict(files)
    right = sum(one.name == path.parent.name for one, path in zip(said, files, strict=True))
    assert right / len(files) == done.reading.accuracies[0]
    assert nas_env.load(done.folder).file.normalisation.fitted_to == 8
    held_out = load_held_out_images(dataset, resolution=6).images
    assert torch.equal(as_batch(files, (3, 6, 6), 8), held_out)


def recipe_at(resolution: int) -> str:
    return (
        '{"name": "quick", "epochs": 3, "batch_size": 8, "numerics": "float32", "resolution": '
        f"{resolution}}}"
    )


def test_more_filters_are_in_every_convolution(run: Run) -> None:
    done = run(top=1, more_filters=3, test=False)
    before = done.winner.architecture.layers
    for layer, wider in zip(before, done.architecture.layers, strict=True):
        assert isinstance(layer, Convolution) and isinstance(wider, Convolution)
        assert wider.filters == layer.filters + 3
    assert nas_env.load(done.folder).file.architecture == done.architecture


def test_an_interrupted_grid_trains_only_what_is_missing(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[object] = []
    original = trainings.RecipesTask.run

    def counted(self: trainings.RecipesTask, job: object) -> object:
        if len(trained) == 5:
            trained.append(None)
            raise KeyboardInterrupt
        trained.append(job)
        return original(self, job)  # type: ignore[arg-type]

    monkeypatch.setattr(trainings.RecipesTask, "run", counted)
    with pytest.raises(KeyboardInterrupt):
        run(top=1, grid="small", test=False)
    with pytest.raises(NetworkFileError, match="not finished"):
        nas_env.load(place / "run" / "final")
    run(top=1, grid="small", test=False)
    jobs = [job for job in trained if job is not None]
    assert len(jobs) == 9
    assert len({job.recipe.digest() for job in jobs}) == 9  # type: ignore[attr-defined]


def test_the_weights_of_the_best_epoch_are_kept_not_the_last(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[float, torch.Tensor]] = []
    told = iter([0.4, 0.9, 0.9])

    def accuracy(self: ImageTraining) -> float:
        seen.append((next(told), self.child.state_dict()["classifier.weight"].clone()))
        return seen[-1][0]

    monkeypatch.setattr(ImageTraining, "accuracy", accuracy)
    done = run(top=1, seeds=0, test=False)
    assert done.trained[0].curves.best_epoch == 2
    kept = torch.from_numpy(nas_env.load(done.folder).file.weights["classifier.weight"])
    assert [torch.equal(kept, weights) for _, weights in seen] == [False, True, False]


def test_done_once_a_second_call_trains_and_reads_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run()
    monkeypatch.setattr(trainings.RecipesTask, "run", None)
    monkeypatch.setattr("agents.finalise.held_out.load_held_out_images", None)
    monkeypatch.setattr("nas_env.training.image_training.ImageTraining.run_epoch", None)
    again = run()
    assert again.reading == first.reading
    assert again.network.file.digest() == first.network.file.digest()


def test_other_settings_in_the_same_folder_are_refused_by_name(run: Run) -> None:
    run(top=1, test=False)
    with pytest.raises(ConfigurationError, match=r"more_filters: 0 then, 2 now.*--output"):
        run(top=1, more_filters=2, test=False)


def test_a_damaged_checkpoint_is_named(run: Run) -> None:
    done = run(top=1, test=False)
    path = done.folder / "checkpoint" / "training_1.npz"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CheckpointError, match=r"training_1\.npz cannot be gone on from"):
        run(top=1, test=False)


def test_a_file_of_an_architecture_is_finalised_without_a_search(
    place: Path, searched: Path, settings: FinaliseSettings
) -> None:
    path = place / "mine.json"
    path.write_text(json.dumps(ConvArchitecture((Convolution(3, 3, 5),)).to_json()))
    dataset = str(searched / "pictures")
    one = replace(
        settings, source=path, dataset=dataset, grid_recipe=settings.recipe, output=place / "out"
    )
    done = finalise(one, Stages(silent=True))
    assert done.reading is not None
    assert done.retrained[0].evaluations == ()
    assert nas_env.load(place / "out").classes == ("dark", "light")


# What is not there, or does not go together


def test_a_run_whose_children_all_failed_is_refused(place: Path, run: Run) -> None:
    path = place / "run" / "episodes.csv"
    rows = list(csv.DictReader(path.read_text().splitlines()))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows({**r, "metric": "", "state": "failed", "failure": "error"} for r in rows)
    with pytest.raises(RunFolderError, match="no child that was trained: 4 children"):
        run()


def test_candidates_that_cannot_be_trained_again_are_an_error_with_the_reason(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: object, job: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(trainings.RecipesTask, "run", broken)
    with pytest.raises(NothingFoundError, match=r"None of the 2 .*out_of_memory.*no room"):
        run()


def test_a_run_on_a_table_needs_to_be_told_what_to_train_on(run: Run, tmp_path: Path) -> None:
    agents.run_search("NAS-Digits-Table-v0", "random", children=2, run_dir=tmp_path / "table")
    with pytest.raises(ConfigurationError, match="give --dataset and --grid-recipe"):
        run(source=tmp_path / "table")


def test_a_folder_that_is_no_run_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunFolderError, match="holds no run"):
        run(source=tmp_path / "empty")


def test_a_recurrent_cell_is_sent_to_the_command_for_it(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "cell.json"
    path.write_text(json.dumps(NAS_CELL.to_json()))
    with pytest.raises(InvalidArchitectureError, match="nas-env language-model"):
        run(source=path)


def test_data_that_are_gone_are_named(run: Run, tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="gone"):
        run(dataset=str(tmp_path / "gone"))


def test_a_batch_larger_than_the_data_says_what_to_give(run: Run) -> None:
    with pytest.raises(ConfigurationError, match=r"do not fill one batch.*--recipe"):
        run(recipe='{"name": "fast", "resolution": null}')


def test_without_a_test_part_validation_alone_is_told(
    run: Run, tmp_path: Path, settings: FinaliseSettings
) -> None:
    write_pictures(tmp_path / "plain", {"train": 24}, ("dark", "light"))
    done = run(top=1, dataset=str(tmp_path / "plain"))
    assert done.reading is None
    assert "has no test part" in done.no_test
    assert "not measured" in (done.folder / "model_card.md").read_text()
    assert "not measured" in (done.folder / "report.html").read_text()
    assert not (done.folder / "test_reading.json").exists()


def test_other_classes_in_the_test_part_are_refused_before_anything_is_trained(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pictures(tmp_path / "odd", {"train": 24}, ("dark", "light"))
    write_pictures(tmp_path / "odd", {"test": 3}, ("dark", "lihgt"))
    monkeypatch.setattr(trainings.RecipesTask, "run", None)
    monkeypatch.setattr(ImageTraining, "run_epoch", None)
    with pytest.raises(InvalidDatasetError, match=r"missing: light; unknown: lihgt"):
        run(dataset=str(tmp_path / "odd"))


# The commands


def test_the_commands_finalise_predict_and_export(
    place: Path, searched: Path, capsys: pytest.CaptureFixture[str], settings: FinaliseSettings
) -> None:
    words = ["--top", "1", "--grid", "none", "--recipe", settings.recipe, "--evaluator", "local"]
    store = ["--store", str(place / "store.sqlite")]
    assert finalise_command.main([str(place / "run"), *words, *store]) == 0
    told = capsys.readouterr()
    assert "test        " in told.out and "epoch 3/3" in told.err
    pictures = sorted((searched / "pictures" / "test").rglob("*.png"))
    final = str(place / "run" / "final")
    assert predict_command.main([final, *map(str, pictures)]) == 0
    lines = capsys.readouterr().out.splitlines()
    right = sum(Path(line.split()[0]).parent.name == line.split()[1] for line in lines)
    reading = json.loads((place / "run" / "final" / "test_reading.json").read_text())
    assert right / len(lines) == reading["accuracies"][0]
    assert predict_command.main([final, str(pictures[0]), "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["probabilities"]) == {"dark", "light"}
    assert export_command.main([final, "--targets", "json", "python"]) == 0
    assert (place / "run" / "final" / "export" / "network.py").exists()
    capsys.readouterr()
    for command, wrong in (
        (predict_command, [str(place / "run" / "checkpoint"), str(pictures[0])]),
        (predict_command, [final, str(place / "no.png")]),
        (export_command, [final, "--targets", "tflite"]),
        (finalise_command, [str(place / "nowhere")]),
    ):
        assert command.main(wrong) == 2
        message = capsys.readouterr().err
        assert message.startswith("error: ") and message.count("\n") == 1
