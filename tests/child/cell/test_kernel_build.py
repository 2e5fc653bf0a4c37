"""The kernel is compiled once and reused; without a compiler everything still runs."""

import ctypes
import logging
import os
import shutil
import tempfile
from pathlib import Path

import pytest
import torch

from nas_env.child.cell import kernel_backend, kernel_build
from nas_env.child.cell.backend import TorchBackend
from nas_env.child.cell.recurrent_layer import RecurrentLayer
from nas_env.child.cell.sequence import LayerInput, run_layer
from nas_env.space.published import MAX_SIN_CELL, NAS_CELL

needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="needs a C++ compiler"
)


@pytest.fixture
def quick_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler as it is, but without optimising, which takes ten times as long."""
    flags = tuple("-O0" if flag == "-O3" else flag for flag in kernel_build._COMMON)
    monkeypatch.setattr(kernel_build, "_COMMON", flags)


def forget_kernel() -> None:
    kernel_build.load_kernel.cache_clear()
    kernel_backend.kernel_library.cache_clear()
    kernel_backend.kernel_backend.cache_clear()


@needs_compiler
@pytest.mark.usefixtures("quick_compiler")
def test_a_second_build_reuses_the_first(tmp_path: Path) -> None:
    library = kernel_build.build(tmp_path / "cache")
    built_at = library.stat().st_mtime_ns
    assert kernel_build.build(tmp_path / "cache") == library
    assert library.stat().st_mtime_ns == built_at
    assert os.listdir(tmp_path / "cache") == [library.name]


@needs_compiler
@pytest.mark.usefixtures("quick_compiler")
@pytest.mark.parametrize("which", ["the library", "its folder"])
@pytest.mark.parametrize("whose", ["another user's", "the group's to write", "anyone's to write"])
def test_a_kernel_that_others_could_have_put_there_is_not_loaded(
    which: str,
    whose: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("NAS_ENV_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = tmp_path / "cache" / "kernels"
    folder.mkdir(mode=0o700, parents=True)
    compiler = kernel_build._compiler()
    planted = folder / f"cell_kernel_{kernel_build._fingerprint(compiler)}.so"
    planted.write_bytes(b"not a library")
    changed = planted if which == "the library" else folder
    if whose == "another user's":
        if os.getuid() != 0:
            pytest.skip("only root can give a file away")
        os.chown(changed, 12345, -1)
    else:
        changed.chmod(0o770 if whose == "the group's to write" else 0o707)
    forget_kernel()
    try:
        with caplog.at_level(logging.WARNING):
            library = kernel_build.load_kernel()
    finally:
        forget_kernel()
    assert library is not None, "built anew, here or elsewhere"
    words = "user 12345 owns it" if whose == "another user's" else "others can write it"
    assert words in caplog.text
    if which == "its folder":
        assert planted.read_bytes() == b"not a library"
        other = tmp_path / f"nas_env-kernels-{os.getuid()}"
        assert os.listdir(other) == [planted.name]
        assert other.stat().st_mode & 0o077 == 0


def test_where_others_can_write_every_folder_layers_run_in_torch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NAS_ENV_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for folder in (tmp_path / "cache" / "kernels", tmp_path / f"nas_env-kernels-{os.getuid()}"):
        folder.mkdir(parents=True)
        folder.chmod(0o777)
    forget_kernel()
    try:
        with caplog.at_level(logging.WARNING):
            assert kernel_build.load_kernel() is None
    finally:
        forget_kernel()
    assert "cannot be trusted: others can write it (mode 777)" in caplog.text


@needs_compiler
def test_another_processor_or_compiler_gets_its_own_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = kernel_build._fingerprint("/usr/bin/env")
    assert kernel_build._fingerprint("/bin/sh") != here
    monkeypatch.setattr(kernel_build, "_processor", lambda: "another machine")
    assert kernel_build._fingerprint("/usr/bin/env") != here


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_most_portable_build_computes_the_same(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(kernel_build, "_VARIANTS", ((),))
    library = kernel_backend.KernelLibrary(ctypes.CDLL(str(kernel_build.build(tmp_path))))
    torch.manual_seed(0)
    shapes = (21, 40), (7, 40), (7, 40), (40, 320), (40, 320), (320,)
    operands = LayerInput(*((0.3 * torch.randn(s, dtype=dtype)).requires_grad_() for s in shapes))
    found = []
    for backend in (kernel_backend.KernelBackend(library), TorchBackend()):
        outputs = run_layer(MAX_SIN_CELL, (7, 7, 7), operands, None, backend)
        total = outputs[0].sum() + outputs[2].sum()
        found.append([*outputs, *torch.autograd.grad(total, list(vars(operands).values()))])
    for ours, wanted in zip(*found, strict=True):
        torch.testing.assert_close(ours, wanted, atol=1e-4, rtol=1e-5)


def test_without_a_compiler_layers_run_in_torch_and_say_so_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    layer, x = RecurrentLayer(NAS_CELL, 4, 6), torch.randn(5, 3, 4)
    expected = layer(x)[0]
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("NAS_ENV_CACHE", str(tmp_path))
    forget_kernel()
    try:
        with caplog.at_level(logging.WARNING):
            torch.testing.assert_close(layer(x)[0], expected)
            layer(x)
    finally:
        forget_kernel()
    assert len(caplog.records) == 1
    assert "2 to 8 times as long" in caplog.text and "no C++ compiler" in caplog.text


def test_a_compiler_that_fails_is_named_with_its_complaint(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    compiler = tmp_path / "broken-c++"
    compiler.write_text("#!/bin/sh\necho 'no such target' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    with pytest.raises(kernel_build.KernelUnavailableError, match=r"broken-c.* no such target"):
        kernel_build.build(tmp_path / "cache")
    assert os.listdir(tmp_path / "cache") == []


def test_an_unusable_cache_folder_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CXX", "/bin/sh")
    (tmp_path / "file").write_text("")
    with pytest.raises(kernel_build.KernelUnavailableError, match=r"cache folder .*file"):
        kernel_build.build(tmp_path / "file" / "cache")


def test_the_program_lists_functions_by_number() -> None:
    program = kernel_backend.program_of(NAS_CELL)
    assert program[:3] == (8, 12, 8)
    assert program[3:9] == (0, 2, 0, 3, 0, 2)  # add sigmoid, add relu, add sigmoid
    assert program[-2:] == (0, 1)  # the inject: add tanh
    assert len(program) == 3 + 2 * 16
