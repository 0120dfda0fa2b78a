"""The words about environments on hosts: `env`. Part of the table in `options.py`."""

from __future__ import annotations

from .option_types import Argument, Command, Option
from .options_words import HOST, JSON, PASS_ENV, QUIET, SOME_HOSTS

ENV = Command(
    "env",
    "Environments on a host, made of a file here; the same file gives the same environment.",
    subcommands=(
        Command(
            "create",
            "Make an environment on the host, or find the one that is there; `python: env:NAME` uses it.",
            arguments=(HOST,),
            options=(
                Option(
                    "requirements",
                    "what is in it: requirements.txt, pyproject.toml, environment.yml or uv.lock; "
                    "`pyproject.toml[extra]` with an extra",
                    "path",
                    "FILE",
                    short="r",
                ),
                Option(
                    "name",
                    "what it is called (default: as the project, or the file's folder)",
                    "text",
                    "NAME",
                ),
                Option("python", "the version of Python (default: the host's own)", "text", "VERSION"),
                Option(
                    "with",
                    "make it with uv, venv or conda (default: uv where there is one)",
                    "text",
                    "BUILDER",
                ),
                Option("offline", "download everything here, and send it: for a host without internet"),
                Option("use", "make it the host's `python` in your hosts.yaml"),
                PASS_ENV,
                QUIET,
                JSON,
            ),
            examples=(
                "%remote env create dgx01 -r requirements.txt --use",
                "%remote env create dgx01 -r uv.lock --name train --python 3.11",
                "%remote env create dgx01 -r requirements.txt --offline",
            ),
        ),
        Command(
            "list",
            "The environments of hosts: what is in them, how large, last used, by whom.",
            arguments=(SOME_HOSTS,),
            options=(JSON,),
            examples=("%remote env list dgx01",),
        ),
        Command(
            "remove",
            "Remove an environment of a host; not while a session uses it.",
            arguments=(HOST, Argument("name", "NAME", "its name, or its digest as `env list` shows it")),
            options=(Option("force", "also while it is used"), JSON),
            examples=("%remote env remove dgx01 train",),
        ),
    ),
    default="list",
    examples=("%remote env list dgx01",),
)
