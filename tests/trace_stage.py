"""Run a stage and print the modules of pipeline/ that it imported, for test_main_job.py."""

import json
import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.argv = ["pipeline", *sys.argv[1:]]
    code = 0
    try:
        runpy.run_module("pipeline", run_name="__main__", alter_sys=True)
    except SystemExit as done:
        code = int(done.code or 0)
    modules = [module for name, module in sys.modules.items() if name.startswith("pipeline")]
    files = {Path(m.__file__) for m in modules if getattr(m, "__file__", None)}
    used = {str(file.relative_to(Path.cwd())) for file in files} | {"pipeline/__main__.py"}
    sys.stdout.write("\n@@" + json.dumps(sorted(used)))
    sys.exit(code)
