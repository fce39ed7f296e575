#!/bin/sh
# Makes the virtual environment: make_venv.sh PYTHON FOLDER. Installs Debian's python3-venv where it is missing and may.
set -eu
python=$1 folder=$2
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Python 3.11 or newer is needed; $python is $("$python" --version). Give another: make PYTHON=…" >&2
    exit 1
}
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    sh "$(dirname "$0")/system_packages.sh" python3-venv
    "$python" -c 'import ensurepip, venv' || { echo "$python cannot make virtual environments" >&2; exit 1; }
fi
[ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
