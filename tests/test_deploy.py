"""Deploy files, Dockerfile and settings agree; every metric that an alert watches exists."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from service.adapters.prometheus import metrics
from service.settings import Settings

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
ALERTS = DEPLOY / "prometheus" / "alerts.yml"


def read(name):
    """One YAML file below deploy/."""
    return yaml.safe_load((DEPLOY / name).read_text())


def instruction(word):
    """The last value that the Dockerfile gives to an instruction."""
    return re.findall(rf"^{word} (.+)$", DOCKERFILE, re.MULTILINE)[-1]


@pytest.fixture
def pod():
    """The StatefulSet's pod."""
    return read("kubernetes/statefulset.yaml")["spec"]["template"]["spec"]


def test_the_user_is_a_number_and_the_same_everywhere(pod):
    """Kubernetes can check runAsNonRoot only against a number, and the volume must belong to it."""
    user, group = map(int, instruction("USER").split(":"))
    context = pod["securityContext"]

    assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (user, group, group)
    assert f"--uid {user}" in DOCKERFILE


def test_the_port_is_the_same_everywhere(pod):
    """Settings, image, health check, pod, service, compose file and scrape configuration."""
    port = Settings.model_fields["port"].default
    (container,) = pod["containers"]
    compose = read("compose.yaml")["services"]["askwhen"]

    assert int(instruction("EXPOSE")) == port
    assert f"environ.get('ASKWHEN_PORT', {port})" in DOCKERFILE
    assert [(entry["name"], entry["containerPort"]) for entry in container["ports"]] == [("http", port)]
    assert [(entry["port"], entry["targetPort"]) for entry in read("kubernetes/service.yaml")["spec"]["ports"]] == [(port, "http")]
    assert compose["ports"] == [f"{port}:{port}"]
    assert read("prometheus/prometheus.yml")["scrape_configs"][0]["static_configs"] == [{"targets": [f"askwhen:{port}"]}]


def test_the_volume_is_the_same_everywhere(pod):
    """What the image calls its data folder is what is mounted, and the only thing that can be written."""
    folder = instruction("VOLUME")
    claims = [claim["metadata"]["name"] for claim in read("kubernetes/statefulset.yaml")["spec"]["volumeClaimTemplates"]]
    compose = read("compose.yaml")["services"]["askwhen"]

    assert f'"--data", "{folder}"' in DOCKERFILE
    for container in (*pod["initContainers"], *pod["containers"]):
        assert [(mount["name"], mount["mountPath"]) for mount in container["volumeMounts"]] == [(claims[0], folder)]
    assert compose["volumes"] == [f"data:{folder}"]
    assert "data" in read("compose.yaml")["volumes"]


def test_nobody_gets_a_right(pod):
    """Every container is confined as the image allows."""
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for service in read("compose.yaml")["services"].values():
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])


def test_one_process_owns_the_folder():
    """More replicas would be more services, each with a model of its own behind one name."""
    assert read("kubernetes/statefulset.yaml")["spec"]["replicas"] == 1


def test_kubernetes_sets_no_variable_that_is_a_setting(pod):
    """Service links would: a Service named askwhen gives every pod an ASKWHEN_PORT that is no number."""
    assert read("kubernetes/service.yaml")["metadata"]["name"] == "askwhen"
    assert pod["enableServiceLinks"] is False


def test_probes_ask_what_they_mean(pod):
    """Traffic and start wait for the streams; only a process that does not answer is killed."""
    (container,) = pod["containers"]
    paths = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")}

    assert paths == {
        "startup": {"path": "/readyz", "port": "http"},
        "readiness": {"path": "/readyz", "port": "http"},
        "liveness": {"path": "/livez", "port": "http"},
    }
    assert "/readyz" in DOCKERFILE.split("HEALTHCHECK")[1].split("ENTRYPOINT")[0]


def test_selectors_find_the_pod():
    """Service, disruption budget and monitor select the labels that the pod and the service have."""
    stateful = read("kubernetes/statefulset.yaml")
    labels = stateful["spec"]["template"]["metadata"]["labels"]
    service = read("kubernetes/service.yaml")
    budget = read("kubernetes/poddisruptionbudget.yaml")
    monitor = read("kubernetes/monitoring/servicemonitor.yaml")

    assert stateful["spec"]["selector"]["matchLabels"] == labels
    assert service["spec"]["selector"] == labels
    assert budget["spec"]["selector"]["matchLabels"] == labels
    assert monitor["spec"]["selector"]["matchLabels"] == service["metadata"]["labels"]
    assert stateful["spec"]["serviceName"] == service["metadata"]["name"]


@pytest.mark.parametrize("folder", ["kubernetes", "kubernetes/monitoring"])
def test_every_manifest_is_in_its_kustomization(folder):
    """A file that nobody applies is no deployment."""
    files = {path.name for path in (DEPLOY / folder).glob("*.yaml")} - {"kustomization.yaml"}

    assert set(read(f"{folder}/kustomization.yaml")["resources"]) == files


def test_the_scrape_key_has_one_name():
    """The secret that Prometheus reads is the one that is mounted or generated."""
    compose = read("compose.yaml")
    (scrape,) = read("prometheus/prometheus.yml")["scrape_configs"]
    (generated,) = read("kubernetes/monitoring/kustomization.yaml")["secretGenerator"]
    (endpoint,) = read("kubernetes/monitoring/servicemonitor.yaml")["spec"]["endpoints"]
    credentials = endpoint["authorization"]["credentials"]

    assert [scrape["authorization"]["credentials_file"]] == [
        f"/run/secrets/{name}" for name in compose["services"]["prometheus"]["secrets"]
    ]
    assert set(compose["services"]["prometheus"]["secrets"]) == set(compose["secrets"])
    assert (credentials["name"], credentials["key"]) == (generated["name"], generated["files"][0].split("=")[0])


def test_alerts_watch_metrics_that_exist():
    """A renamed metric would silence an alert for ever."""
    exported = set(re.findall(r"^# TYPE (\S+)", metrics(list)[1]("")[0].decode(), re.MULTILINE))
    rules = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
    watched = {name for rule in rules for name in re.findall(r"\baskwhen_\w+", rule["expr"] + rule["annotations"]["description"])}

    assert watched - exported == set()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool comes with Prometheus")
def test_alerts_fire_when_they_should():
    """Prometheus' own unit tests of the rules."""
    done = subprocess.run(["promtool", "test", "rules", ALERTS.with_name("alerts.test.yml")], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
