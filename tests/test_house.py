"""How the house is built: who may import whom, what is shipped, and what stays out."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("connector", "providers", "webhooks")
BELOW_NO_LAYER = {"connector"}  # the namespace itself
FOUNDATIONS = {"connector.settings", "connector.logs"}  # read by doors alone, which the layers cannot say
LAZY = ("googleapiclient", "msal", "caldav.davclient", "niquests")


def modules() -> set[str]:
    found = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if "versions" not in parts:  # steps of the schema, which Alembic finds by their files
                found.add(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found


def layers() -> list[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    [contract] = [contract for contract in settings["contracts"] if contract["type"] == "layers"]
    return [name.strip() for layer in contract["layers"] for name in layer.split("|")]


def test_the_contracts_on_imports_are_kept() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_what_is_done_under_a_claim_is_recorded_in_fenced_transactions_alone() -> None:
    """Whoever has the claim at hand opens no other transaction. `doubts.leave` has none: a loser may say that much."""
    found = []
    for path in [*(ROOT / "connector/services").rglob("*.py"), ROOT / "connector/work/dispatch.py"]:
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef | ast.ClassDef) and _has_claim(function):
                calls = (node for node in ast.walk(function) if isinstance(node, ast.Call))
                found += [
                    f"{path.relative_to(ROOT)}:{call.lineno}"
                    for call in calls
                    if ast.unparse(call.func).endswith("database.begin")
                ]
    assert found == []


def test_whoever_decides_about_a_practitioner_asks_first_whether_everything_stands_still() -> None:
    """`standstill.lock` does; what only records does not need to, and the decision after a restore is one."""
    locking = {
        path.relative_to(ROOT / "connector/services").as_posix()
        for path in (ROOT / "connector/services").rglob("*.py")
        if re.search(r"people\.practitioner\(.*lock=True", path.read_text())
    }
    recording, deciding = (
        {"sync/push.py", "sync/doubts.py", "sync/erasure.py", "texts.py", "consent.py"},
        {"restoring.py", "sync/breaker.py"},
    )
    letting_in = {"signing_in/links.py"}  # which the decision may need
    assert locking == {"standstill.py"} | recording | deciding | letting_in


def _has_claim(node: ast.FunctionDef | ast.ClassDef) -> bool:
    """Whether a function is given a claim, or a class keeps one."""
    if isinstance(node, ast.ClassDef):
        names = [ast.unparse(line.target) for line in node.body if isinstance(line, ast.AnnAssign)]
    else:
        arguments = [*node.args.args, *node.args.kwonlyargs]
        names = [f"{argument.arg}" for argument in arguments] + [
            ast.unparse(argument.annotation) for argument in arguments if argument.annotation is not None
        ]
    return bool({"fence", "running", "Fence", "Running", "_Subscription"} & set(names))


def test_nothing_that_fails_is_logged_below_warning() -> None:
    """A line with a cause in it is about something that failed."""
    found = []
    for path in [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]:
        calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
        quiet = [call for call in calls if ast.unparse(call.func) in {"log.info", "log.debug"}]
        words = {"error", "reason", "cause", "why"}
        found += [f"{path.name}:{one.lineno}" for one in quiet if words & {keyword.arg for keyword in one.keywords}]
    assert found == []


def test_every_module_belongs_to_a_layer() -> None:
    known = layers()
    homeless = {
        name
        for name in modules() - BELOW_NO_LAYER - FOUNDATIONS
        if not any(name == layer or name.startswith(f"{layer}.") for layer in known)
    }
    assert homeless == set()


def test_every_room_is_in_the_table_of_the_architecture() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    rooms = set(re.findall(r"`((?:connector/)?[a-z]+)(?:\.py)?`", page[page.index("## The rooms") :]))
    there = {f"connector/{name.split('.')[1]}" for name in modules() if name.startswith("connector.")}
    assert there | {"providers", "webhooks"} <= rooms


def test_every_layer_is_there() -> None:
    assert set(layers()) <= modules()


def test_settings_are_read_by_doors_alone() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"^(from connector\.settings import|import connector\.settings)", path.read_text(), re.MULTILINE)
    }
    assert {path for path in readers if not path.startswith("connector/cli/")} <= {
        "connector/app.py",
        "connector/runtime.py",
        "connector/hosted/installation.py",
    }


def test_two_places_hand_over_the_environment() -> None:
    readers = [
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"\bos\.(environ|getenv)\b", path.read_text()) and "demo" not in path.parts
    ]
    assert sorted(readers) == ["connector/cli/_shared.py", "connector/plugin.py"]


def test_an_application_waits_with_the_calendar_services_until_it_needs_them(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from connector import app\n"
        "app.create_app(app.build(app.read_settings({'CONNECTOR_DATABASE_URL': sys.argv[1]})))\n"
        "print(*sys.modules)\n"
    )
    url = f"sqlite:///{tmp_path}/pencilled.sqlite3"
    done = subprocess.run([sys.executable, "-c", script, url], capture_output=True, text=True, check=True)
    assert "flask" in done.stdout.split()
    assert not set(LAZY) & set(done.stdout.split())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [made] = folder.glob("pencilled-*.whl")
    with zipfile.ZipFile(made) as archive:
        return set(archive.namelist())


def test_the_wheel_has_every_file_of_the_packages(wheel: set[str]) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *PACKAGES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert {name for name in tracked if (ROOT / name).exists()} <= wheel


def test_the_wheel_has_what_is_no_python(wheel: set[str]) -> None:
    for pattern in (
        r"connector/web/templates/.+\.html",
        r"connector/web/static/.+\.css",
        r"connector/outbox/templates/.+",
        r"connector/language/catalogues/de\.po",
        r"connector/storage/migrations/script\.py\.mako",
        r"connector/storage/migrations/versions/\d{4}_\w+\.py",
        r"connector/py\.typed",
        r"connector/cli/demo/host/lindenhof/templates/rearrange\.html",
    ):
        assert any(re.fullmatch(pattern, name) for name in wheel), pattern


def test_the_wheel_has_the_three_packages_and_nothing_else(wheel: set[str]) -> None:
    assert {name.partition("/")[0] for name in wheel if ".dist-info/" not in name} == set(PACKAGES)


def test_no_other_distribution_provides_our_packages() -> None:
    providers = packages_distributions()
    for package in PACKAGES:
        assert set(providers.get(package, ["pencilled"])) == {"pencilled"}


def test_the_pinned_versions_name_no_place_to_get_them_from() -> None:
    assert "://" not in (ROOT / "constraints.txt").read_text()


def test_everything_that_is_needed_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *project["optional-dependencies"]["dev"],
        *project["optional-dependencies"]["demo"],
    ]
    names = {re.split(r"[\[<>=;~! ]", text)[0].lower().replace("_", "-") for text in wanted} - {"pencilled"}
    pinned = {line.partition("==")[0].strip() for line in (ROOT / "constraints.txt").read_text().splitlines()}
    assert names <= pinned


def test_the_machine_that_checks_runs_what_we_run() -> None:
    steps = (ROOT / ".ci" / "run").read_text()
    assert re.search(r"^run make test$", steps, re.MULTILINE)
    assert re.search(r"^run make check$", steps, re.MULTILINE)
