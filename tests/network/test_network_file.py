"""The file of a trained network, and what it says of pictures."""

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import nas_env
from nas_env.child.conv.network import ConvNet
from nas_env.data.augment import Augmentation, evaluation_batch
from nas_env.errors import ConfigurationError, InvalidDatasetError, NetworkFileError
from nas_env.network.file import FILE, NetworkFile, Normalisation, archive_bytes, write_network
from nas_env.network.file import read_archive as read_all
from nas_env.network.network import Network
from nas_env.network.pictures import as_batch
from nas_env.space.conv_architecture import ConvArchitecture, Convolution

ARCHITECTURE = ConvArchitecture((Convolution(3, 3, 4), Convolution(1, 3, 5, inputs=(0, 1))))
CLASSES = ("cat", "dog", "frog")


def child_of(architecture: ConvArchitecture, channels: int = 3) -> ConvNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        child = ConvNet(architecture, channels, len(CLASSES))
        for module in child.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_()  # type: ignore[union-attr]
                module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    return child.eval()


def file_of(
    architecture: ConvArchitecture = ARCHITECTURE, channels: int = 3, enlarged: int = 0
) -> NetworkFile:
    weights = {k: v.numpy() for k, v in child_of(architecture, channels).state_dict().items()}
    shape = (channels, 6, 8)
    return NetworkFile(architecture, CLASSES, shape, weights, Normalisation(enlarged_by=enlarged))


