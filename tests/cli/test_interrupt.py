"""Ctrl-C while the program is still being imported."""

import os
import signal
import subprocess
import sys

import pytest

AT = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, *where):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
"""
SCRIPT = "import sys\nfrom tinygrad_lstm.cli.main import main\nsys.exit(main(['demo']))\n"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
@pytest.mark.parametrize("module", ["numpy", "tinygrad_lstm.engine.node", "tinygrad_lstm.cli.main"])
@pytest.mark.parametrize("way", ["module", "script"])
def test_no_traceback(tmp_path, module, way):
    (tmp_path / "sitecustomize.py").write_text(AT.format(module=module))
    (tmp_path / "tinygrad-lstm").write_text(SCRIPT)
    words = ["-m", "tinygrad_lstm", "demo"] if way == "module" else [tmp_path / "tinygrad-lstm"]
    done = subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert done.returncode in (-signal.SIGINT, 130)


def test_the_handler_of_a_user_stays():
    code = (
        "import signal; signal.signal(signal.SIGINT, print); import tinygrad_lstm; "
        "assert signal.getsignal(signal.SIGINT) is print"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    code = (
        "import signal, tinygrad_lstm; "
        "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
