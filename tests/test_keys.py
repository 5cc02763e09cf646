"""Keys and TLS as an operator uses them: the real command line beside a real server."""

import os
import ssl
import subprocess
import sys
import time

import httpx
import pytest

from loadtest.server import free_port, serving

EVERYWHERE = "0.0.0.0"  # noqa: S104 - that is what is tested
PATIENCE = 20.0  # seconds; a server takes keys over within one


def run(*arguments):
    """Run `askwhen keys ...` to its end."""
    command = [sys.executable, "-m", "service", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "COLUMNS": "200"})


def create(data, name, *scopes, rate=None):
    """Make a key; gives its text."""
    options = [option for scope in scopes for option in ("--scope", scope)] + (["--rate", rate] if rate else [])
    made = run("keys", "create", name, *options, "--data", data)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def until(condition):
    """Look until it is so."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def status(server, key=None, path="/v1/streams"):
    """The status of a look."""
    return httpx.get(f"{server.url}{path}", headers={"Authorization": f"Bearer {key}"} if key else {}).status_code


def test_keys_are_made_listed_used_and_revoked_beside_a_running_server(tmp_path):
    """The first one closes the door, the last one's end does not open it, and no file holds a key's text."""
    with serving(tmp_path) as server:
        assert status(server) == 200
        reader = create(tmp_path, "dashboard", "read")
        until(lambda: status(server) == 401)
        admin = create(tmp_path, "boss", "admin")
        until(lambda: status(server, admin) == 200)
        assert status(server, reader) == 200
        forbidden = httpx.put(f"{server.url}/v1/streams/s", json={}, headers={"Authorization": f"Bearer {reader}"})
        assert (forbidden.status_code, "read" in forbidden.json()["detail"]) == (403, True)
        for key in (reader, admin):
            revoked = run("keys", "revoke", key.split("_")[1], "--data", tmp_path)
            assert revoked.returncode == 0
            until(lambda key=key: status(server, key) == 401)
        assert status(server) == 401
        assert status(server, path="/readyz") == 200
        server.stop()
    listed = run("keys", "list", "--data", tmp_path).stdout
    again = run("keys", "revoke", reader.split("_")[1], "--data", tmp_path)

    assert [name in listed for name in ("dashboard", "boss", "read", "admin")] == [True] * 4
    rows = [line for line in listed.splitlines() if "dashboard" in line or "boss" in line]
    assert [sum("20" in cell and "-" in cell for cell in row.split("\u2502")) for row in rows] == [3, 3]  # created, last used, revoked
    assert (again.returncode, "no valid key" in again.stderr) == (2, True)
    assert not any(text.encode() in path.read_bytes() for text in (reader, admin) for path in tmp_path.rglob("*") if path.is_file())
    assert (tmp_path / "keys.db").stat().st_mode & 0o077 == 0


def test_a_key_has_its_own_rate_also_over_the_command_line(tmp_path):
    """429 with the time to wait, while another key goes on."""
    slow, free = create(tmp_path, "slow", "read", rate="0.01"), create(tmp_path, "free", "read")
    with serving(tmp_path) as server:
        statuses = [status(server, slow), status(server, slow), status(server, free)]
        refused = httpx.get(f"{server.url}/v1/streams", headers={"Authorization": f"Bearer {slow}"})

    assert statuses == [200, 429, 200]
    assert 1 <= int(refused.headers["retry-after"]) <= 100


@pytest.mark.parametrize(
    "arguments", [["create", "x"], ["create", "x", "--scope", "root"], ["create", "x", "--scope", "read", "--rate", "0"]]
)
def test_a_wrong_key_is_not_made(tmp_path, arguments):
    """Mistakes end with 2, and no file is left."""
    assert run("keys", *arguments, "--data", tmp_path).returncode == 2
    assert not (tmp_path / "keys.db").exists()


def test_with_a_key_the_server_listens_everywhere(tmp_path):
    """And without one it does not."""
    refused = run("serve", "--data", tmp_path, "--host", EVERYWHERE, "--port", free_port())
    key = create(tmp_path, "reader", "read")
    with serving(tmp_path, "--host", EVERYWHERE) as server:
        statuses = [status(server), status(server, key)]

    assert (refused.returncode, "askwhen keys create" in refused.stderr) == (2, True)
    assert statuses == [401, 200]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for this machine that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=askwhen", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    subprocess.run([*request, *names], check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


def answers(url, context):
    """Whether a server answers over TLS."""
    try:
        return httpx.get(f"{url}/readyz", verify=context).is_success
    except httpx.TransportError:
        return False


def test_it_speaks_tls_and_may_ask_for_a_clients_certificate(tmp_path, certificate):
    """The options go to uvicorn as they are."""
    cert, key = certificate
    port = free_port()
    command = [sys.executable, "-m", "service", "serve", "--data", tmp_path, "--port", port]
    options = ["--ssl-certfile", cert, "--ssl-keyfile", key, "--ssl-ca-certs", cert]
    known, stranger = ssl.create_default_context(cafile=cert), ssl.create_default_context(cafile=cert)
    known.load_cert_chain(cert, key)
    with subprocess.Popen(list(map(str, [*command, *options])), stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: answers(f"https://127.0.0.1:{port}", known))
            refused = answers(f"https://127.0.0.1:{port}", stranger), answers(f"http://127.0.0.1:{port}", True)
        finally:
            process.terminate()

    assert refused == (False, False)
    assert process.returncode == 0


def test_a_certificate_that_is_none_is_explained(tmp_path):
    """Not with a traceback."""
    (tmp_path / "cert.pem").write_text("none")
    refused = run("serve", "--data", tmp_path / "data", "--port", free_port(), "--ssl-certfile", tmp_path / "cert.pem")

    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr


def test_half_of_a_tls_setting_is_refused(tmp_path):
    """Whoever asks for clients' certificates does not get a server that speaks in the clear."""
    refused = run("serve", "--data", tmp_path, "--port", "0", "--ssl-ca-certs", "authorities.pem")

    assert (refused.returncode, "ssl_certfile" in refused.stderr) == (2, True)
