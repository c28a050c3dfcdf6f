"""What a person may change of themselves, and that nobody makes a user but an administrator."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from moto.cognitoidp.exceptions import NotAuthorizedError
from moto.cognitoidp.models import CognitoIdpBackend

from local_stage.replacing import replace


def install_users(backend: type[CognitoIdpBackend]) -> None:
    """Hold to what pool and app client say."""
    replace(backend, "sign_up", _where_open(backend.sign_up))
    replace(backend, "update_user_attributes", _where_writable(backend.update_user_attributes))


def _where_open(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def sign_up(self: Any, client_id: str, *arguments: Any, **named: Any) -> Any:
        for pool in self.user_pools.values():
            creation = pool.extended_config.get("AdminCreateUserConfig") or {}
            if client_id in pool.clients and creation.get("AllowAdminCreateUserOnly"):
                raise NotAuthorizedError("SignUp is not permitted for this user pool")
        return original(self, client_id, *arguments, **named)

    return sign_up


def _where_writable(original: Callable[..., None]) -> Callable[..., None]:
    @wraps(original)
    def update_user_attributes(self: Any, access_token: str, attributes: Sequence[dict[str, str]]) -> None:
        for pool in self.user_pools.values():
            client_id, _ = pool.access_tokens.get(access_token, (None, None))
            if client_id is None:
                continue
            writable = pool.clients[client_id].extended_config.get("WriteAttributes")
            if writable is not None and {one["Name"] for one in attributes} - set(writable):
                raise NotAuthorizedError("A client attempted to write unauthorized attribute")
        original(self, access_token, attributes)

    return update_user_attributes
