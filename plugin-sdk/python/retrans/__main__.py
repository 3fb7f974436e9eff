"""Builds the plugin of a project: ``python3 -m retrans``."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from pathlib import Path
from typing import Any, NoReturn

from . import _plugin

COMPONENTIZE = "0.25.1"
MODULE = "plugin"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python3 -m retrans", description="Builds the plugin in plugin.py.")
    parser.add_argument("-o", "--output", type=Path, help="the file to write; by default NAME.wasm")
    output: Path | None = parser.parse_args().output
    project = Path.cwd()
    if not (project / f"{MODULE}.py").is_file():
        fail(f"there is no {MODULE}.py in {project}: run this in the directory of the project")
    described = describe(project)
    exported = load(project)
    output = output or project / f"{exported.name or described['name']}.wasm"
    try:
        world = exported.world()
    except TypeError as error:
        fail(str(error))
    build(project, described, world, output)
    print(f"built {output.name} ({output.stat().st_size / 1e6:.1f} MB, world {world})")


def describe(project: Path) -> dict[str, str]:
    """Name, version and summary by pyproject.toml."""
    table: dict[str, Any] = {}
    file = project / "pyproject.toml"
    if file.is_file():
        try:
            table = tomllib.loads(file.read_text()).get("project", {})
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            fail(f"pyproject.toml: {error}")
    found = {
        "name": table.get("name", project.name),
        "version": table.get("version", "0.1.0"),
        "summary": table.get("description", ""),
    }
    for key, value in found.items():
        if not isinstance(value, str):
            fail(f"pyproject.toml: project.{key}: expected text, not {value!r}")
    return found


def load(project: Path) -> _plugin.Exported:
    """Imports the plugin here, where an exception shows all of its lines."""
    sys.path.insert(0, str(project))
    # A compiled file of each build would stay in the project.
    sys.dont_write_bytecode = True
    importlib.import_module(MODULE)
    if _plugin.exported is None:
        fail(f"{MODULE}.py exports no plugin: write @export before its class")
    return _plugin.exported


def build(project: Path, described: dict[str, str], world: str, output: Path) -> None:
    with tempfile.TemporaryDirectory() as made:
        values = {"MODULE": MODULE} | {key.upper(): value for key, value in described.items()}
        lines = "".join(f"{key} = {value!r}\n" for key, value in values.items())
        Path(made, "retrans_build.py").write_text(lines)
        # The SDK of this run, which may be elsewhere than in the project.
        sdk = Path(__file__).resolve().parent
        paths = dict.fromkeys([made, str(project), str(sdk.parent)])
        command = [
            *(componentize_py(), "--wit-path", str(sdk / "plugin.wit"), "--world", world, "--quiet", "componentize"),
            *(argument for path in paths for argument in ("--python-path", path)),
            *("--output", str(Path(made, "plugin.wasm")), "retrans._component"),
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.stderr.write(done.stdout + done.stderr)
            fail("componentize-py cannot build the plugin; see above")
        shutil.move(Path(made, "plugin.wasm"), output)


def componentize_py() -> str:
    """The program of the environment that this Python is of, or one in PATH."""
    scripts = sysconfig.get_path("scripts")
    program = shutil.which("componentize-py", path=scripts) or shutil.which("componentize-py")
    install = f"python3 -m pip install componentize-py=={COMPONENTIZE}"
    if program is None:
        fail(f"componentize-py is missing; install it in a virtual environment: {install}")
    shown = subprocess.run([program, "--version"], capture_output=True, text=True).stdout.split()
    version = shown[-1] if shown else "unknown"
    if version != COMPONENTIZE:
        print(f"retrans: warning: componentize-py {version} instead of {COMPONENTIZE}: {install}", file=sys.stderr)
    return program


def fail(message: str) -> NoReturn:
    sys.exit(f"retrans: {message}")


if __name__ == "__main__":
    main()
