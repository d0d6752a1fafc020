"""How services prove who they are, and how we do."""

import ssl
from functools import cached_property

import httpx

from bff.errors import ConfigError, Problem
from bff.model.service import Service, Tls


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
        try:
            return _own(service.tls)
        except OSError as error:
            message = f"the certificates of `{service.name}` cannot be used: {error.strerror}"
            raise ConfigError([Problem(service.place, message)]) from None

    @cached_property
    def _public(self) -> ssl.SSLContext:
        return httpx.create_ssl_context(trust_env=False)

    @cached_property
    def _none(self) -> ssl.SSLContext:
        """For plain http: trusts nobody, and is made at once, as loading authorities is not."""
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _own(tls: Tls) -> ssl.SSLContext:
    context = (
        ssl.create_default_context(cafile=tls.ca)
        if tls.ca
        else httpx.create_ssl_context(trust_env=False)
    )
    if tls.cert:
        context.load_cert_chain(tls.cert, tls.key)
    return context
