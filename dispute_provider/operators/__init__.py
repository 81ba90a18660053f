"""Operators. Importing them is cheap: hooks, contracts and jsonschema load when a task first uses them."""

from __future__ import annotations

from airflow.utils.deprecation_tools import add_deprecated_classes

# Modules that DAGs have imported from here, and where they are now.
add_deprecated_classes(
    {
        "case_files": {"*": "dispute_provider.cases.files"},
        "form_case": {"*": "dispute_provider.cases.form"},
        "links": {"*": "dispute_provider.tasks.links"},
        "people": {"*": "dispute_provider.tasks.notifications"},
        "record_lists": {"*": "dispute_provider.tasks.record_lists"},
        "retry": {"*": "dispute_provider.tasks.retry"},
    },
    package=__name__,
)
