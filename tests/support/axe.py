"""axe-core in a page: the barriers that it finds for people who cannot see, or point, or read well.

Only what is certain counts (`violations`), by the rules of WCAG 2.2, levels A and AA, and by axe's
own best practices.
"""

import os
from functools import cache
from typing import Any

import pytest

import site_build
from support.chromium import Tab

# The user's cache folder, and not that of the empty home of a test.
_SCRIPT = site_build.axe_script(os.environ)
_RUN = """
axe.run(document, {resultTypes: ["violations"]}).then((found) => [
  found.passes.length,
  found.violations.map((one) => [
    one.id, one.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)),
  ]),
])
"""


@cache
def _script() -> str:
    if not _SCRIPT.is_file():
        pytest.skip("needs axe-core: python3 scripts/dev.py site")
    return _SCRIPT.read_text(encoding="utf-8")


def barriers(tab: Tab) -> list[Any]:
    """What axe finds in the page as it is shown: the rule and the first elements."""
    tab.run(f"{_script()};0")
    passed, found = tab.run(_RUN)
    assert passed > 10  # rules were applied
    return list(found)
