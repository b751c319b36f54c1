"""HTTPS, without which browsers lend other machines no camera: what is wrong with its files is said in a sentence, before anything starts."""

from __future__ import annotations

import pytest

from avsr.app.server import check_certificate
from avsr.app.settings import Settings
from avsr.errors import AvsrError


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
