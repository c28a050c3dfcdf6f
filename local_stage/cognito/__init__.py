"""Cognito user pools that check what they are told: passwords, codes of an authenticator, and how often one fails."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.cognitoidp import urls
from moto.cognitoidp.models import CognitoIdpBackend, CognitoIdpUserPool

from local_stage.cognito.issuing import install_issuing, serve_keys
from local_stage.cognito.sign_in import SignIns
from local_stage.cognito.users import install_users
from local_stage.context import StageContext
from local_stage.replacing import replace

__all__ = ["install"]


def install(context: StageContext) -> None:
    """Change moto's Cognito: it signs with a key that everybody has, and verifies neither codes nor failed tries."""
    del context
    sign_ins = SignIns(time.time)
    install_issuing(CognitoIdpUserPool)
    install_users(CognitoIdpBackend)
    for name in (
        *("initiate_auth", "admin_initiate_auth", "respond_to_auth_challenge"),
        *("associate_software_token", "verify_software_token"),
    ):
        replace(CognitoIdpBackend, name, _handing_on(getattr(CognitoIdpBackend, name), getattr(sign_ins, name)))
    key_path = "{0}/(?P<user_pool_id>[^/]+)/.well-known/jwks.json$"
    replace(urls, "url_paths", {**urls.url_paths, key_path: serve_keys})


def _handing_on(original: Callable[..., Any], answer: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def call(self: Any, *arguments: Any, **named: Any) -> Any:
        return answer(self, *arguments, **named)

    return call
