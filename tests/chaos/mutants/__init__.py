"""Each safeguard of the package knocked out in turn: the judge must notice every one."""
