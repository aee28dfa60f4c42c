#!/bin/sh
# A double click in macOS's Finder starts the dashboard. Python: https://www.python.org/downloads/
cd "$(dirname "$0")" || exit 1
for version in 3.12 3.13 3.11 3.14; do
    for folder in "" /Library/Frameworks/Python.framework/Versions/$version/bin/ /opt/homebrew/bin/; do
        if "${folder}python$version" -c "" 2>/dev/null; then
            exec "${folder}python$version" start.py "$@"
        fi
    done
done
echo "Python 3.12 is needed: get it from https://www.python.org/downloads/ and start again."
