"""TLS on loopback, with an authority that nobody else trusts."""
import pathlib
import ssl
import subprocess


class Authority:
    """A certificate for 127.0.0.1 that vouches for itself, below `directory`."""

    def __init__(self, directory: pathlib.Path):
        self.key, self.certificate = directory / "key.pem", directory / "certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", self.key, "-out", self.certificate, "-days", "2", "-subj", "/CN=127.0.0.1",
             "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate, self.key)
        # What makes a program trust it.
        self.trust = {"SSL_CERT_FILE": str(self.certificate)}
