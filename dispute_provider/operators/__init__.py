"""Operators. Importing them is cheap: hooks, contracts and jsonschema load when a task first uses them."""

from __future__ import annotations

from airflow.utils.deprecation_tools import add_deprecated_classes

# Modules that DAGs have imported from here, and where they are now.
add_deprecated_classes(
    {
        "case_files": {"*": "dispute_provider._cases.files"},
        "form_case": {"*": "dispute_provider._cases.form"},
        "links": {"*": "dispute_provider._tasks.links"},
        "people": {"*": "dispute_provider._tasks.notifications"},
        "record_lists": {"*": "dispute_provider._tasks.record_lists"},
        "retry": {"*": "dispute_provider._tasks.retry"},
    },
    package=__name__,
)
