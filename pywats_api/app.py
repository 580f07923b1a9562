"""The server itself: is it there, which version is it."""

from pywats_api.connection import Connection


class AppDomain:
    """``api.app``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get_version(self) -> str:
        """Version of the server. Needs a valid token, so it is the natural test of a connection."""
        answer = await self._connection.request("app.get_version", "GET", "/api/App/Version")
        if isinstance(answer, dict):
            answer = answer.get("version") or answer.get("Version")
        return str(answer or "")
