"""The wire contracts: arguments become a checked, encoded request; answers become checked objects. Pure."""
