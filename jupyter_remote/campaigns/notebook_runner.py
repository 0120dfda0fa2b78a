"""Runs a notebook on a host. This text is sent there, so it stands alone: Python 3.8, no package of ours.

`orders.py` adds the call, with the notebook and where its executed copy goes. With nbclient and ipykernel the
notebook is executed as Jupyter would; else its code cells are run as a script, one after the other.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,name-defined,misc,attr-defined"

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path


def main(notebook, name):
    """Execute it; the executed copy, also of one that fails, is a file of that name in the step's folder."""
    why = ""
    try:
        import ipykernel
        import nbclient
        import nbformat

        del ipykernel
    except ImportError as error:
        why = str(error)
    if why:
        print(f"{why}: the code cells are run as a script", file=sys.stderr, flush=True)
        return as_script(notebook)
    return execute(notebook, Path(os.environ["JUPYTER_REMOTE_STEP_DIR"], name), nbclient, nbformat)


def execute(notebook, target, nbclient, nbformat):
    """By nbclient, in a kernel of this interpreter; what the cells print comes out here as it comes.

    Args:
        target: where it is written in the end.
        nbformat: the module.
    """

    class Client(nbclient.NotebookClient):
        def output(self, outs, msg, display_id, cell_index):
            show(msg["header"]["msg_type"], msg["content"])
            return super().output(outs, msg, display_id, cell_index)

    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

    class Here(KernelSpecManager):
        def get_kernel_spec(self, name):
            argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return KernelSpec(argv=argv, display_name=name, language="python")

    from jupyter_client.manager import AsyncKernelManager

    book = nbformat.reads(json.dumps(notebook), as_version=4)
    book.metadata.setdefault("kernelspec", {"name": "python3", "display_name": "Python 3"})
    # Sockets in a folder of our own: nothing listens on a port, and a path there is never too long.
    folder = tempfile.mkdtemp()
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=Here(), transport="ipc")
    manager.connection_file = str(Path(folder, "kernel.json"))
    try:
        Client(book, km=manager, timeout=None, store_widget_state=False).execute(cwd=str(Path.cwd()))
    except nbclient.exceptions.CellExecutionError as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        staged = target.with_suffix(".part")
        staged.write_text(nbformat.writes(book), encoding="utf-8")
        staged.replace(target)
        print(f"executed notebook: {target}", flush=True)
    return 0


def show(kind, content):
    """What a cell prints and shows, as text."""
    if kind == "stream":
        stream = sys.stderr if content["name"] == "stderr" else sys.stdout
        stream.write(content["text"])
        stream.flush()
    elif kind in ("display_data", "execute_result"):
        print(content["data"].get("text/plain", ""), flush=True)


def as_script(notebook):
    """The code cells in one namespace; magics and `!` need IPython."""
    import traceback
    import types

    module = sys.modules["__main__"] = types.ModuleType("__main__")
    module.__builtins__ = __builtins__
    run = _plainly
    try:
        from IPython.core.interactiveshell import InteractiveShell

        shell = InteractiveShell.instance(user_module=module)
        run = _by_ipython(shell)
    except ImportError:
        pass
    sys.path.insert(0, str(Path.cwd()))
    for number, cell in enumerate(notebook["cells"], 1):
        source = cell.get("source", "")
        source = source if isinstance(source, str) else "".join(source)
        if cell.get("cell_type") != "code" or not source.strip():
            continue
        try:
            if not run(source, f"<cell {number}>", module.__dict__):
                return 1
        except Exception as error:
            frames = error.__traceback__
            while frames and not frames.tb_frame.f_code.co_filename.startswith("<cell "):
                frames = frames.tb_next
            traceback.print_exception(type(error), error, frames)
            return 1
    return 0


def _by_ipython(shell):
    def run(source, _name, _namespace):
        return shell.run_cell(source, store_history=False).success

    return run


def _plainly(source, name, namespace):
    import linecache

    for line in source.splitlines():
        if line.lstrip().startswith(("%", "!")):
            raise SyntaxError(f"{name}: `{line.strip()}` needs IPython in the host's environment")
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    exec(compile(source, name, "exec"), namespace)
    return True
