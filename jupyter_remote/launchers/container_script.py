"""The script of a container: it starts it, watches it, and leaves how it ended. Text only.

One file with four parts, chosen by its first argument. `submit` is what the agent runs: it starts `watch`
and waits until the supervisor is there, the start has failed, or an image is on its way. `watch` belongs to
nobody and ends with the container: no link, no agent is needed for that. `inside` is what runs in the
container, and becomes the supervisor. `cancel` ends it by its name.
"""

from __future__ import annotations

import re

LABEL = "jupyter-remote"
# How many twentieths of a second a start is waited for, and a pull, before the user is shown a waiting job.
STARTING, PULLING = 1200, 40

SCRIPT = """#!/bin/sh
# Starts, watches and ends the container of a session of jupyter_remote; see docs/containers.md.
folder={folder}
state={state}
workspace={workspace}
agent={agent}
name="jr-${folder##*/}"
engine=@engine
image=@image
case "$image" in "~/"*) image="$HOME/${image#"~/"}" ;; esac
if [ "$engine" = apptainer ] && ! command -v apptainer >/dev/null; then
    command -v singularity >/dev/null && engine=singularity
fi
gone() { case "$1" in *[Nn]"o such"*|*"not known"*) true ;; *) false ;; esac; }
case "$1" in
submit)
    umask 077
    command -v "$engine" >/dev/null || { echo "there is no $engine here" >&2; exit 127; }
    : >"$folder/log"
    : >"${folder%/*}/.used-$engine"
@volumes
@env
    if command -v setsid >/dev/null; then
        setsid sh "$0" watch </dev/null >>"$folder/log" 2>&1 &
    else
        sh "$0" watch </dev/null >>"$folder/log" 2>&1 &
    fi
    rounds=0
    while [ ! -e "$folder/beat" ] && [ "$rounds" -lt @starting ]; do
        if [ -e "$folder/end" ]; then
            sed 1,2d "$folder/end" >&2
            exit 1
        fi
        [ -e "$folder/pulling" ] && [ "$rounds" -gt @pulling ] && break
        rounds=$((rounds + 1))
        sleep 0.05
    done
    echo "$name"
    exit 0
    ;;
inside)
    exec >>"$folder/log" 2>&1 </dev/null
    rm -f "$folder/pulling"
    [ -f "$folder/env" ] && . "$folder/env"
    rm -f "$folder/env"
@inside
    for python in python3 python @python; do
        command -v "$python" >/dev/null && break
        python=
    done
    [ -n "$python" ] || { echo "the image has no python3"; exit 96; }
    exec "$python" {boot} {state} {session} -1 -1
    ;;
cancel)
    [ -e "$folder/end" ] && exit 0
    read -r _ pid <"$folder/container" &&
        { kill -s KILL -- "-$pid" || kill -s KILL "$pid"; } 2>/dev/null
@cancel
    code=143 word=cancelled
    ;;
watch)
    trap '' HUP INT
    echo "$engine $$" >"$folder/container"
    code=125 word=refused
@watch
    ;;
esac
rm -f "$folder/env" "$folder/pulling"
{ echo "$code"; echo "$word"; tail -n 20 "$folder/log"; } >"$folder/.end" 2>/dev/null
mv -f "$folder/.end" "$folder/end"
exit 0
"""

# Of docker and podman. Not `--rm`: how it ended is asked once it has.
_DAEMON = """
    uid=$(id -u)
    less=
    case "$engine" in
    podman) [ "$uid" != 0 ] && less=1 ;;
    docker)
        case "$(docker --version 2>/dev/null) $(docker info -f '{{.SecurityOptions}}' 2>/dev/null)" in
        *[Pp]odman*) [ "$uid" != 0 ] && less=1 ;;
        *rootless*) less=1 ;;
        esac
        ;;
    esac
    # Without root's rights, root inside is the user outside; with them the user is named.
    set -- --user "$uid:$(id -g)"
    [ -n "$less" ] && set -- --user 0:0
    if [ "$uid" != 0 ]; then
        mkdir -p "$state/home"
        set -- "$@" -e "HOME=$state/home"
        [ -n "$less" ] || for group in $(id -G); do set -- "$@" --group-add "$group"; done
    fi
    ready=1
    if ! said=$("$engine" image inspect "$image" 2>&1 >/dev/null); then
        ready=
        if ! gone "$said"; then
            echo "$said"
        elif [ @pull = never ]; then
            echo "there is no image $image here, and it is not to be pulled"
        else
            : >"$folder/pulling"
            "$engine" pull "$image" >/dev/null && ready=1
        fi
    fi
    mkdir -p "$workspace"
    if [ -n "$ready" ] && "$engine" run -d --name "$name" \\
        --label "@label.user=$uid" --label "@label.job=$folder" \\
        --security-opt label=disable "$@" -w / @words \\
        -v "$state:$state" -v "$workspace:$workspace" -v "$agent:$agent:ro" \\
        --entrypoint sh "$image" "$0" inside >/dev/null; then
        # A daemon that is restarted meanwhile changes nothing; only one that answers can say that it is gone.
        until code=$("$engine" wait "$name" 2>/dev/null) && [ -n "$code" ]; do
            said=$("$engine" container inspect "$name" 2>&1 >/dev/null) || { gone "$said" && break; }
            sleep 1
        done
        [ -n "$code" ] || code=137
        word=exited
        [ -e "$folder/beat" ] || "$engine" logs "$name" 2>&1
        case "$("$engine" inspect -f '{{.State.OOMKilled}}' "$name" 2>/dev/null)" in true) word=oom ;; esac
    fi
    "$engine" rm -f "$name" >/dev/null 2>&1
"""
_DAEMON_CANCEL = '    "$engine" rm -f "$name" >/dev/null 2>&1'

