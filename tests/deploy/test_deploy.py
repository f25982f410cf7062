"""The files in deploy/ agree with the server and with each other: options, ports, routes, times and names."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tyro
import yaml

from restr.server.app import create_app
from restr.server.processes.several import GRACE
from restr.server.settings import ServerSettings
from served import listening, model_in

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DEFAULTS = ServerSettings()
DRAIN = DEFAULTS.deadline_s + GRACE  # seconds in which the server ends by itself


def dockerfile() -> list[tuple[str, str]]:
    """(instruction, its arguments), continued lines joined."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines if line.strip()]


def last(instruction: str) -> str:
    """The arguments of an instruction in the final image."""
    return [rest for name, rest in dockerfile() if name == instruction][-1]


def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["restr"]


def manifests() -> dict[str, Any]:
    return {each["kind"]: each for each in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())}


def pod() -> dict[str, Any]:
    return manifests()["Deployment"]["spec"]["template"]["spec"]


def unit() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(DEPLOY / "restr.service")
    return parser["Service"]


def health_commands() -> list[list[str]]:
    """The health checks of the image and of compose.yaml."""
    return [json.loads(last("HEALTHCHECK").partition("CMD ")[2]), compose()["healthcheck"]["test"][1:]]


def command_lines() -> Iterator[tuple[str, list[str]]]:
    """(where, options of ``restr serve``)"""
    entry = json.loads(last("ENTRYPOINT"))
    assert entry[:2] == ["restr", "serve"]
    yield "Dockerfile", entry[2:]
    yield "compose.yaml", entry[2:] + compose()["command"]
    yield "kubernetes.yaml", entry[2:] + pod()["containers"][0]["args"]
    yield "restr.service", shlex.split(unit()["ExecStart"])[2:-1]
    for path in sorted(path for path in DEPLOY.iterdir() if path.is_file()):
        for found in re.findall(r"restr serve((?: --[\w-]+(?: [\w.:/-]+)?)+)", path.read_text()):
            yield path.name, shlex.split(found)


@pytest.mark.parametrize(("where", "options"), list(command_lines()))
def test_options_are_known_to_the_server(where: str, options: list[str]) -> None:
    settings = tyro.cli(ServerSettings, args=options)
    assert settings.port == DEFAULTS.port
    if where in ("Dockerfile", "compose.yaml", "kubernetes.yaml"):
        assert settings.host == "0.0.0.0"
    if where == "restr.service":
        assert settings.host == DEFAULTS.host
    if where == "kubernetes.yaml":
        mount = next(each for each in pod()["containers"][0]["volumeMounts"] if each["name"] == "api-keys")
        assert str(settings.api_keys).startswith(mount["mountPath"] + "/")


def test_options_that_texts_name_exist() -> None:
    # `podman --runtime` and such are other programs' options; those named alone or after restr are ours.
    known = subprocess.run(
        [sys.executable, "-m", "restr", "serve", "--help"], capture_output=True, text=True, check=True
    )
    for name in ("compose.yaml", "restr.service", "kubernetes.yaml"):
        comments = " ".join(re.findall(r"#(.*)", (DEPLOY / name).read_text()))
        named = set(re.findall(r"(?<!\S)(--[a-z][\w-]+)", comments)) - {"--now", "--from-file", "--build"}
        assert named, name
        assert {each for each in named if each not in known.stdout} == set(), name


def test_ports_agree() -> None:
    port = DEFAULTS.port
    assert last("EXPOSE") == str(port)
    assert compose()["ports"] == [f"127.0.0.1:{port}:{port}"]
    container = pod()["containers"][0]
    assert container["ports"] == [{"name": "http", "containerPort": port}]
    assert manifests()["Service"]["spec"]["ports"][0]["targetPort"] == "http"
    for command in health_commands():
        assert f"http://127.0.0.1:{port}/" in command[-1]


