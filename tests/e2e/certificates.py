# SPDX-License-Identifier: MIT
"""Certificates made by openssl, for loopback and for a day: authorities, brokers, clients, expired ones."""
import pathlib
import subprocess

CONFIG = """[ca]
default_ca = one
[one]
dir = {folder}
database = {folder}/index.txt
serial = {folder}/serial
new_certs_dir = {folder}
default_md = sha256
policy = any
unique_subject = no
email_in_dn = no
[any]
commonName = supplied
"""


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)


def make_key(path):
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)
    path.chmod(0o600)


class Authority:
    """A certificate authority in a folder of its own; `cert` is what a client checks against."""

    def __init__(self, folder, name="Test CA"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.key = self.folder / "ca.key"
        self.cert = self.folder / "ca.pem"
        (self.folder / "index.txt").touch()
        (self.folder / "serial").write_text("1000\n")
        self.config = self.folder / "ca.cnf"
        self.config.write_text(CONFIG.format(folder=self.folder))
        make_key(self.key)
        openssl("req", "-x509", "-new", "-key", self.key, "-subj", f"/CN={name}", "-days", "2", "-out", self.cert)

    def issue(self, name, common, alternative=None, expired=False):
        """Writes NAME.pem and NAME.key; returns their paths. `alternative`: "DNS:localhost,IP:127.0.0.1"."""
        key, request, cert = (self.folder / (name + end) for end in (".key", ".csr", ".pem"))
        make_key(key)
        openssl("req", "-new", "-key", key, "-subj", f"/CN={common}", "-out", request)
        extensions = self.folder / (name + ".ext")
        extensions.write_text("basicConstraints = CA:FALSE\n"
                              + (f"subjectAltName = {alternative}\n" if alternative else ""))
        dates = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"] if expired else ["-days", "1"]
        openssl("ca", "-batch", "-notext", "-config", self.config, "-cert", self.cert, "-keyfile", self.key, *dates,
                "-extfile", extensions, "-in", request, "-out", cert)
        return cert, key
