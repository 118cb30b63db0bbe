"""Checks of the Dockerfiles without Docker: command, health check, copied files."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from implementations import PROGRAMS, Implementation
from running import KEY
from waiting import free_port, until
from world import TIMEOUT_S, World


@pytest.fixture
def dockerfile(implementation: Implementation) -> str:
    return (implementation.folder / "Dockerfile").read_text()


@pytest.mark.only("python")
def test_python_image_command_and_health_check_work(
    implementation: Implementation, dockerfile: str, tmp_path: Path
) -> None:
    (files,) = re.findall(r"^COPY (\S+) \./$", dockerfile, re.MULTILINE)
    for file in implementation.folder.glob(files):
        shutil.copy(file, tmp_path)
    (command,) = re.findall(r"^CMD (\[.*\])$", dockerfile, re.MULTILINE)
    (health,) = re.findall(r"^HEALTHCHECK .*CMD (\[.*\])$", dockerfile, re.MULTILINE)
    variables = dict(
        variable.split("=", 1)
        for line in re.findall(r"^ENV (.*)$", dockerfile, re.MULTILINE)
        for variable in line.split()
    )
    settings = {"NUMBER_VERIFY_KEYS": KEY, "GLIDE_CLIENT_ID": "id", "GLIDE_CLIENT_SECRET": "secret"}
    settings |= {"GLIDE_REDIRECT_URI": "myapp://verified"}
    here = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "UVICORN_PORT": str(free_port())}
    environment = variables | settings | here

    def is_healthy() -> bool:
        assert process.poll() is None
        check = subprocess.run(json.loads(health), env=environment, capture_output=True, check=False)
        return check.returncode == 0

    process = subprocess.Popen(json.loads(command), cwd=tmp_path, env=environment, stderr=subprocess.PIPE)
    until(is_healthy, "the health check succeeds")
    process.terminate()
    process.communicate(timeout=TIMEOUT_S)
    check = subprocess.run(json.loads(health), env=environment, capture_output=True, check=False)
    assert check.returncode != 0


@pytest.mark.only("python")
def test_image_contains_no_configuration(implementation: Implementation, dockerfile: str) -> None:
    assert not re.search(r"GLIDE_|NUMBER_VERIFY_|REDIS_URL", dockerfile)
    assert (implementation.folder / ".dockerignore").read_text().splitlines()[1:] == ["*", "!*.py", "!requirements.txt"]
    users = re.findall(r"^(?:USER|CMD).*$", dockerfile, re.MULTILINE)
    assert users[0] == "USER 10001" and len(users) == 2


@pytest.mark.only("rust")
def test_rust_image_command_and_health_check_work(
    implementation: Implementation, dockerfile: str, world: World
) -> None:
    port = free_port()
    (command,) = re.findall(r"^CMD (\[.*\])$", dockerfile, re.MULTILINE)
    (health,) = re.findall(r"^HEALTHCHECK .*CMD (\[.*\])$", dockerfile, re.MULTILINE)
    (listen,) = re.findall(r"^ENV LISTEN=(.*):8000$", dockerfile, re.MULTILINE)
    (program,) = json.loads(command)
    assert implementation.command(port) == [str(PROGRAMS / program)]
    environment = implementation.environment(port, world.ready, "myapp://verified")
    environment |= {"NUMBER_VERIFY_KEYS": KEY, "LISTEN": f"{listen}:{port}"}
    check = [word.replace(":8000/", f":{port}/") for word in json.loads(health)]
    if not shutil.which(check[0]):
        pytest.skip(f"{check[0]} is not on the PATH")

    def is_healthy() -> bool:
        assert process.poll() is None
        return subprocess.run(check, capture_output=True, check=False).returncode == 0

    process = subprocess.Popen(implementation.command(port), env=environment, stderr=subprocess.DEVNULL)
    until(is_healthy, "the health check succeeds")
    process.terminate()
    assert process.wait(TIMEOUT_S) == 0
    assert subprocess.run(check, capture_output=True, check=False).returncode != 0


@pytest.mark.only("rust")
def test_rust_image_contains_all_sources_and_no_configuration(implementation: Implementation, dockerfile: str) -> None:
    assert not re.search(r"OIDC_|CAMARA_|NUMBER_VERIFY_|REDIS_URL", dockerfile)
    users = re.findall(r"^(?:USER|CMD).*$", dockerfile, re.MULTILINE)
    assert users[0] == "USER 10001" and len(users) == 2
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.MULTILINE)
    sources = [source for line in copied for source in line.split()]
    assert all((implementation.folder / source).exists() for source in sources)
    assert (implementation.folder / ".dockerignore").read_text().splitlines()[1:] == [
        "*",
        *(f"!{it}" for it in sources),
    ]
