"""``deploy/kuberay.yaml`` agrees with ``restr bulk``, with the project's Ray, with the image, and with itself."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tyro
import yaml

from restr.cli.bulk.options import Bulk

ROOT = Path(__file__).parents[2]
MANIFEST = ROOT / "deploy" / "kuberay.yaml"


@pytest.fixture(scope="module")
def job() -> dict[str, Any]:
    return yaml.safe_load(MANIFEST.read_text())


def options_of(job: dict[str, Any]) -> Bulk:
    program, verb, *arguments = shlex.split(job["spec"]["entrypoint"])
    assert (program, verb) == ("restr", "bulk")
    return tyro.cli(Bulk, args=arguments)


def pods(job: dict[str, Any]) -> list[dict[str, Any]]:
    """The head's pod and a worker's."""
    cluster = job["spec"]["rayClusterSpec"]
    return [group["template"]["spec"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]


def test_workers_of_the_verb_have_room_on_the_pods(job: dict[str, Any]) -> None:
    options, [group] = options_of(job), job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert options.ray == "auto" and options.out.startswith("s3://")
    assert group["replicas"] == group["minReplicas"] == group["maxReplicas"] == options.workers
    container = pods(job)[1]["containers"][0]
    assert int(container["resources"]["limits"]["cpu"]) == options.cpus_per_worker
    assert options.gpus_per_worker == 0 and "nvidia.com/gpu" not in container["resources"]["limits"]
    assert job["spec"]["rayClusterSpec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"


def test_a_row_with_an_error_does_not_begin_the_job_again(job: dict[str, Any]) -> None:
    assert job["spec"]["backoffLimit"] > 0 and options_of(job).allow_errors


def test_the_cluster_has_a_ray_that_the_project_takes(job: dict[str, Any]) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    least = next(re.findall(r">=([\d.]+)", each)[0] for each in extras["ray"] if each.startswith("ray["))
    version = job["spec"]["rayClusterSpec"]["rayVersion"]
    assert [int(each) for each in version.split(".")] >= [int(each) for each in least.split(".")]


def test_pods_are_as_shut_as_the_servers(job: dict[str, Any]) -> None:
    user = re.findall(r"^USER (\d+):", (ROOT / "deploy" / "Dockerfile").read_text(), re.MULTILINE)
    for pod in pods(job):
        [container] = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] and str(pod["securityContext"]["runAsUser"]) == user[-1]
        own = container["securityContext"]
        assert own["readOnlyRootFilesystem"] and not own["allowPrivilegeEscalation"]
        assert own["capabilities"] == {"drop": ["ALL"]} and not pod["automountServiceAccountToken"]
        assert [each["mountPath"] for each in container["volumeMounts"]] == ["/tmp"]
        assert {each["name"] for each in pod["volumes"]} == {each["name"] for each in container["volumeMounts"]}
        assert {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"} in container["env"]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            command = container[probe]["exec"]["command"]
            assert command[0] == "python" and compile(command[-1], probe, "exec"), "a slim image has no wget"


def test_the_image_can_be_built_with_what_the_head_of_the_file_says() -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = dict(re.findall(r"--build-arg (\w+)=(\S+)", MANIFEST.read_text()))
    assert named["EXTRAS"] in extras
    for name in named:
        assert f"ARG {name}=" in dockerfile and f"${{{name}}}" in dockerfile