_APPTAINER = """
    mkdir -p "$workspace"
    case "$image" in *://*) : >"$folder/pulling" ;; esac
    "$engine" exec --cleanenv --pwd / @words \\
        --bind "$state:$state" --bind "$workspace:$workspace" --bind "$agent:$agent:ro" \\
        "$image" sh "$0" inside
    code=$?
    [ -e "$folder/beat" ] && word=exited
"""

# Quoted for sh, whatever a value holds; the file is the user's own, and gone once it was read.
_ENV = """    for key in @names; do
        eval "[ \\"\\${$key+set}\\" ]" || { echo "the variable $key is not set here" >&2; exit 1; }
        eval "value=\\${$key}x"
        value=$(printf %s "$value" | sed "s/'/'\\\\\\\\''/g")
        printf "export %s='%s'\\n" "$key" "${value%x}"
    done >"$folder/env" || exit 1"""

_GPUS = """    found=0
    for device in /dev/nvidia[0-9]* /dev/kfd /dev/dxg; do [ -e "$device" ] && found=$((found + 1)); done
    if [ "$found" -lt @gpus ] || grep -q 'not find any nv files' "$folder/log"; then
        echo "$engine gave the container $found GPUs, and @gpus were asked for"
        exit 97
    fi"""


def script(
    engine: str,
    image: str,
    words: str,
    *,
    pull: str,
    python: str,
    env: str,
    volumes: str,
    gpus: int,
    visible: str,
) -> str:
    """The whole script; every argument is a text quoted for sh.

    Args:
        engine: `docker`, `podman` or `apptainer`.
        image: what it runs.
        words: of the engine's command.
        pull: `missing` or `never`.
        python: another one to try, when the image has none on its PATH.
        env: names of the host's variables that go in.
        volumes: paths that have to be there.
        gpus: how many devices there have to be inside at least; 0 for none.
        visible: which GPUs the code is to see, where the engine gives all.
    """
    checks = f'    for path in {volumes}; do\n        [ -e "$path" ] || '
    checks += '{ echo "there is no $path here to be mounted" >&2; exit 1; }\n    done'
    inside = _GPUS.replace("@gpus", str(gpus)) if gpus else ""
    if visible:
        inside += f"\n    export CUDA_VISIBLE_DEVICES={visible}"
    native = engine == "apptainer"
    values = {"engine": engine, "image": image, "python": python, "pull": pull, "words": words}
    values |= {"label": LABEL, "starting": str(STARTING), "pulling": str(PULLING)}
    values["volumes"] = checks if volumes else ""
    values["env"] = _ENV.replace("@names", env) if env else ""
    values["inside"] = inside
    values["cancel"] = "" if native else _DAEMON_CANCEL
    values["watch"] = filled((_APPTAINER if native else _DAEMON).strip("\n"), values)
    return filled(SCRIPT, values)


def filled(text: str, values: dict[str, str]) -> str:
    """The text with `@name` replaced, in one pass: nothing in a value is taken for a name."""
    return re.sub(r"@(\w+)", lambda match: values.get(match[1], match[0]), text)


# How those stand that have not left an end. One whose watcher lives runs, or waits for its image; no engine
# is asked. Without the watcher (the host was restarted) the engine says what it
# knows. $0 is the state folder.
POLL = """cd "$0/jobs" || exit 0
for job in *; do
    [ -e "$job/container" ] && [ ! -e "$job/end" ] || continue
    read -r engine pid <"$job/container"
    if kill -0 "$pid" && case "$(ps -ww -o args= -p "$pid" || tr '\\0' ' ' <"/proc/$pid/cmdline")" in
        *"$job/script watch"*) true ;; *) false ;; esac; then
        [ -e "$job/pulling" ] && echo "jr-$job|pulling|0|" || echo "jr-$job|running|0|"
        continue
    fi 2>/dev/null
    case "$engine" in docker|podman) ;; *) continue ;; esac
    if said=$("$engine" container inspect -f '{{.State.Status}}|{{.State.ExitCode}}|{{.State.OOMKilled}}' \\
        "jr-$job" 2>&1); then
        echo "jr-$job|$said"
    else
        case "$said" in *[Nn]"o such"*|*"not known"*) ;; *) echo "$said" >&2; exit 1 ;; esac
    fi
done"""

# Those of this state folder that nobody watches any more: ended, never started, or their own folder is gone.
# An engine that nothing was started with is not asked: podman without root starts a process that would stay.
_LEFT = """user=$(id -u)
for engine in docker podman; do
    [ -e "$0/jobs/.used-$engine" ] && command -v "$engine" || continue
    "$engine" ps -a --filter "label=@label.user=$user" --format '{{.Names}} {{.Status}}' |
    while read -r name status _; do
        job=$("$engine" container inspect -f '{{index .Config.Labels "@label.job"}}' "$name")
        case "$job" in "$0"/jobs/*) ;; *) continue ;; esac
        [ "$status" = Up ] && [ -d "$job" ] && continue
        [ -e "$job/container" ] && [ ! -e "$job/end" ] && read -r _ pid <"$job/container" &&
            kill -0 "$pid" && continue
        @do && echo "$engine $name" >&3
    done
done 3>&1 >/dev/null 2>&1"""


def left(*, remove: bool) -> list[str]:
    """The argv that names the containers of this user which nobody watches any more, or removes them too."""
    act = '"$engine" rm -f "$name"' if remove else "true"
    return ["sh", "-c", filled(_LEFT, {"label": LABEL, "do": act}), "{state}"]
