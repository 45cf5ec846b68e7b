"""NGINX configuration: a balancer in front of replicas, or a front for one uWSGI.

References
----------
NGINX documentation, modules ngx_http_upstream_module, ngx_http_proxy_module, ngx_http_uwsgi_module.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_BODY: Final = "16m"
HEALTH_PATH: Final = "/-/balancer"
FAIL_TIMEOUT_S: Final = 3
"""A replica that failed twice is left alone for so long, in seconds."""

_FRAME = """\
# Runs as any user on a read-only file system: what it writes is below {scratch}.
worker_processes {workers};
pid {scratch}/nginx.pid;
error_log stderr {level};
worker_rlimit_nofile 8192;
{main}
events {{
    worker_connections 4096;
}}

http {{
    access_log {access_log};
    server_tokens off;
    default_type application/octet-stream;
    client_body_temp_path {scratch}/client_body;
    proxy_temp_path {scratch}/proxy;
    fastcgi_temp_path {scratch}/fastcgi;
    uwsgi_temp_path {scratch}/uwsgi;
    scgi_temp_path {scratch}/scgi;

    # Slow and oversized clients are NGINX's, not the service's.
    client_max_body_size {max_body};
    client_body_buffer_size 128k;
    client_header_timeout 10s;
    client_body_timeout 30s;
    send_timeout 30s;
    keepalive_timeout 65s;
    keepalive_requests 10000;

{body}
}}
"""

_FORWARDED = """\
proxy_set_header Host $host;
proxy_set_header X-Real-IP $remote_addr;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
proxy_set_header X-Forwarded-Proto $scheme;
"""

_BALANCER = """\
upstream {name} {{
    zone {name} 64k;
    least_conn;
{servers}
    keepalive 64;
}}

server {{
    listen {listen} backlog=1024;

    proxy_http_version 1.1;
    proxy_set_header Connection "";
{forwarded}
    proxy_connect_timeout 1s;
    proxy_read_timeout {read_s}s;
    proxy_next_upstream error timeout http_502 http_503;
    proxy_next_upstream_tries {tries};

    location = {health} {{
        access_log off;
        default_type text/plain;
        return 200 "ok\\n";
    }}
{again}
    location / {{
        proxy_pass http://{name};
    }}
}}
"""

_AGAIN = """
    # A prediction changes nothing, so it may be asked of another replica after any failure.
    location ~ ^/(predict|invocations|v2/.*/infer)$ {{
        proxy_pass http://{name};
        proxy_next_upstream error timeout http_502 http_503 non_idempotent;
    }}
"""

_FRONT = """\
upstream {name} {{
    server unix:{socket};
}}

server {{
    listen {listen} backlog=1024;

    location = {health} {{
        access_log off;
        default_type text/plain;
        return 200 "ok\\n";
    }}

    location / {{
        include {params};
        uwsgi_param HTTP_X_REAL_IP $remote_addr;
        uwsgi_pass {name};
        uwsgi_connect_timeout 5s;
        uwsgi_read_timeout {timeout_s}s;
        uwsgi_buffers 16 16k;
        # A request that waits in the listen queue while uWSGI reloads is not lost.
        uwsgi_next_upstream error timeout;
    }}
}}
"""

UWSGI_PARAMS: Final = """\
uwsgi_param QUERY_STRING $query_string;
uwsgi_param REQUEST_METHOD $request_method;
uwsgi_param CONTENT_TYPE $content_type;
uwsgi_param CONTENT_LENGTH $content_length;
uwsgi_param REQUEST_URI $request_uri;
uwsgi_param PATH_INFO $document_uri;
uwsgi_param DOCUMENT_ROOT $document_root;
uwsgi_param SERVER_PROTOCOL $server_protocol;
uwsgi_param REQUEST_SCHEME $scheme;
uwsgi_param HTTPS $https if_not_empty;
uwsgi_param REMOTE_ADDR $remote_addr;
uwsgi_param REMOTE_PORT $remote_port;
uwsgi_param SERVER_PORT $server_port;
uwsgi_param SERVER_NAME $server_name;
"""


def whole(
    body: str,
    *,
    scratch: str = "/tmp",  # noqa: S108 - a tmpfs of the container's own
    access_log: str = "/dev/stdout",
    workers: str = "auto",
    main: str = "",
    level: str = "warn",
) -> str:
    """Give a whole ``nginx.conf`` around an ``http`` block's body.

    Parameters
    ----------
    body : str
        Of the block.
    scratch : str
        Folder that NGINX writes to.
    access_log : str
        A file, or ``off``.
    workers : str
        Processes, or ``auto``.
    main : str
        Lines before the block.
    level : str
        Least weight of what is logged as an error.
    """
    return _FRAME.format(
        body=textwrap.indent(body.rstrip("\n"), "    "),
        scratch=scratch,
        access_log=access_log,
        workers=workers,
        max_body=MAX_BODY,
        main=main,
        level=level,
    )


def balancer(
    name: str,
    servers: Sequence[str],
    *,
    listen: str,
    again: bool,
    read_s: int = 60,
    spare: int = 0,
) -> str:
    """Give the ``http`` body of a balancer with passive health checks and retries.

    Parameters
    ----------
    name : str
        Of the upstream.
    servers : sequence of str
        ``host:port`` of each replica; none where they are included from elsewhere.
    listen : str
        Port, or address and port.
    again : bool
        Whether predictions may be asked again of another replica; false for an application of
        the user's, of which nobody knows whether a POST changes something.
    read_s : int
        Longest silence of a replica, in seconds; the only sign of one that was cut off.
    spare : int
        How many of the servers are not there as a rule; asking one of them counts for nothing.
    """
    lines = "\n".join(
        f"    server {server} max_fails=2 fail_timeout={FAIL_TIMEOUT_S}s;" for server in servers
    )
    return _BALANCER.format(
        name=name,
        servers=lines,
        listen=listen,
        health=HEALTH_PATH,
        forwarded=textwrap.indent(_FORWARDED.rstrip("\n"), "    "),
        tries=min(len(servers) - spare or 3, 3) + spare,
        read_s=read_s,
        again=_AGAIN.format(name=name) if again else "",
    )


def front(name: str, *, socket: str, listen: str, params: str, timeout_s: int) -> str:
    """Give the ``http`` body of a front for one uWSGI behind a unix socket."""
    return _FRONT.format(
        name=name,
        socket=socket,
        listen=listen,
        params=params,
        health=HEALTH_PATH,
        timeout_s=timeout_s,
    )
