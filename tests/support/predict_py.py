"""A bundle's `predict.py` as a module, to call its functions."""

import importlib.util

from alvision.deploy.bundle.predict_script import script


def load_predict_py(folder):
    """Write the script into a folder and import it."""
    path = folder / "predict.py"
    path.write_text(script(), encoding="utf-8")
    found = importlib.util.spec_from_file_location("predict_of_a_bundle", path)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
