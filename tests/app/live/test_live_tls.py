"""HTTPS, without which browsers lend other machines no camera: what is wrong with its files is said in a sentence, before anything starts; and
with files that are good, all goes over it."""

from __future__ import annotations

import datetime
import ipaddress
import json
import signal
import ssl
from pathlib import Path

import httpx
import pytest

from avsr.app.server import check_certificate
from avsr.app.settings import Settings
from avsr.errors import AvsrError
from tests.app.conftest import start_server


def test_a_certificate_wants_its_key(tmp_path):
    with pytest.raises(AvsrError, match="give both"):
        Settings(tmp_path, tls_cert=tmp_path / "cert.pem")


def test_files_that_are_none_are_named(tmp_path):
    for content, words in ((None, "no such file"), ("no certificate", "cannot be used")):
        for name in ("cert.pem", "key.pem"):
            if content is not None:
                (tmp_path / name).write_text(content)
        with pytest.raises(AvsrError, match=words):
            check_certificate(Settings(tmp_path, tls_cert=tmp_path / "cert.pem", tls_key=tmp_path / "key.pem"))


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1's own, good for an hour, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.timezone.utc)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    built = built.not_valid_before(now - datetime.timedelta(minutes=5)).not_valid_after(now + datetime.timedelta(hours=1))
    built = built.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    certificate, secret = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return certificate, secret


def test_rooms_over_https(tmp_path, packed):  # noqa: F811
    from websockets.sync.client import connect

    certificate, key = make_certificate(tmp_path)
    tls = ssl.create_default_context(cafile=str(certificate))
    server = start_server(tmp_path / "data", packed, "--tls-cert", str(certificate), "--tls-key", str(key), tls=tls)
    try:
        assert "; Secure" in httpx.get(f"{server.url}/live", verify=tls).headers["set-cookie"]
        with server.client(verify=tls) as client:
            room = client.post("/api/live/rooms").json()["room"]
            ticket = client.post(f"/api/live/rooms/{room}/tickets").json()["ticket"]
        place = f"{server.url.replace('https', 'wss')}/api/live/rooms/{room}/socket"
        with connect(place, ssl=tls, origin=server.url) as socket:
            socket.send(json.dumps({"type": "join", "ticket": ticket, "name": "민지"}))
            assert json.loads(socket.recv(30))["type"] == "hello"
    finally:
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(20)
