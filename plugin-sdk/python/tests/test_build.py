"""The build: what it says where it cannot build. That it builds is tested with the components."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SDK = Path(__file__).resolve().parent.parent

PLUGIN = """
from retrans import KEEP, Event, Output, Plugin, export

@export
class Keeps(Plugin):
    def on_event(self, event: Event, out: Output) -> bool:
        return KEEP
"""


class BuildTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.project = Path(directory.name)

    def build(self, plugin: str | None, pyproject: str | None = None) -> str:
        """The last line of what a build says that fails."""
        if plugin is not None:
            (self.project / "plugin.py").write_text(plugin)
        if pyproject is not None:
            (self.project / "pyproject.toml").write_text(pyproject)
        # No componentize-py: neither in PATH nor beside this Python.
        code = "import runpy, sysconfig; sysconfig.get_path = str; runpy.run_module('retrans', None, '__main__')"
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=self.project,
            env=os.environ | {"PYTHONPATH": str(SDK), "PATH": "/none"},
            capture_output=True,
            text=True,
        )
        self.assertNotEqual(done.returncode, 0)
        return done.stderr.strip().splitlines()[-1]

    def test_without_a_plugin(self) -> None:
        self.assertRegex(self.build(None), "^retrans: there is no plugin.py in /.*: run this in the directory")
        self.assertEqual(self.build("x = 1"), "retrans: plugin.py exports no plugin: write @export before its class")

    def test_without_componentize_py(self) -> None:
        self.assertEqual(
            self.build(PLUGIN),
            "retrans: componentize-py is missing; install it in a virtual environment: "
            "python3 -m pip install componentize-py==0.25.1",
        )

    def test_a_plugin_that_cannot_be_imported(self) -> None:
        self.assertEqual(self.build("import missing_thing"), "ModuleNotFoundError: No module named 'missing_thing'")
        two = PLUGIN + PLUGIN.replace("Keeps", "Other")
        self.assertEqual(self.build(two), "TypeError: Keeps is exported already: a component is one plugin")
        none = "from retrans import Plugin, export\n\n@export\nclass Lazy(Plugin): pass\n"
        self.assertEqual(self.build(none), "TypeError: Lazy has no method on_event")

    def test_a_wrong_pyproject(self) -> None:
        self.assertRegex(self.build(PLUGIN, "[project"), "^retrans: pyproject.toml: Expected")
        self.assertEqual(
            self.build(PLUGIN, "[project]\nname = 1\n"), "retrans: pyproject.toml: project.name: expected text, not 1"
        )

    def test_the_pinned_versions_are_the_same(self) -> None:
        from retrans.__main__ import COMPONENTIZE

        requirements = (SDK / "project" / "requirements.txt").read_text()
        self.assertIn(f"\ncomponentize-py=={COMPONENTIZE} ", requirements)


if __name__ == "__main__":
    unittest.main()
