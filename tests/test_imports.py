import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import glee

PACKAGE = Path(__file__).parent.parent / "src" / "glee"

# Each part imports only from parts below it; parts of one row do not import each other.
ROWS = (
    ("__init__", "__main__", "cli", "serve"),
    ("autolabel", "export", "training", "evaluation", "bench"),
    ("video",),
    ("inference", "tracking", "data"),
    ("model", "draw", "coco_file"),
    ("prompts", "results", "config", "plates"),
    ("ops", "files", "fonts", "images", "config_json", "colors", "plotting"),
)
LEVEL = {part: level for level, row in enumerate(ROWS) for part in row}
# The lazy front door: commands use the library as users do.
ALLOWED = {("cli", "__init__"), ("__main__", "cli")}


def part_of(module: str) -> str:
    return [*module.split("."), "__init__"][1]


def imported_parts(path: Path) -> set[str]:
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
    return {part_of(module) for module in modules if module.split(".")[0] == "glee"}


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_imports_go_in_one_direction(path: Path) -> None:
    own = path.relative_to(PACKAGE).with_suffix("").parts[0]

    wrong = {
        other
        for other in imported_parts(path)
        if other != own and (own, other) not in ALLOWED and LEVEL[other] <= LEVEL[own]
    }

    assert not wrong


def test_importing_the_package_imports_nothing_heavy_and_sets_nothing() -> None:
    code = (
        "import os, sys; before = dict(os.environ); import glee; "
        "heavy = {'torch', 'numpy', 'PIL', 'tokenizers'} & set(sys.modules); "
        "assert not heavy, heavy; assert dict(os.environ) == before"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs the threads of Linux")
def test_importing_any_module_starts_no_thread() -> None:
    """A process that is forked from one in which torch computed with threads can wait for ever."""
    code = (
        "import importlib, os, pkgutil\n"
        "import numpy, torch\n"
        "before = os.listdir('/proc/self/task')\n"
        "import glee\n"
        "for module in pkgutil.walk_packages(glee.__path__, 'glee.'):\n"
        "    if not module.name.endswith('__main__'):\n"
        "        importlib.import_module(module.name)\n"
        "    assert os.listdir('/proc/self/task') == before, module.name\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )

    assert done.returncode == 0, done.stderr


def test_all_public_names_can_be_imported() -> None:
    assert all(getattr(glee, name).__doc__ for name in glee.__all__)


def test_loading_nano_does_not_import_the_compiler_of_torch() -> None:
    code = (
        "import sys, glee; glee.load('nano', device='cpu'); "
        "assert 'torch._dynamo' not in sys.modules"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
