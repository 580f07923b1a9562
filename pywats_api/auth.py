"""How a client says who it is: the forms a token comes in, and where it is taken from.

WATS takes ``Authorization: Basic <token>``. The token is a text that its Control Panel issues, and is sent
as it is. It may expire, be deleted, or be restricted to a role, a level or a product group.
"""

import base64
import os
import re
from collections.abc import Mapping

from pydantic import SecretStr

_URL_NAMES = ("WATS_BASE_URL", "PYWATS_SERVER_URL")
_TOKEN_NAMES = ("WATS_AUTH_TOKEN", "PYWATS_API_TOKEN")


def clean_token(token: str | SecretStr) -> SecretStr:
    """The token as it is sent: without blanks around it, and without the ``Basic`` of a copied header.

    Raises:
        ValueError: it cannot be a token; the text does not show it.
    """
    text = token.get_secret_value() if isinstance(token, SecretStr) else token
    text = re.sub(r"(?i)^basic\s+", "", text.strip())
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        raise ValueError("token must be the text WATS issued: not empty, without blanks or line ends inside")
    return SecretStr(text)


def token_of_user(user: str, password: str | SecretStr) -> SecretStr:
    """The token that stands for user and password. Servers from 2025.2 on answer 401 to it.

    Args:
        user: name of the user, without a colon.
        password: of the user.

    Raises:
        ValueError: the name is empty or holds a colon.
    """
    if not user or ":" in user:
        raise ValueError("user: a name without a colon is needed")
    secret = password.get_secret_value() if isinstance(password, SecretStr) else password
    return SecretStr(base64.b64encode(f"{user}:{secret}".encode()).decode("ascii"))


def access(
    base_url: str | None, token: str | SecretStr | None, environment: Mapping[str, str] | None = None
) -> tuple[str, str | SecretStr]:
    """Address and token as given, each from the environment where it is not.

    Args:
        base_url: else ``WATS_BASE_URL`` or ``PYWATS_SERVER_URL``.
        token: else ``WATS_AUTH_TOKEN`` or ``PYWATS_API_TOKEN``.
        environment: looked into in place of the process's own.

    Raises:
        ValueError: one of them is given nowhere; the text says where it was looked for.
    """
    variables = os.environ if environment is None else environment
    url = base_url or next((variables[name] for name in _URL_NAMES if variables.get(name)), None)
    secret = token or next((variables[name] for name in _TOKEN_NAMES if variables.get(name)), None)
    if url is None:
        raise ValueError(f"base_url is missing: give it, or set {' or '.join(_URL_NAMES)}")
    if secret is None:
        raise ValueError(f"token is missing: give it, or set {' or '.join(_TOKEN_NAMES)}")
    return url, secret
