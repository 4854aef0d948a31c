import importlib
import subprocess
import sys

import pytest

from alvision.core.moved import MOVED


@pytest.mark.parametrize("old", MOVED)
def test_an_old_name_still_works_and_says_the_new_one(old):
    sys.modules.pop(old, None)
    with pytest.warns(DeprecationWarning, match=MOVED[old].replace(".", r"\.")):
        module = importlib.import_module(old)
    new = importlib.import_module(MOVED[old])
    public = [name for name in vars(new) if not name.startswith("_")]
    assert public or MOVED[old] == "alvision.deploy"  # a package of packages
    assert all(getattr(module, name) is getattr(new, name) for name in public)


@pytest.mark.slow
def test_rooms_are_there_by_their_dotted_name_in_a_fresh_process():
    code = "import alvision; print(alvision.acquisition.bald.__name__, alvision.__version__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("bald 0.")
