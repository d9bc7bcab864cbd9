"""The Redis server of the servers' tests, for the example that needs one."""

from tests.servers import conftest as servers

redis_server = servers.redis_server
