"""Tokens of a stage's user pool, verified with the keys that the pool shows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.error import URLError
from urllib.request import urlopen

from strandline.errors import TemporaryError
from strandline.trust.tokens import Identity, Use, key_id_of, verify_token

_KEYS_LIMIT_BYTES: Final = 1 << 16
_TIMEOUT_S: Final = 10

Keys = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(slots=True)
class UserPool:
    """One pool, its issuer as its tokens write it, and the app clients whose tokens are taken."""

    client: Any  # of cognito-idp
    pool_id: str
    client_ids: frozenset[str]
    _keys: Keys = field(default_factory=lambda: {"keys": []})

    @property
    def issuer(self) -> str:
        """The pool, as its tokens name it: the name does not depend on where it is asked."""
        return f"https://cognito-idp.{self.pool_id.partition('_')[0]}.amazonaws.com/{self.pool_id}"

    def verify(self, token: str, use: Use, now: datetime | None = None) -> Identity:
        """Return whom a token speaks of; see `strandline.trust.tokens.verify_token`.

        Raises:
            RejectedInputError: with one of its codes.
            TemporaryError: `pool_keys_unreachable`.
        """
        return verify_token(
            token,
            self._keys_with(key_id_of(token)),
            issuer=self.issuer,
            clients=self.client_ids,
            use=use,
            now=now or datetime.now(UTC),
        )

    def _keys_with(self, key_id: str) -> Keys:
        """Return the pool's keys; asked for anew where none has the id, as Cognito may change them."""
        if all(key.get("kid") != key_id for key in self._keys["keys"]):
            self._keys = self._fetch()
        return self._keys

    def _fetch(self) -> Keys:
        url = f"{self.client.meta.endpoint_url}/{self.pool_id}/.well-known/jwks.json"
        try:
            with urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - the endpoint of the AWS client
                keys: Keys = json.loads(answer.read(_KEYS_LIMIT_BYTES))
        except (URLError, TimeoutError, ValueError):
            raise TemporaryError("pool_keys_unreachable", "the keys of the user pool could not be read") from None
        return keys
