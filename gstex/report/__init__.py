"""A comparison as one HTML file that opens offline.

`page.py` fills the templates, and `pictures.py` packs the texels. A browser runs report.html, report.css and the
scripts beside them.
"""

from gstex.report.page import MARK, write_report

__all__ = ["MARK", "write_report"]
