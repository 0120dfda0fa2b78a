# Stage 0: what a host's Python runs before it has anything of ours. Sent as text on the command line (see
# boot.py), so it is short, and understood by any Python 3. Arguments: itself as packed by boot.py, and the
# digest of the agent. Exit codes, which boot.py turns into advice: 94 no space, 97 no Python that is new
# enough, 98 no folder to write to, 99 the agent did not arrive whole.
import os
import sys

packed, digest = sys.argv[1:3]
package = "jupyter_remote_agent"


def leave(code: int, why: str) -> None:
    """Says why, and exits with that code."""
    sys.stderr.write("jupyter_remote: %s\n" % why)
    sys.stderr.flush()
    os._exit(code)


def another_python() -> None:
    """Runs a newer Python of this host instead; there it starts from the top."""
    if not os.environ.get("JUPYTER_REMOTE_RETRIED"):
        os.environ["JUPYTER_REMOTE_RETRIED"] = "1"
        folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
        found = [os.path.join(f, "python3.%d" % n) for n in range(20, 7, -1) for f in folders]
        for path in [*found, os.environ.get("JUPYTER_REMOTE_PYTHON", "")]:
            if os.access(path, os.X_OK):
                boot = "import sys,zlib,base64;exec(zlib.decompress(base64.b64decode(sys.argv[1])))"
                os.execv(path, [path, "-I", "-S", "-c", boot, packed, digest])
    leave(97, "found only Python %d.%d (%s)" % (sys.version_info[0], sys.version_info[1], sys.executable))


def places() -> "list[str]":
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    found = [os.path.join(base, "jupyter-remote")]
    # For a home that can't be written. Others must not be able to put an agent there for us.
    path = os.path.join(os.environ.get("TMPDIR") or "/tmp", "jupyter-remote-agent-%d" % os.getuid())
    try:
        os.mkdir(path, 0o700)
    except OSError:
        pass
    try:
        facts = os.lstat(path)
        if facts.st_uid == os.getuid() and not facts.st_mode & 0o077 and not os.path.islink(path):
            found.append(path)
    except OSError:
        pass
    return found


def receive() -> bytes:
    """The agent, as a zip: its length in 8 bytes, its digest in 16, then itself, compressed."""
    import hashlib
    import zlib

    unpack, way = zlib.decompress, b""
    try:
        from bz2 import decompress

        unpack, way = decompress, b"-bz2"  # type: ignore[assignment]
    except ImportError:
        pass  # a Python that was built without it
    os.write(1, b"\x00\xf5jupyter-remote-needs-agent" + way + b"\xf5\n")
    data = b""
    while len(data) < 8 or len(data) < 24 + int.from_bytes(data[:8], "big"):
        piece = os.read(0, 65536)
        if not piece:
            leave(99, "the connection ended while the agent was sent")
        data += piece
    if hashlib.blake2b(data[24:], digest_size=16).digest() != data[8:24]:
        leave(99, "the agent did not arrive whole")
    return (unpack if data[24:27] == b"BZh" else zlib.decompress)(data[24:])


def install(base: str, content: bytes) -> None:
    import io
    import shutil
    import tempfile
    import zipfile

    if not os.path.isdir(base):
        os.makedirs(base, 0o700)
    staged = tempfile.mkdtemp(dir=base)
    try:
        zipfile.ZipFile(io.BytesIO(content)).extractall(staged)
        os.rename(staged, os.path.join(base, "agent-" + digest))
    except OSError:
        shutil.rmtree(staged, ignore_errors=True)
        if not os.path.isdir(os.path.join(base, "agent-" + digest)):  # else another connection was faster
            raise


def start(base: str) -> None:
    sys.path.insert(0, os.path.join(base, "agent-" + digest))
    from jupyter_remote_agent import serve  # type: ignore[import-not-found]

    del sys.path[0]
    serve.main()


def find() -> str:
    """The folder that holds the agent, put there first when it is in none."""
    candidates = places()
    for base in candidates:
        if os.path.isfile(os.path.join(base, "agent-" + digest, package, "serve.py")):
            return base
    content = receive()
    why = None
    for base in candidates:
        try:
            install(base, content)
            return base
        except OSError as error:
            why = why or error
            if error.errno in (28, 122):  # ENOSPC, EDQUOT on Linux
                leave(94, str(error))
    leave(98, str(why))
    return ""


if sys.version_info < (3, 8):
    another_python()
start(find())
