"""TLS contexts: certificate authorities of services, and client certificates (mutual TLS)."""

import ssl
from functools import cached_property
from pathlib import Path
from typing import Final

import httpx
from cryptography.x509 import load_pem_x509_certificates

from bff.errors import ConfigError
from bff.model.problem import Problem
from bff.model.service import Service, Tls
from bff.model.source import Place

_NO_PASSWORD: Final = b""  # otherwise OpenSSL prompts at a terminal


class TlsContexts:
    """The TLS contexts of services: a shared one with public CAs, one for each `tls`."""

    def of(self, service: Service) -> ssl.SSLContext:
        """The context of a service.

        Raises:
            ConfigError: a file of its `tls` cannot be used.
        """
        if not service.url.startswith("https:"):
            return self._none
        if service.tls is None:
            return self._public
        return own_context(service.tls, service.name, service.place)

    @cached_property
    def _public(self) -> ssl.SSLContext:
        return httpx.create_ssl_context(trust_env=False)

    @cached_property
    def _none(self) -> ssl.SSLContext:
        """For plain http: without CAs, which take long to load."""
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def own_context(tls: Tls, name: str, place: Place) -> ssl.SSLContext:
    """The context of a service or provider with a private CA or a client certificate.

    Raises:
        ConfigError: a file cannot be used; the message names it.
    """
    files = {"ca": tls.ca, "cert": tls.cert, "key": tls.key}
    problems = [
        _problem(name, place, key, path, why)
        for key, path in files.items()
        if path and (why := _unreadable(path))
    ]
    if problems:
        raise ConfigError(problems)
    try:
        context = (
            ssl.create_default_context(cafile=tls.ca)
            if tls.ca
            else httpx.create_ssl_context(trust_env=False)
        )
    except (OSError, ValueError) as error:
        raise ConfigError([_problem(name, place, "ca", tls.ca, _why(error))]) from None
    if tls.cert:
        _show(context, tls, name, place)
    return context


def _show(context: ssl.SSLContext, tls: Tls, name: str, place: Place) -> None:
    """Load the client certificate; an encrypted key is an error, not a prompt at a terminal."""
    try:
        context.load_cert_chain(tls.cert or "", tls.key, password=_NO_PASSWORD)
    except (OSError, ValueError) as error:
        # OpenSSL's error does not say whether the certificate or the key is wrong
        key, path = ("cert", tls.cert) if _is_no_certificate(tls) else ("key", tls.key or tls.cert)
        raise ConfigError([_problem(name, place, key, path, _why(error))]) from None


def _is_no_certificate(tls: Tls) -> bool:
    try:
        load_pem_x509_certificates(Path(tls.cert or "").read_bytes())
    except ValueError:
        return True
    return False


def _unreadable(path: str) -> str:
    """Why a file cannot be read; empty if it can."""
    try:
        with Path(path).open("rb"):
            return ""
    except OSError as error:
        return _why(error)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", "") or type(error).__name__


def _problem(name: str, place: Place, key: str, path: str | None, why: str) -> Problem:
    message = f"the certificates of `{name}` cannot be used: `{key}`, {path}: {why}"
    return Problem("certificate", place, message)
