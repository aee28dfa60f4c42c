"""A run as one HTML file that needs nothing else: for colleagues, reviewers and the shelf."""

from ldvae_core.report.write import report_html, write_report

__all__ = ["report_html", "write_report"]
