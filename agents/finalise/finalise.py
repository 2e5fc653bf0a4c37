"""Section 4.1 to its end: the best architectures again, the grid, the long training, one test.

Stopped or killed at any instant, the same call goes on: short trainings are in the store, the long
one has a checkpoint after every epoch, and the reading of the test part is written down before it
happens.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from agents.finalise.grid import apply, best_point
from agents.finalise.held_out import HeldOut, Reading, TestReading
from agents.finalise.long_training import Curves, LongTraining, Trained
from agents.finalise.outcome import Finalised
from agents.finalise.progress import Stage, Stages
from agents.finalise.result import write_result
from agents.finalise.settings import FREE_TO_CHANGE, FinaliseSettings
from agents.finalise.short_trainings import ShortTrainings
from agents.finalise.source import Source, read_source
from agents.records.lock import FolderLock
from nas_env.data.datasets import data_given
from nas_env.data.held_out_images import check_held_out_images
from nas_env.data.images import ImageData, load_images
from nas_env.errors import CheckpointError, ConfigurationError, NasEnvError, RunFolderError
from nas_env.evaluation.seeding import child_seed
from nas_env.evaluation.store import EvaluationStore
from nas_env.network.file import FILE, UNFINISHED, NetworkFile, Normalisation, write_network
from nas_env.network.network import Network
from nas_env.space.conv_architecture import ConvArchitecture
from nas_env.system.files import write_durably
from nas_env.system.folders import user_path
from nas_env.system.reading import is_folder, reason, strict_json
from nas_env.tasks.image_task import ImageTask
from nas_env.training.image_numerics import resolve_device
from nas_env.training.image_recipes import ImageRecipe, image_recipe
from nas_env.training.image_training import image_child
from nas_env.training.recipe_choice import recipe_from_text


def finalise(settings: FinaliseSettings, stages: Stages | None = None) -> Finalised:
    """Finalise a run; the files of the result are in ``output`` when this returns.

    Raises:
        NasEnvError: see the messages; a second call with the same settings goes on.
    """
    source = read_source(settings)
    place = user_path(settings.source)
    beside = place if is_folder(place) else place.absolute().parent
    folder = user_path(settings.output) if settings.output else beside / "final"
    lock = FolderLock(folder)
    try:
        lock.take()
    except OSError as error:
        raise RunFolderError(f"The folder {folder} cannot be written: {reason(error)}.") from error
    try:
        with EvaluationStore(source.store) as store:
            done = _Finalising(settings, source, folder, store, stages or Stages()).run()
            write_result(done)
            return done
    except NasEnvError:  # missing data is a FileNotFoundError, too
        raise
    except OSError as error:
        raise RunFolderError(
            f"The folder {folder} cannot be written: {reason(error)}. What is finished is kept: "
            "free space or mend the permissions, then run the same command again."
        ) from error
    finally:
        lock.release()


class _Finalising:
    def __init__(
        self,
        settings: FinaliseSettings,
        source: Source,
        folder: Path,
        store: EvaluationStore,
        stages: Stages,
    ) -> None:
        self.settings, self.source, self.folder = settings, source, folder
        self.store, self.stages = store, stages
        self.device = resolve_device(settings.device)
        self.task = ImageTask(source.dataset, source.data_dir, source.grid_recipe, settings.device)
        self.digest = self.task.key()[0]

    def run(self) -> Finalised:
        final = self._final_recipe()
        self._pin(final)
        data = load_images(self.task.dataset, self.source.data_dir, final.selection)
        _check_batches(data, final)
        test = self._test(data)
        short = ShortTrainings(
            self.settings, self.source, self.task, final, self.store, self.stages
        )
        retrained, grid = short.run()
        tried = [evaluation.metric for _, evaluation in grid]
        point = grid[best_point(tried)][0] if grid else {}
        recipe, architecture = apply(final, point), retrained[0].candidate.architecture
        if self.settings.more_filters:
            architecture = architecture.with_more_filters(self.settings.more_filters)
        trained = self._long_trainings(architecture, data.to(self.device), recipe)
        networks = [self._network(one, architecture, data, recipe) for one in trained]
        write_network(self.folder / FILE, networks[0].file)
        return Finalised(
            folder=self.folder,
            source=self.source,
            settings=self.settings,
            dataset=self.task.dataset.name,
            data=data,
            retrained=retrained,
            grid=grid,
            point=point,
            recipe=recipe,
            architecture=architecture,
            trained=trained,
            network=networks[0],
            cost=image_child(architecture, data).cost,
            validation=_accuracy(networks[0], data),
            reading=None if test is None else self._read(test, networks, recipe),
            no_test="" if test else self._no_test,
        )

    def _test(self, data: ImageData) -> TestReading | None:
        """The reading that will come; None, and why in ``_no_test``, if none will."""
        there = check_held_out_images(self.task.dataset, data.classes, self.source.data_dir)
        if not there or not self.settings.test:
            name = self.task.dataset.name
            there_is_none = f"{name} has no test part: only validation is reported"
            self._no_test = "not asked for (--no-test)" if there else there_is_none
            self.stages.say(f"no test: {self._no_test}")
            return None
        reading = TestReading(self.folder, self.store, self.source.identity, self.digest)
        reading.check(self.settings.test_again)
        return reading

    def _read(self, test: TestReading, networks: Sequence[Network], recipe: ImageRecipe) -> Reading:
        self.stages.say("reading the test part, once")
        where = HeldOut(self.task.dataset, self.source.data_dir, recipe.resolution)
        return test.read(networks, where, self.settings.test_again)

    def _final_recipe(self) -> ImageRecipe:
        recipe = image_recipe(recipe_from_text(self.settings.recipe), self.task.dataset)
        epochs = self.settings.epochs or recipe.epochs
        kept = min(recipe.reward_epochs, epochs)
        recipe = replace(recipe, epochs=epochs, reward_epochs=kept, time_limit_s=None, width=1.0)
        # The validation pictures are those that chose the architecture, never trained on.
        search = self.task.recipe
        recipe = replace(recipe, split=search.split, split_seed=search.split_seed)
        return recipe.with_numerics(self.device)

    def _pin(self, recipe: ImageRecipe) -> None:
        """Write down what is done here; refuse to go on with something else."""
        given = {k: v for k, v in asdict(self.settings).items() if k not in FREE_TO_CHANGE}
        told = {
            **{name: value for name, value in given.items() if name != "source"},
            "search": self.source.identity,
            "data": self.digest,
            "grid_recipe": self.task.recipe.digest(),
            "recipe": recipe.digest(),
            "seed": self.source.seed,
        }
        path = self.folder / UNFINISHED
        if not path.exists():
            write_durably(path, (json.dumps(told, indent=1) + "\n").encode())
            return
        try:
            before = strict_json(path.read_bytes())
            changed = sorted(k for k in {*before, *told} if before.get(k) != told.get(k))
        except (ValueError, TypeError) as error:
            raise CheckpointError(f"{path} is damaged ({reason(error)}); remove it.") from error
        if changed:
            words = "; ".join(f"{k}: {before.get(k)!r} then, {told.get(k)!r} now" for k in changed)
            raise ConfigurationError(
                f"{self.folder} was begun with other settings or data ({words}). Give the same "
                "to go on, or name another folder (--output)."
            )

    def _long_trainings(
        self, architecture: ConvArchitecture, data: ImageData, recipe: ImageRecipe
    ) -> tuple[Trained, ...]:
        """All of them, the best by validation first."""
        child, digest = image_child(architecture, data), self.digest
        done: list[Trained] = []
        for number in range(self.settings.finals):
            seed = child_seed(self.source.seed, architecture, digest, recipe.seed_digest(), number)
            told = [architecture.to_json(), digest, recipe.digest(), seed]
            identity = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
            path = self.folder / "checkpoint" / f"training_{number + 1}.npz"
            training = LongTraining(child, data, recipe, seed, path, identity)
            name = f"training {number + 1} of {self.settings.finals}, epoch"
            with self.stages.stage(name, recipe.epochs) as stage:
                done.append(training.run(_teller(stage)))
        return tuple(sorted(done, key=lambda one: -one.accuracy))

    def _network(
        self, trained: Trained, architecture: ConvArchitecture, data: ImageData, recipe: ImageRecipe
    ) -> Network:
        """As ``nas_env.load`` will give it, on the device of the training."""
        enlarged = recipe.crop_margin if recipe.crop == "upsample" else 0
        facts = {
            "dataset": self.task.dataset.name,
            "recipe": asdict(recipe),
            "seed": trained.seed,
            "best_epoch": trained.curves.best_epoch,
            "validation_accuracy": trained.accuracy,
        }
        file = NetworkFile(
            architecture,
            data.classes,
            data.image_shape,
            trained.weights,
            Normalisation(enlarged_by=enlarged, fitted_to=_image_size(self.source.dataset)),
            trained.epsilons,
            facts,
        )
        return Network(file, self.device)


def _teller(stage: Stage) -> Any:
    def tell(curves: Curves) -> None:
        if not curves.losses:
            stage.advance("begins", 0)
            return
        last, best = curves.accuracies[-1], max(curves.accuracies)
        told = f"loss {curves.losses[-1]:.3f}  accuracy {last:.4f}  best {best:.4f}"
        stage.advance(told, len(curves.losses))

    return tell


def _image_size(dataset: Any) -> int | None:
    """Side that the pictures of a folder are brought to, where the data set says so."""
    given = data_given(dataset)
    size = given.get("image_size") if isinstance(given, Mapping) else None
    return None if size is None else int(size)


def _accuracy(network: Network, data: ImageData) -> float:
    """Of the network that people load, on the validation images."""
    predicted = network.logits(data.valid_images).argmax(1)
    return float((predicted == data.valid_labels).double().mean())


def _check_batches(data: ImageData, recipe: ImageRecipe) -> None:
    if len(data.train_labels) < recipe.batch_size:
        raise ConfigurationError(
            f"{len(data.train_labels)} training images do not fill one batch of the recipe "
            f"{recipe.name!r} ({recipe.batch_size}). Give a smaller one, such as --recipe "
            f'\'{{"name": "{recipe.name}", "batch_size": 16}}\'.'
        )
