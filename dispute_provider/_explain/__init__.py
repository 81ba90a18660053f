"""An operation for people: reference, form, preview, cURL, snippet. Pure."""
