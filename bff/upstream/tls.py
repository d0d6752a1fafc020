"""How services prove who they are, and how we do."""

import ssl
from functools import cached_property

import httpx

from bff.errors import ConfigError, Problem
from bff.model.service import Service, Tls
from bff.model.source import Place


class TlsContexts:
    """One context for all services of the public authorities; one for each that says otherwise."""

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
        """For plain http: trusts nobody, and is made at once, as loading authorities is not."""
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def own_context(tls: Tls, name: str, place: Place) -> ssl.SSLContext:
    """The context of whoever has authorities or certificates of its own.

    Raises:
        ConfigError: a file cannot be used.
    """
    try:
        return _own(tls)
    except OSError as error:
        message = f"the certificates of `{name}` cannot be used: {error.strerror}"
        raise ConfigError([Problem("certificate", place, message)]) from None


def _own(tls: Tls) -> ssl.SSLContext:
    context = (
        ssl.create_default_context(cafile=tls.ca)
        if tls.ca
        else httpx.create_ssl_context(trust_env=False)
    )
    if tls.cert:
        context.load_cert_chain(tls.cert, tls.key)
    return context
