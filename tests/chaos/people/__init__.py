"""The people of an episode: colleagues, issuers, reviewers, and those who edit records."""