def test_health_is_asked_where_it_is_answered() -> None:
    routes = set(create_app().openapi()["paths"])
    container = pod()["containers"][0]
    probes = {name: container[name]["httpGet"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert all(probe["port"] == "http" for probe in probes.values())
    assert probes["readinessProbe"]["path"] == "/health/ready" != probes["livenessProbe"]["path"]
    asked = {probe["path"] for probe in probes.values()}
    asked |= {re.findall(r":\d+(/[\w/]+)", command[-1])[0] for command in health_commands()}
    assert asked <= routes


@pytest.mark.parametrize("command", health_commands())
def test_the_health_check_tells_a_server_from_none(command: list[str], tmp_path: Path) -> None:
    assert command[0] == "python"
    with listening(model_in(tmp_path)) as (_, address):
        asked = [sys.executable, *command[1:-1], command[-1].replace(f"http://127.0.0.1:{DEFAULTS.port}", address)]
        assert subprocess.run(asked, timeout=30).returncode == 0
        wrong = [*asked[:-1], asked[-1].replace("/health/ready", "/health/other")]
        assert subprocess.run(wrong, capture_output=True, timeout=30).returncode != 0
    assert subprocess.run(asked, capture_output=True, timeout=30).returncode != 0


def test_there_is_time_to_end() -> None:
    assert float(compose()["stop_grace_period"].removesuffix("s")) > DRAIN
    assert float(unit()["TimeoutStopSec"]) > DRAIN
    sleep = pod()["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    before = float(re.findall(r"sleep\((\d+)\)", sleep[-1])[0])
    assert pod()["terminationGracePeriodSeconds"] > DRAIN + before
    assert unit()["KillSignal"] == last("STOPSIGNAL") == "SIGTERM"
    assert unit()["ExecReload"].split()[1] == "-HUP"


def test_all_give_as_much_memory() -> None:
    limits = [compose()["mem_limit"], unit()["MemoryMax"], pod()["containers"][0]["resources"]["limits"]["memory"]]
    gigabytes = {float(re.findall(r"\d+", each)[0]) for each in limits}
    assert len(gigabytes) == 1 and gigabytes.pop() * 2**30 > 2 * DEFAULTS.kept_bytes


def test_nothing_runs_as_root_or_may_write() -> None:
    user = last("USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    context = pod()["securityContext"]
    assert f"{context['runAsUser']}:{context['runAsGroup']}" == user and context["runAsNonRoot"]
    own = pod()["containers"][0]["securityContext"]
    assert (
        own["readOnlyRootFilesystem"]
        and not own["allowPrivilegeEscalation"]
        and own["capabilities"] == {"drop": ["ALL"]}
    )
    assert {each["mountPath"] for each in pod()["containers"][0]["volumeMounts"] if not each.get("readOnly")} == {
        "/tmp"
    }
    assert compose()["read_only"] and compose()["cap_drop"] == ["ALL"]
    assert [each.partition(":")[0] for each in compose()["tmpfs"]] == ["/tmp"]


def test_labels_lead_to_the_pods() -> None:
    found = manifests()
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert labels == found["Deployment"]["spec"]["selector"]["matchLabels"] == found["Service"]["spec"]["selector"]
    assert labels == found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]
    assert labels == found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]
    assert found["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == found["Deployment"]["metadata"]["name"]
    affinity = found["Service"]["spec"]["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"]
    assert affinity == DEFAULTS.kept_s


def test_the_image_installs_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    torch = next(rest for name, rest in dockerfile() if name == "ARG" and rest.startswith("TORCH=")).partition("=")[2]
    assert f"TORCH ?= torch=={torch}" in (ROOT / "Makefile").read_text()
    wanted = next(each for each in project["project"]["dependencies"] if each.startswith("torch"))
    low, high = re.findall(r"[\d.]+", wanted)
    assert [int(each) for each in low.split(".")] <= [int(each) for each in torch.split(".")][:2]
    assert [int(each) for each in torch.split(".")][:2] < [int(each) for each in high.split(".")]
    allowed = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    named = {project["project"]["readme"], *project["project"]["license-files"], "pyproject.toml", "src"}
    assert allowed == named
    assert "restr" in project["project"]["scripts"] and unit()["ExecStart"].split()[0].endswith("/bin/restr")
