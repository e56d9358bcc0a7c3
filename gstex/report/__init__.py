"""A comparison as one HTML file that opens offline.

`page.py` fills the templates, `pictures.py` packs the texels; report.html, report.css and the scripts beside them
are what a browser runs.
"""

from gstex.report.page import MARK, write_report

__all__ = ["MARK", "write_report"]
