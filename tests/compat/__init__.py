"""Does the wheel install, pass its tests and run the demo with old and new releases of what it requires?"""