def picture(
    seed: int = 0, height: int = 6, width: int = 8
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_network(tmp_path / FILE, file_of())
    return tmp_path


@pytest.mark.parametrize("enlarged", [0, 2])
def test_a_loaded_network_computes_what_the_trained_child_does(
    enlarged: int, tmp_path: Path
) -> None:
    write_network(tmp_path / FILE, file_of(enlarged=enlarged))
    network = nas_env.load(tmp_path)
    images = torch.from_numpy(np.stack([picture(n).transpose(2, 0, 1) for n in range(3)]))
    augmentation = Augmentation("upsample" if enlarged else "pad", enlarged)
    with torch.no_grad():
        expected = child_of(ARCHITECTURE)(evaluation_batch(images, augmentation))
    assert torch.equal(network.logits(images), expected)
    said = network.predict([picture(n) for n in range(3)])
    best = expected.argmax(1).tolist()
    assert [one.name for one in said] == [CLASSES[index] for index in best]
    assert said[0].probabilities == pytest.approx(
        dict(zip(CLASSES, expected.softmax(1)[0].tolist(), strict=True))
    )


def test_an_epsilon_of_batch_normalisation_is_part_of_the_file(tmp_path: Path) -> None:
    plain = file_of()
    name = next(
        n for n, m in child_of(ARCHITECTURE).named_modules() if isinstance(m, torch.nn.BatchNorm2d)
    )
    changed = NetworkFile(
        plain.architecture, plain.classes, plain.image_shape, plain.weights, epsilons={name: 0.5}
    )
    write_network(tmp_path / FILE, changed)
    image = as_batch(picture(), plain.image_shape)
    assert not torch.equal(nas_env.load(tmp_path).logits(image), Network(plain).logits(image))


def test_equal_networks_are_equal_files_and_loading_draws_no_random_number(folder: Path) -> None:
    write_network(folder / "again.npz", file_of())
    assert (folder / "again.npz").read_bytes() == (folder / FILE).read_bytes()
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    nas_env.load(folder)
    assert torch.equal(torch.rand(1), expected)


def test_the_same_picture_in_every_form_is_the_same_prediction(
    folder: Path, tmp_path: Path
) -> None:
    network, pixels = nas_env.load(folder), picture()
    path = tmp_path / "picture.png"
    Image.fromarray(pixels).save(path)
    forms: list[Any] = [
        *(pixels, str(path), path, Image.open(path), pixels.astype(np.int64)),
        *(pixels / 255, (pixels / 255).astype(np.float32), pixels.transpose(2, 0, 1)),
        *(torch.from_numpy(pixels), np.concatenate([pixels, pixels[..., :1]], 2)),
    ]
    expected = network.predict(pixels)
    for form in forms:
        assert network.predict(form) == expected
    assert network.predict(np.stack([pixels, pixels])) == expected * 2


def test_pictures_of_other_sizes_are_resized_as_training_images_are(folder: Path) -> None:
    network, pixels = nas_env.load(folder), picture()
    larger = pixels.repeat(3, 0).repeat(3, 1)  # averaging down gives the same pixels again
    assert network.predict(larger) == network.predict(pixels)
    assert as_batch(picture(1, 3, 50), network.image_shape).shape == (1, 3, 6, 8)


def test_grey_and_colour_are_brought_to_what_the_network_takes(tmp_path: Path) -> None:
    grey = picture()[..., 0]
    assert torch.equal(as_batch(grey, (3, 6, 8)), as_batch(np.stack([grey] * 3, 2), (3, 6, 8)))
    colour = as_batch(picture(), (1, 6, 8))[0, 0].int()
    pillow = torch.from_numpy(np.array(Image.fromarray(picture()).convert("L"))).int()
    assert int((colour - pillow).abs().max()) <= 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((5, 5, 7), np.uint8), "is no picture"),
        (np.zeros((0, 4), np.uint8), "is no picture"),
        (np.full((4, 4), np.nan), "finite"),
        (np.full((4, 4), -1.5), "not normalised"),
        (np.full((4, 4), 300.0), "not normalised"),
        (np.array([["a"]]), "finite numbers"),
        (3.5, "a Pillow image or an array, got float"),
        ([], "No picture given"),
    ],
)
def test_what_is_no_picture_is_refused(folder: Path, given: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        nas_env.load(folder).predict(given)  # type: ignore[arg-type]


def test_a_damaged_picture_file_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(InvalidDatasetError, match=r"bad\.png"):
        nas_env.load(folder).predict(tmp_path / "bad.png")


def _rewritten(path: Path, change: Callable[[dict[str, object]], None]) -> None:
    """The file with another header, its weights as they are."""
    arrays = read_all(path)
    header = json.loads(arrays["header"].tobytes())
    change(header)
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    path.write_bytes(archive_bytes(arrays))


def test_weights_of_another_architecture_are_refused(folder: Path) -> None:
    other = ConvArchitecture((Convolution(3, 3, 4), Convolution(1, 3, 6, inputs=(0, 1))))
    _rewritten(folder / FILE, lambda header: header.update(architecture=other.to_json()))
    with pytest.raises(NetworkFileError, match="those of another architecture"):
        nas_env.load(folder)


def test_a_file_that_lies_about_its_size_takes_no_memory(folder: Path) -> None:
    huge = ConvArchitecture((Convolution(7, 7, 4096), Convolution(7, 7, 4096, inputs=(1,))) * 1)
    _rewritten(folder / FILE, lambda header: header.update(architecture=huge.to_json()))
    with pytest.raises(NetworkFileError, match="those of another architecture"):
        nas_env.load(folder)


def test_a_file_put_together_of_two_is_refused(folder: Path) -> None:
    arrays = read_all(folder / FILE)
    arrays["classifier.bias"] = arrays["classifier.bias"] + 1
    (folder / FILE).write_bytes(archive_bytes(arrays))
    with pytest.raises(NetworkFileError, match=r"not those that were written \(classifier\.bias"):
        nas_env.load(folder)


@pytest.mark.parametrize("kept", [0, 10, 200, 0.5, 0.9, -1])
def test_a_file_that_was_cut_off_is_refused(folder: Path, kept: float) -> None:
    content = (folder / FILE).read_bytes()
    size = int(kept * len(content)) if isinstance(kept, float) else int(kept)
    (folder / FILE).write_bytes(content[:size])
    with pytest.raises(NetworkFileError, match="damaged"):
        nas_env.load(folder)


def test_every_changed_byte_is_noticed_or_changes_nothing(folder: Path) -> None:
    content = (folder / FILE).read_bytes()
    expected = read_all(folder / FILE)
    for place in np.random.default_rng(0).integers(0, len(content), 60):
        changed = bytearray(content)
        changed[place] ^= 0x55
        (folder / FILE).write_bytes(bytes(changed))
        try:
            found = nas_env.load(folder).file.weights
        except NetworkFileError:
            continue
        assert all(np.array_equal(found[name], expected[name]) for name in found)


def test_nothing_in_a_file_is_run(folder: Path, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "ran",)

    array = np.array([Bomb()], dtype=object)
    with zipfile.ZipFile(folder / FILE, "w") as archive, archive.open("header.npy", "w") as file:
        np.lib.format.write_array(file, array, allow_pickle=True)
    with pytest.raises(NetworkFileError):
        nas_env.load(folder)
    (folder / FILE).write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(NetworkFileError):
        nas_env.load(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "x"}, "no file of a network"),
        ({"version": 2}, "version 2"),
        ({"architecture": {"kind": "choice", "choices": {"a": 1}}}, "header"),
        ({"image_shape": [3, 6]}, "header"),
        ({"image_shape": [3, 0, 6]}, "damaged"),
        ({"classes": ["cat"]}, "another architecture"),
        ({"normalisation": {"kind": "none"}}, "normalisation 'none'"),
        ({"epsilons": {"classifier": 0.1}}, "no batch normalisation"),
    ],
)
def test_a_header_that_cannot_be_is_refused(
    folder: Path, change: dict[str, object], message: str
) -> None:
    _rewritten(folder / FILE, lambda header: header.update(change))
    with pytest.raises(NetworkFileError, match=message):
        nas_env.load(folder)


def test_a_folder_without_a_network_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NetworkFileError, match="nas-env finalise"):
        nas_env.load(tmp_path)
    with pytest.raises(NetworkFileError, match="No such file"):
        nas_env.load(tmp_path / "gone.npz")
    (tmp_path / "finalise.json").write_text("{}")
    with pytest.raises(NetworkFileError, match="not finished"):
        nas_env.load(tmp_path)
