@echo off
rem A double click starts the dashboard. Python: https://www.python.org/downloads/
cd /d "%~dp0"
for %%v in (3.12 3.13 3.11 3.14) do (
  py -%%v -c "" >nul 2>nul && (
    py -%%v start.py %*
    if errorlevel 1 pause
    exit /b
  )
)
echo Python 3.12 is needed: get it from https://www.python.org/downloads/ and start again.
pause
