from __future__ import annotations

import subprocess
import sys


def test_the_sweeper_loads_neither_pandas_nor_what_comes_with_it() -> None:
    heavy = "{'numpy', 'pandas', 'polars', 'pyarrow'}"
    program = f"import sys, workers.sweeper; print({heavy} & set(sys.modules) or 'none')"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "none"
