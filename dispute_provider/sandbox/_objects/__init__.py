"""The APIs' own objects: what the sandbox keeps, and how each looks from outside."""
